// Which refusals leave a record. Each does, until the same one is repeated again and again: then it is only counted, so
// that a script in a loop does not push the history out of the store.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "messages/records/server.hpp"

namespace zedops::manager {

class refusal_log {
 public:
  static constexpr uint32_t recorded_max = 10;  // of equal ones, per minute
  static constexpr msg::duration window{60'000};
  static constexpr size_t kinds_max = 4'096;  // remembered; beyond that all begin anew

  // Nothing: this one is not recorded. Else how many equal ones before it were not.
  std::optional<uint64_t> count(const std::string& what, msg::time_point now) {
    if (seen_.size() >= kinds_max) std::erase_if(seen_, [&](const auto& x) { return now - x.second.since >= window; });
    if (seen_.size() >= kinds_max) seen_.clear();
    auto& x = seen_[what];
    const bool over = now - x.since >= window || now < x.since;
    if (!over && x.recorded >= recorded_max) {
      ++x.skipped;
      return std::nullopt;
    }
    if (over) x.since = now, x.recorded = 0;
    ++x.recorded;
    return std::exchange(x.skipped, 0);
  }

  // Whether this one is recorded. If so, its note says how many equal ones before it were not.
  bool record(msg::operation& refused, msg::time_point now) {
    const auto skipped = count(key_of(refused), now);
    if (skipped && *skipped > 0) refused.note = skipped_text(*skipped);
    return skipped.has_value();
  }
  static std::string skipped_text(uint64_t n) {
    return std::to_string(n) + " equal refusals before it were not recorded";
  }

 private:
  struct kind {
    msg::time_point since{};
    uint32_t recorded = 0;
    uint64_t skipped = 0;
  };
  static std::string key_of(const msg::operation& op) {
    return op.target_name + '\n' + op.actor + '\n' + std::to_string(static_cast<int>(op.kind)) + '\n' +
           (op.failure ? op.failure->message.substr(0, 200) : std::string{});
  }
  std::unordered_map<std::string, kind> seen_;
};

}  // namespace zedops::manager
