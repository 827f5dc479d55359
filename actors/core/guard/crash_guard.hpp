// Whether a container that ended is started again. Pure: times come with what was seen.
//
//              a crash                      too many starts within the window
//   running --------------> waiting ------------------------------------------> given up
//    ^ |  ^                    | after the back-off                                 |
//    | |  '--------------------'                       an explicit start            |
//    | '-- asked for, or no crash by its policy --> left '--------------------------'
//    '------------- an explicit start --------------'
//
// Having run for `healthy_after` forgets the starts before.
#pragma once
#include <vector>

#include "messages/records/server.hpp"

namespace zedops::core {

enum class exit_cause : uint8_t { by_itself, asked_for };  // asked_for: it was sent a signal to end

struct container_exit {
  int64_t code = 0;
  exit_cause cause = exit_cause::by_itself;
  msg::duration ran{};
  msg::time_point at{};
};

enum class crash_answer : uint8_t { leave, start, give_up };

struct crash_verdict {
  crash_answer what = crash_answer::leave;
  msg::duration delay{};  // before the start
  uint32_t crashes = 0;   // within the window, this one included; zero: it was none
  friend bool operator==(const crash_verdict&, const crash_verdict&) = default;
};

using start_times = std::vector<msg::time_point>;  // at most restarts_max, oldest first

crash_verdict judge_exit(const msg::crash_rules& rules, start_times& starts, const container_exit& seen);
// The container could not even be started: counts as a crash that it had at once.
crash_verdict judge_failed_start(const msg::crash_rules& rules, start_times& starts, msg::time_point now);

}  // namespace zedops::core
