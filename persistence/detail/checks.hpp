// The checks that both stores make on every key, value and batch, so that they refuse alike.
#pragma once
#include "persistence/store.hpp"

namespace zedops::store::detail {

inline result<void> check_key(std::string_view key) {
  if (key.empty()) return msg::fail(msg::ec::bad_request, "a key of the store is empty", "name the record");
  if (key.size() > key_bytes_max)
    return msg::fail(msg::ec::too_large, "a key of the store has " + std::to_string(key.size()) + " bytes",
                     "at most " + std::to_string(key_bytes_max) + " are possible");
  return {};
}

// Counts what a transaction holds against its limits.
class batch_budget {
 public:
  explicit batch_budget(batch_limits limits) : limits_(limits) {}

  result<void> take(std::string_view key, size_t value_bytes) {
    if (auto ok = check_key(key); !ok) return ok;
    if (value_bytes > value_bytes_max)
      return msg::fail(msg::ec::too_large,
                       "a record of " + std::to_string(value_bytes) + " bytes does not fit the store",
                       "at most " + std::to_string(value_bytes_max) + " bytes are possible");
    writes_ += 1;
    bytes_ += key.size() + value_bytes;
    if (writes_ > limits_.writes_max || bytes_ > limits_.bytes_max)
      return msg::fail(
          msg::ec::too_large,
          "one transaction would hold " + std::to_string(writes_) + " changes of " + std::to_string(bytes_) + " bytes",
          "split it: at most " + std::to_string(limits_.writes_max) + " changes and " +
              std::to_string(limits_.bytes_max) + " bytes");
    return {};
  }

 private:
  batch_limits limits_;
  uint64_t writes_ = 0;
  uint64_t bytes_ = 0;
};

inline msg::error writer_busy() {
  return {msg::ec::busy, "another transaction is being written", "repeat when it has ended", {}};
}
inline msg::error writer_spent() { return {msg::ec::wrong_state, "the transaction has ended", "begin a new one", {}}; }
inline msg::error append_order(table t, std::string_view last_or_key) {
  return {msg::ec::already_exists,
          "append to " + std::string(name_of(t)) + ": the key (" + std::to_string(last_or_key.size()) +
              " bytes) is not above the last one",
          "append with ascending keys, or use put",
          {}};
}

}  // namespace zedops::store::detail
