#include "actors/core/server/decide_request.hpp"

namespace zedops::core::detail {

using namespace msg;

namespace {

constexpr bool settles(incident_kind k) {
  return k == incident_kind::gave_up || k == incident_kind::restarted || k == incident_kind::boot_started;
}

}  // namespace

// The history only: where the server stands is what its agent observes, never what it says it did.
decision decide_acted(const server& s, const acted& in, const context&) {
  decision d;
  d.why = {cause_kind::report, "agent", "system:agent"};
  if (s.id.empty() || s.status == server_status::purged) return d;
  const incident* last = nullptr;
  auto told = s.incident_seq;
  for (const auto& i : in.list) {
    if (i.seq <= told) continue;  // recorded before: an agent repeats what was not acknowledged
    told = i.seq;
    if (settles(i.kind)) last = &i;
    d.facts.emplace_back(agent_acted{i});
  }
  const bool lies = s.status != server_status::running && s.desired == desired_state::running && !s.op;
  if (last && last->kind == incident_kind::gave_up && lies)
    d.facts.emplace_back(error_changed{error{ec::engine_error,
                                             "its agent gave up starting it again: " + last->detail,
                                             "zedctl server logs " + s.name + "; zedctl server start " + s.name,
                                             {}}});
  return d;
}

}  // namespace zedops::core::detail
