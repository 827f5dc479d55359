// Which servers are restarted, how often and after which pause.
#include "actors/core/guard/crash_guard.hpp"

#include <rapidcheck.h>

#include "tests/support/catch.hpp"

using namespace zedops::core;
using namespace zedops::msg;
using namespace std::chrono_literals;

namespace {

const time_point noon{duration{1'714'564'800'000}};

crash_rules rules_of(crash_policy policy) {
  crash_rules r;
  r.policy = policy;
  r.restarts_max = 3;
  r.window = 10min;
  r.backoff_min = 1s;
  r.backoff_max = 5s;
  r.healthy_after = 5min;
  return r;
}

container_exit exit_with(int64_t code, duration after_noon = {}, duration ran = 1s) {
  return {code, exit_cause::by_itself, ran, noon + after_noon};
}

}  // namespace

TEST_CASE("crash policy: which exits lead to a start", "[unit][core][fc-56]") {
  struct row {
    crash_policy policy;
    exit_cause cause;
    crash_answer answer;
  };
  for (int64_t code : {0, 1, 137, 143})
    for (bool zero : {false, true}) {
      const bool bad = code != 0 || zero;
      const std::vector<row> rows = {
          {crash_policy::engine, exit_cause::by_itself, crash_answer::leave},
          {crash_policy::engine, exit_cause::asked_for, crash_answer::leave},
          {crash_policy::leave, exit_cause::by_itself, crash_answer::leave},
          {crash_policy::leave, exit_cause::asked_for, crash_answer::leave},
          {crash_policy::on_failure, exit_cause::by_itself, bad ? crash_answer::start : crash_answer::leave},
          {crash_policy::on_failure, exit_cause::asked_for, crash_answer::leave},
          {crash_policy::always, exit_cause::by_itself, crash_answer::start},
          {crash_policy::always, exit_cause::asked_for, crash_answer::leave}};
      for (const auto& [policy, cause, answer] : rows) {
        auto rules = rules_of(policy);
        rules.exit_zero_is_crash = zero;
        auto seen = exit_with(code);
        seen.cause = cause;
        start_times starts;
        INFO(name_of(policy) << " code " << code << " zero is a crash: " << zero
                             << " asked for: " << (cause == exit_cause::asked_for));
        const auto verdict = judge_exit(rules, starts, seen);
        CHECK(verdict.what == answer);
        const bool again = answer == crash_answer::start;
        CHECK(starts.size() == (again ? 1 : 0));
        CHECK(verdict.crashes == (again ? 1 : 0));
        CHECK(verdict.delay == 0s);  // the first restart is immediate
      }
    }
}

TEST_CASE("crash policy: the pause doubles up to its cap, then the server is given up", "[unit][core][fc-56]") {
  auto rules = rules_of(crash_policy::on_failure);
  rules.restarts_max = 5;
  start_times starts;
  std::vector<duration> pauses;
  for (int i = 0; i < 5; ++i) {
    const auto v = judge_exit(rules, starts, exit_with(1, i * 10s));
    REQUIRE(v.what == crash_answer::start);
    CHECK(v.crashes == static_cast<uint32_t>(i) + 1);
    pauses.push_back(v.delay);
  }
  CHECK(pauses == std::vector<duration>{0s, 1s, 2s, 4s, 5s});
  const auto last = judge_exit(rules, starts, exit_with(1, 50s));
  CHECK(last == crash_verdict{crash_answer::give_up, {}, 6});
  CHECK(judge_exit(rules, starts, exit_with(1, 60s)).what == crash_answer::give_up);
}

TEST_CASE("crash policy: starts outside the window do not count", "[unit][core][fc-56]") {
  const auto rules = rules_of(crash_policy::always);
  start_times starts;
  for (auto at : {0s, 10s, 20s}) REQUIRE(judge_exit(rules, starts, exit_with(1, at)).what == crash_answer::start);
  CHECK(judge_exit(rules, starts, exit_with(1, 10min)).what == crash_answer::give_up);  // the first start was at 1 s
  const auto later = judge_exit(rules, starts, exit_with(1, 10min + 2s));
  CHECK(later.what == crash_answer::start);
  CHECK(later.delay == 2s);  // two are still in it
}

