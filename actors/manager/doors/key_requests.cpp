#include "actors/manager/doors/key_requests.hpp"

#include <caf/all.hpp>

#include "actors/core/access.hpp"
#include "actors/manager/doors/answers.hpp"
#include "actors/manager/doors/dispatch.hpp"
#include "config/logging/logging.hpp"

namespace zedops::manager {
namespace {

using namespace msg;

constexpr duration ttl_min{10'000}, invitation_ttl_max{std::chrono::hours(24 * 30)},
    token_ttl_max{std::chrono::hours(24 * 36'500)};

// The agent or server of a role has to exist: a misspelt name would be a right that nobody has. A server is kept by its
// id: its name may belong to another one later.
template <class Named>
result<Named> there(const shared& w, Named k) {
  if (!k.agent.empty())
    if (auto a = w.records.resolve_agent(k.agent); !a) return fail(a.error());
  if (k.server.empty()) return k;
  auto s = w.records.resolve_unpurged(k.server);
  if (!s) return fail(s.error());
  k.server = (*s)->id.value;
  return k;
}

// The entries that exist already under this name.
template <class List, class Row>
result<std::vector<Row>> named(result<List> all, std::vector<Row> List::*rows, const std::string& name) {
  if (!all) return fail(all.error());
  std::vector<Row> out;
  for (auto& row : (*all).*rows)
    if (row.name == name) out.push_back(std::move(row));
  return out;
}

// The gate has judged where the new role will hold. An existing entry is changed by it as well: that takes the right
// where its role holds, and if that is everywhere, or on something removed, the right everywhere.
template <class Row>
result<void> may_change(const shared& w, const rt::client_call& call, const result<std::vector<Row>>& known) {
  if (!core::is_scoped(*call.by)) return {};
  if (!known) return fail(known.error());
  for (const auto& row : *known) {
    core::access_subject about;
    if (!row.server.empty()) {
      if (auto s = w.records.resolve_unpurged(row.server)) about = {(*s)->agent, (*s)->id};
    } else if (!row.agent.empty()) {
      if (auto a = w.records.resolve_agent(row.agent)) about = {(*a)->id, {}};
    }
    if (auto ok = core::authorize(*call.by, verb_table[call.row], about); !ok) return ok;
  }
  return {};
}

error no_keys() {
  return {ec::wrong_state, "this manager has no keys", "let it listen on a network first: docs/network.md", {}};
}
error no_accounts() {
  return {ec::wrong_state,
          "this manager has no HTTP endpoint",
          "set `http` to the address where it listens: docs/web.md",
          {}};
}

result<key_list> add(shared& w, const rt::client_call& call, const add_key& k) {
  auto found = there(w, k);
  if (!found) return fail(found.error());
  if (auto ok = may_change(w, call, named(w.keys->keys(), &key_list::keys, k.name)); !ok) return fail(ok.error());
  return servers_by_name(w, w.keys->add(*found), &key_list::keys);
}
result<key_list> remove(shared& w, const rt::client_call&, const remove_key& k) { return w.keys->remove(k); }
// With the agents that connect with a key: which of them know the next one.
result<rotation_view> rotate(shared& w, const rt::client_call&, const rotate_key& k) {
  if (k.finish && k.cancel) return fail(ec::bad_request, "finish and cancel exclude each other", "give one of them");
  const auto add_agents = [&](rotation_view& v) -> result<void> {
    auto all = w.keys->keys();
    if (!all) return fail(all.error());
    for (const auto& e : all->keys) {
      if (e.role != "agent") continue;
      auto a = w.records.resolve_agent(e.name);
      const bool ready = a && !v.next_key.empty() && w.records.touched((*a)->id).next_key == v.next_key;
      (ready ? v.agents_ready : v.agents_missing).push_back(e.name);
    }
    return {};
  };
  if (k.finish && !k.force) {
    rotation_view before;
    before.next_key = w.keys->next_key();
    if (auto ok = add_agents(before); !ok) return fail(ok.error());
    if (!before.next_key.empty() && !before.agents_missing.empty())
      return fail(ec::wrong_state,
                  "agents that do not know the next key yet could not reconnect: " + before.agents_missing.front() +
                      (before.agents_missing.size() == 1
                           ? std::string{}
                           : " and " + std::to_string(before.agents_missing.size() - 1) + " more"),
                  "connect them and wait a moment; with --force they are shut out and have to join again");
  }
  auto v = w.keys->rotate(k);
  if (!v) return fail(v.error());
  if (auto ok = add_agents(*v); !ok) return fail(ok.error());
  return v;
}
result<token_reply> token(shared& w, const rt::client_call&, const make_token& t) {
  if (auto ok = check_agent_name(t.agent); !ok) return fail(ok.error());
  if (t.ttl < ttl_min || t.ttl > invitation_ttl_max)
    return fail(ec::bad_request, "a token is valid for 10s to 30d, not " + format_duration(t.ttl), "give --ttl 1h");
  return w.keys->make_token(t, w.clock.now());
}
result<enrol_reply> enrol(shared& w, const rt::client_call& call, const enrol_agent& e) {
  return w.keys->enrol(e, *call.by, w.clock.now());
}
result<enrol_reply> approve(shared& w, const rt::client_call&, const approve_agent& a) { return w.keys->approve(a); }

result<user_link> add_one(shared& w, const rt::client_call& call, const add_user& u) {
  auto found = there(w, u);
  if (!found) return fail(found.error());
  if (auto ok = may_change(w, call, named(w.accounts->users(), &user_list::users, u.name)); !ok)
    return fail(ok.error());
  auto added = w.accounts->add(*found, w.clock.now());
  if (added) added->user.server = u.server;
  return added;
}
result<user_list> remove_one(shared& w, const rt::client_call&, const remove_user& u) { return w.accounts->remove(u); }
result<user_link> reset(shared& w, const rt::client_call&, const reset_user& u) {
  return w.accounts->reset(u, w.clock.now());
}
result<token_made> add_secret(shared& w, const rt::client_call&, const add_token& t) {
  auto found = there(w, t);
  if (!found) return fail(found.error());
  if (t.ttl.count() != 0 && (t.ttl < ttl_min || t.ttl > token_ttl_max))
    return fail(ec::bad_request, "a token is valid for at least 10s and at most 36500d, not " + format_duration(t.ttl),
                "give --ttl 90d; without it the token is valid until it is removed");
  auto added = w.accounts->add(*found, w.clock.now());
  if (added) added->token.server = t.server;
  return added;
}
result<token_list> remove_secret(shared& w, const rt::client_call&, const remove_token& t) {
  return w.accounts->remove(t);
}

result<log_level_reply> log_level_of(shared&, const rt::client_call&, const set_log_level& q) {
  const auto level = enum_from_name<log_level>(q.level);
  if (!level)
    return fail(ec::bad_request, "there is no log level '" + q.level.substr(0, 40) + "'",
                "one of trace, debug, info, warn or error");
  config::set_log_level(*level);
  config::log_event("settings.changed", {{"key", "log_level"}, {"value", q.level}});
  return log_level_reply{q.level};
}

rt::kept refused(const error& e) { return {rt::answer::error, pack_map(e)}; }

template <auto F>
rt::kept serve(shared& w, const rt::client_call& call) {
  return [&]<class R, class Q>(R (*f)(shared&, const rt::client_call&, const Q&)) -> rt::kept {
    auto q = body_of<Q>(call);
    if (!q) return refused(q.error());
    auto r = f(w, call, *q);
    return r ? rt::kept{rt::answer::result, pack_map(*r)} : refused(r.error());
  }(F);
}

rt::kept serve_keys(shared& world, const rt::client_call& call) {
  using serve_fn = rt::kept (*)(shared&, const rt::client_call&);
  constexpr handler<serve_fn> all[] = {
      {"agent.token", serve<token>},    {"agent.enrol", serve<enrol>},      {"agent.approve", serve<approve>},
      {"key.add", serve<add>},          {"key.rm", serve<remove>},          {"key.rotate", serve<rotate>},
      {"user.add", serve<add_one>},     {"user.rm", serve<remove_one>},     {"user.passwd", serve<reset>},
      {"token.add", serve<add_secret>}, {"token.rm", serve<remove_secret>}, {"manager.log-level", serve<log_level_of>},
  };
  static constexpr auto by_row = handlers_of<serve_fn>(served_by::keys, all);
  const auto noun = verb_table[call.row].noun();
  if (!world.keys && (noun == "agent" || noun == "key")) return refused(no_keys());
  if (!world.accounts && (noun == "user" || noun == "token")) return refused(no_accounts());
  return by_row[call.row](world, call);
}
}  // namespace

rt::keeper_actor spawn_keeper(caf::actor_system& sys, shared& world, rt::spawn_mode mode) {
  const auto keeps = [w = &world](rt::keeper_actor::pointer self) -> rt::keeper_actor::behavior_type {
    rt::install_defaults(self);
    return {[w](const rt::client_call& call) { return serve_keys(*w, call); }};
  };
  if (mode == rt::spawn_mode::own_thread) return sys.spawn<caf::detached>(keeps);
  return sys.spawn(keeps);
}

}  // namespace zedops::manager
