// Compares records with what an agent sees: which input goes to which server, without waking those that agree.
#pragma once
#include <caf/typed_response_promise.hpp>
#include <set>

#include "actors/core/agent/agent_machine.hpp"
#include "actors/core/agent/agent_session.hpp"
#include "actors/manager/deps.hpp"

namespace zedops::manager {

struct sync_plan {
  std::vector<rt::entity_call> calls;  // servers whose record does not agree
  size_t commits = 0;                  // how many of those calls will write
  std::vector<msg::server_id> ready;   // servers with work left for the agent
  std::vector<msg::server_id> untold;  // servers that the agent does not know
  std::set<std::string> settled;       // considered servers without an open operation
  msg::sync_row row;
};
// `asked_at`: the agent need not know yet what was changed since then.
sync_plan plan_sync(const shared& world, const msg::agent_id& agent, const msg::inventory& inv,
                    msg::time_point asked_at);

// The answer to questions for an agent that is not connected.
inline rt::host_answer away() {
  rt::host_answer a;
  a.failure =
      msg::error{msg::ec::agent_unreachable, "the agent is not connected", "start zedops-agent on its host", {}};
  return a;
}

// The sync of one agent that is in progress.
struct sync_run {
  using promise = caf::typed_response_promise<rt::host_answer>;
  core::sync_gate gate;
  core::steady_time started{};  // the running one, or the last
  msg::time_point asked_at{};   // the running one
  msg::time_point last{};       // the last successful one: never a failed listing
  msg::duration last_took{};
  uint64_t last_unclaimed = 0;
  uint64_t last_diverged = 0;  // servers that it found in another state than shown, without an event for it
  std::set<std::string> settled;
  uint64_t diverged = 0;  // of the running one
  uint64_t request = 0;   // the question that the expected inventory answers
  uint64_t runs = 0;
  size_t open = 0;        // servers that have not answered yet
  bool reported = false;  // the first sync of a session is always an event
  msg::sync_row row;
  msg::duration took{};
  std::optional<msg::error> failure;
  std::string failed_with;  // a lasting failure is one event, not one per interval
  std::vector<msg::server_id> ready;
  std::vector<promise> waiting;  // requests for the running sync
  std::vector<promise> next;     // requests that came while it ran
  std::map<msg::server_id, core::steady_time> noticed;

  void begun(core::steady_time now, msg::time_point wall) {
    started = now;
    asked_at = wall;
  }
  // Repeated notices for one server within ten seconds cause one sync.
  bool may_notice(const msg::server_id& server, core::steady_time now) {
    constexpr std::chrono::seconds quiet{10};
    constexpr size_t noticed_max = 10'000;
    std::erase_if(noticed, [&](const auto& n) { return now - n.second >= quiet; });
    return noticed.size() < noticed_max && noticed.emplace(server, now).second;
  }
  void abort(const rt::host_answer& why) {
    for (auto& p : waiting) p.deliver(why);
    for (auto& p : next) p.deliver(why);
    waiting.clear();
    next.clear();
    gate.reset();
    open = 0;
    ++runs;
    reported = false;
  }
};

}  // namespace zedops::manager
