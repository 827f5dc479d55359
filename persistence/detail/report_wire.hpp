// A verify_report as bytes, from the child that made it to its parent: same program, same machine, so plain layout.
#pragma once
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "persistence/store.hpp"

namespace zedops::store::detail {

inline void put_number(std::string& out, uint64_t n) { out.append(reinterpret_cast<const char*>(&n), sizeof n); }
inline void put_text(std::string& out, std::string_view text) {
  put_number(out, text.size());
  out.append(text);
}

class report_parser {
 public:
  explicit report_parser(std::string_view bytes) : left_(bytes) {}
  uint64_t number() {
    uint64_t n = 0;
    const auto bytes = take(sizeof n);
    if (bytes.size() == sizeof n) std::memcpy(&n, bytes.data(), sizeof n);
    return n;
  }
  std::string text() { return std::string(take(number())); }
  bool complete() const { return !failed_ && left_.empty(); }
  bool failed() const { return failed_; }

 private:
  std::string_view take(uint64_t n) {
    if (n > left_.size()) {
      failed_ = true;
      return {};
    }
    const auto bytes = left_.substr(0, n);
    left_.remove_prefix(n);
    return bytes;
  }
  std::string_view left_;
  bool failed_ = false;
};

inline std::string encode_report(const verify_report& r) {
  std::string out;
  for (const uint64_t n : {uint64_t{r.schema}, r.epoch, r.file_bytes, r.damaged}) put_number(out, n);
  for (const uint64_t n : r.records) put_number(out, n);
  put_text(out, r.structure);
  put_number(out, r.listed.size());
  for (const auto& c : r.listed) {
    put_number(out, static_cast<uint64_t>(c.where));
    put_text(out, c.key);
    put_text(out, c.reason);
    put_text(out, c.raw);
  }
  return out;
}

inline std::optional<verify_report> decode_report(std::string_view bytes) {
  report_parser in(bytes);
  verify_report r;
  r.schema = static_cast<uint32_t>(in.number());
  r.epoch = in.number();
  r.file_bytes = in.number();
  r.damaged = in.number();
  for (auto& n : r.records) n = in.number();
  r.structure = in.text();
  const uint64_t listed = in.number();
  for (uint64_t i = 0; i < listed && i < damaged_listed_max && !in.failed(); ++i) {
    corrupt_record c;
    c.where = static_cast<table>(in.number() % table_count);
    c.key = in.text();
    c.reason = in.text();
    c.raw = in.text();
    r.listed.push_back(std::move(c));
  }
  if (!in.complete()) return std::nullopt;
  return r;
}

}  // namespace zedops::store::detail
