#include "actors/manager/doors/new_server.hpp"

#include "actors/core/plan/blueprint.hpp"
#include "actors/core/plan/claims.hpp"
#include "actors/manager/doors/answers.hpp"
#include "actors/manager/journal/entry_stage.hpp"

namespace zedops::manager {

using namespace msg;

result<agent_ptr> agent_for(const shared& world, const std::string& name) {
  if (name.empty()) return fail(ec::bad_request, "no agent was given", "give --agent NAME; zedctl agent ls lists them");
  return world.records.resolve_agent(name);
}

result<void> ports_free(const shared& world, const server& s, const edit_server& e) {
  auto next = s;
  next.spec = core::edited_spec(s, e);
  for (const auto& key : core::claims_of(next))
    if (auto owner = world.records.claim_owner(key); owner && owner.id() != s.id.value)
      return fail(owner.of().taken(key, owner.get()));
  return {};
}

result<server> record_of(const shared& world, const create_server& c, choices& chosen,
                         std::vector<std::string>& claims) {
  auto a = agent_for(world, c.agent);
  if (!a) return fail(a.error());
  const auto* t = world.find_template(c.template_name);
  if (!t) return fail(no_template(world, c.template_name));
  const auto taken = [&](protocol proto, uint16_t number) {
    const auto key = core::port_claim((*a)->id, proto, number);
    return chosen.contains(key) || world.records.claim_owner(key);
  };
  auto ports = core::choose_ports(*t, {c.game_port, c.udp_port, c.rcon_port}, taken);
  if (!ports) return fail(ports.error());
  auto record = core::record_for(c, **a, *t, server_id{world.random.id('s')}, std::move(*ports));
  if (!record) return fail(record.error());
  for (const auto& key : core::claims_of(*record))
    if (auto owner = world.records.claim_owner(key)) return fail(owner.of().taken(key, owner.get()));
  if (!c.use_existing_data) {
    auto orphan = orphan_path(world.store, (*a)->id, c.name);
    if (!orphan) return fail(orphan.error());
    if (*orphan == record->data_path + "/" + record->name)
      return fail(ec::already_exists, "the data of a purged server " + c.name + " is still at " + *orphan,
                  "take it over, or confirm that you removed it, with --use-existing-data; or choose another name");
  }
  for (const auto& key : core::claims_of(*record)) {
    chosen.take(key);
    claims.push_back(key);
  }
  return record;
}

}  // namespace zedops::manager
