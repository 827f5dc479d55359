// Why a server is where it is, from what is stored: its record, the newest entries of its chain of the log, and what is
// known of its agent. No agent is asked and no actor is woken.
//
//   desire -> command -> calls to the Engine -> events -> transitions        what led here, oldest first
//   timers, retries, what it waits for, what a user may do                   what comes next
#pragma once
#include <span>

#include "messages/api/views.hpp"
#include "messages/records/facts.hpp"

namespace zedops::core {

inline constexpr size_t explain_entries_max = 500;  // log entries that are looked at, the newest
inline constexpr size_t explain_lines_max = 80;     // of the past that are shown, the newest
inline constexpr size_t explain_steps_max = 12;     // of one operation that are named

struct explain_input {
  const msg::server& record;
  std::span<const msg::log_entry> entries;  // of this server, oldest first
  const msg::agent* agent = nullptr;        // null: nothing is known of it
  msg::time_point agent_seen{};             // when it was last heard
  msg::time_point now{};
};

// `server` is its plain public form; the caller that shows it to people masks it and adds `trimmed_before`.
msg::explanation explain(const explain_input& in);

// The record of a server that the store gave back damaged; see manager::catalog::put_damaged.
bool damaged(const msg::server& s);

namespace detail {

std::vector<msg::explain_line> past_lines(const explain_input& in);
std::vector<msg::explain_line> next_lines(const explain_input& in);
// "its container was removed by hand (destroy event) 3m10s ago"; empty when the entries do not show it.
std::string cause_of_state(const explain_input& in);

// An operation that answers what was seen: a recovery, the removal of what should be gone.
bool answers_a_sight(const msg::log_entry& e);
std::string event_name(const msg::log_entry& e);  // "destroy"

std::string asked_for(const msg::operation& op);             // "ann asked to start it"
std::string who_text(std::string_view actor);                // "zedops itself (recovery)"
std::string ago(msg::time_point then, msg::time_point now);  // "3m10s ago"
bool agent_away(const explain_input& in);
std::string agent_name(const explain_input& in);
std::string start_command(const msg::server& s);  // that makes it run, with --fresh where it takes that

template <class F>
const F* fact_in(const msg::log_entry& e) {
  for (const auto& n : e.facts)
    if (const auto* x = std::get_if<F>(&n.what)) return x;
  return nullptr;
}

}  // namespace detail

}  // namespace zedops::core
