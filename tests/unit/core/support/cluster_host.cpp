// The hosts of the cluster: a simple Engine, an agent with a queue and a journal, a disk.
#include "tests/unit/core/support/cluster.hpp"

namespace zedops::core::testing {

namespace {
constexpr duration lane_wait_max = 2h;  // no lane is delayed longer: each command before has its time limit
}  // namespace

observation cluster::look(const host& h, const server& s) const {
  observation o;
  o.server = s.id;
  o.observed_at = now_;
  auto tree = h.trees.find(s.name);
  o.data = !h.mounted ? data_state::unknown : tree == h.trees.end() ? data_state::absent : tree->second;
  if (!h.engine) return o;
  auto b = h.bodies.find(s.id.value);
  o.container = b == h.bodies.end() ? presence::absent : presence::present;
  if (b == h.bodies.end()) return o;
  o.view.id = b->second.id;
  o.view.state = b->second.alive ? container_state::running : container_state::exited;
  return o;
}

// The agent executes one command completely, or dies in the middle and will be sent it again.
void cluster::execute(host& h) {
  if (h.queue.empty()) return;
  const auto o = h.queue.front();
  h.queue.pop_front();
  const bool cut_short = one_in(12);
  auto r = perform(h, o, cut_short);
  if (cut_short) return h.queue.clear();  // the process died
  h.done[o.what.op.value] = r;
  if (h.online) h.reports.emplace_back(o.server, std::move(r));
}

command_result cluster::perform(host& h, const order& o, bool cut_short) {
  auto r = result_of(o.what.op, {});
  r.server = o.server;
  r.attempt = o.what.attempt;
  auto s = servers_.find(o.server.value);
  const auto name = s == servers_.end() ? std::string{} : s->second.name;
  const auto fail_with = [&](ec code) { r.failure = trouble(code); };
  const auto run = [&] {
    auto& tree = h.trees.try_emplace(name, data_state::absent).first->second;
    if (!h.bodies.contains(o.server.value)) {
      if (!h.mounted) return fail_with(ec::data_unknown);
      if (o.what.demand == data_demand::present && tree != data_state::present) return fail_with(ec::no_data);
      h.bodies[o.server.value].id = "c" + std::to_string(++ids_);
    }
    if (cut_short) return;
    h.bodies[o.server.value].alive = true;
    tree = data_state::present;
  };
  if (name.empty()) return r;
  if (o.withdrawn) fail_with(ec::cancelled);
  else if (now_ - o.sent > lane_wait_max) fail_with(ec::timeout);
  else if (!h.engine || one_in(8)) fail_with(ec::engine_error);
  else switch (o.what.kind) {
      case command_kind::run: run(); break;
      case command_kind::deploy: break;
      case command_kind::replace:
        if (h.mounted && !cut_short) h.bodies.erase(o.server.value);
        run();
        break;
      case command_kind::restart:
        if (auto b = h.bodies.find(o.server.value); b != h.bodies.end()) b->second.alive = !cut_short;
        else fail_with(ec::not_found);
        break;
      case command_kind::stop:
        if (auto b = h.bodies.find(o.server.value); b != h.bodies.end()) b->second.alive = false;
        break;
      case command_kind::move:
        if (!h.mounted) return fail_with(ec::data_unknown), r;
        r.data_root = o.what.data_to;
        break;
      case command_kind::drop_source: break;
      case command_kind::adopt:
        if (!h.mounted) {
          fail_with(ec::data_unknown);
          r.untouched = true;
          break;
        }
        run();
        break;
      case command_kind::remove: h.bodies.erase(o.server.value); break;
      case command_kind::purge:
        h.bodies.erase(o.server.value);
        if (cut_short || !o.what.remove_data) break;
        if (!h.mounted) {
          fail_with(ec::data_unknown);
          break;
        }
        if (h.trees.erase(name) > 0 && !removable_.contains(h.id.value + "/" + name))
          broken("the data of " + name + " were removed and no open operation wanted it");
        break;
    }
  r.after = look(h, s->second);
  return r;
}

void cluster::deliver(host& h) {
  if (h.reports.empty()) return;
  const auto [id, r] = h.reports.front();
  if (!one_in(6)) h.reports.pop_front();  // else it is sent once more
  if (servers_.contains(id.value)) give(id.value, reported{r});
}

void cluster::look_at_all(host& h) {
  if (!h.online) return;
  std::vector<std::string> ids;
  for (const auto& [id, s] : servers_)
    if (s.agent == h.id) ids.push_back(id);
  for (const auto& id : ids) {
    if (!h.engine) give(id, unseen{trouble()});
    else give(id, seen{look(h, servers_.at(id)), cause_kind::sync, {}});
    if (servers_.contains(id)) give(id, agent_ready{});
  }
}

void cluster::link(host& h, bool up) {
  h.online = up;
  h.reports.clear();
  if (up) look_at_all(h);
}

void cluster::by_hand(host& h) {
  if (h.bodies.empty()) return;
  auto b = h.bodies.begin();
  std::advance(b, static_cast<long>(roll(h.bodies.size())));
  if (one_in(2)) h.bodies.erase(b);
  else b->second.alive = !b->second.alive;
}

}  // namespace zedops::core::testing
