// The limits of one caller on a network: on requests per second, and on requests in progress at once. Callers on the
// machine itself are limited by the bus alone.
#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "messages/base/error.hpp"
#include "messages/records/principal.hpp"

namespace zedops::manager {

class caller_limits {
 public:
  using time = std::chrono::steady_clock::time_point;
  static constexpr double per_second = 200, burst = 1'000;
  static constexpr uint32_t at_work_max = 256;
  static constexpr size_t callers_max = 20'000;  // remembered; beyond that the inactive ones are forgotten

  // Held until the request is answered; null: this caller is not limited. From any thread. Errors: rate_limited.
  msg::result<std::shared_ptr<void>> admit(const msg::principal& who, time now) {
    if (who.how == msg::authentication::local) return std::shared_ptr<void>{};
    std::lock_guard lock(mutex_);
    if (callers_.size() >= callers_max) std::erase_if(callers_, [&](const auto& c) { return rests(*c.second, now); });
    auto& c = callers_[who.id];
    if (!c) c = std::make_shared<caller>(burst, now);
    c->tokens = std::min(burst, c->tokens + per_second * std::chrono::duration<double>(now - c->at).count());
    c->at = now;
    if (c->tokens < 1)
      return msg::fail(
          msg::ec::rate_limited, who.id + " has sent more than 200 requests a second",
          "send fewer, with several servers in one request where that is possible; repeat this one in a second");
    if (c->at_work.load() >= at_work_max)
      return msg::fail(msg::ec::rate_limited, who.id + " has 256 requests in progress",
                       "wait for answers before sending more");
    c->tokens -= 1;
    c->at_work.fetch_add(1);
    return std::shared_ptr<void>(c.get(), [c = c](void*) { c->at_work.fetch_sub(1); });
  }

 private:
  struct caller {
    caller(double t, time when) : tokens(t), at(when) {}
    double tokens;
    time at;
    std::atomic<uint32_t> at_work{0};
  };
  static bool rests(const caller& c, time now) { return c.at_work.load() == 0 && now - c.at > std::chrono::minutes(1); }

  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<caller>> callers_;
};

}  // namespace zedops::manager