TEST_CASE("crash policy: a healthy run clears the crashes before it", "[unit][core][fc-56]") {
  const auto rules = rules_of(crash_policy::on_failure);
  start_times starts;
  for (auto at : {0s, 10s, 20s}) judge_exit(rules, starts, exit_with(1, at));
  auto seen = exit_with(1, 5min + 25s, rules.healthy_after);
  CHECK(judge_exit(rules, starts, seen) == crash_verdict{crash_answer::start, 0s, 1});
  seen.ran = rules.healthy_after - 1ms;
  seen.at += 5min;
  CHECK(judge_exit(rules, starts, seen).crashes == 2);
}

TEST_CASE("crash policy: a healthy run that ends on request or in order clears the crashes, too",
          "[unit][core][fc-56]") {
  const auto rules = rules_of(crash_policy::on_failure);
  start_times starts;
  judge_exit(rules, starts, exit_with(1));
  auto seen = exit_with(0, 6min, rules.healthy_after);
  CHECK(judge_exit(rules, starts, seen).what == crash_answer::leave);
  CHECK(starts.empty());
}

TEST_CASE("crash policy: a failed start counts, unless the policy restarts nothing", "[unit][core][fc-56]") {
  start_times starts;
  for (auto policy : {crash_policy::engine, crash_policy::leave}) {
    CHECK(judge_failed_start(rules_of(policy), starts, noon).what == crash_answer::leave);
    CHECK(starts.empty());
  }
  const auto rules = rules_of(crash_policy::on_failure);
  for (auto pause : {0s, 1s, 2s}) CHECK(judge_failed_start(rules, starts, noon + pause).delay == pause);
  CHECK(judge_failed_start(rules, starts, noon + 30s).what == crash_answer::give_up);
}

TEST_CASE("crash policy: starts in the future come from a clock that was set back, and are ignored",
          "[unit][core][fc-62]") {
  const auto rules = rules_of(crash_policy::always);
  start_times starts{noon + 1h, noon + 2h, noon + 3h};
  CHECK(judge_exit(rules, starts, exit_with(1)) == crash_verdict{crash_answer::start, 0s, 1});
}

TEST_CASE("crash policy: never more starts in a window than permitted, with pauses that grow and are capped",
          "[unit][core][fc-56]") {
  REQUIRE(rc::check("starts in any window are bounded", [] {
    auto rules = rules_of(*rc::gen::element(crash_policy::on_failure, crash_policy::always));
    rules.restarts_max = *rc::gen::inRange<uint32_t>(1, 8);
    rules.window = duration{*rc::gen::inRange(1'000, 200'000)};
    rules.backoff_min = duration{*rc::gen::inRange(100, 5'000)};
    rules.backoff_max = rules.backoff_min + duration{*rc::gen::inRange(0, 20'000)};
    rules.healthy_after = 24h;  // only the window clears anything
    const auto crashes = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 60'000));
    start_times memory;
    std::vector<time_point> started;
    auto now = noon;
    duration last{};
    for (auto ran : crashes) {
      now += duration{ran};
      const auto before = memory.size();
      const auto v = judge_exit(rules, memory, {1, exit_cause::by_itself, duration{ran}, now});
      if (v.what == crash_answer::give_up) {
        RC_ASSERT(memory.size() == rules.restarts_max);
        last = {};
        continue;
      }
      RC_ASSERT(v.what == crash_answer::start);
      const bool first = v.crashes == 1;
      RC_ASSERT((first ? v.delay == 0ms : v.delay >= rules.backoff_min));
      RC_ASSERT(v.delay <= rules.backoff_max);
      if (memory.size() == before + 1 && before > 0) RC_ASSERT(v.delay >= last);  // none has left the window
      last = v.delay;
      now += v.delay;
      started.push_back(now);
    }
    for (size_t i = rules.restarts_max; i < started.size(); ++i)
      RC_ASSERT(started[i] - started[i - rules.restarts_max] > rules.window);
  }));
}
