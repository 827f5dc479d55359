#include <fmt/format.h>

#include <algorithm>
#include <caf/all.hpp>
#include <charconv>
#include <tuple>

#include "actors/core/access.hpp"
#include "actors/core/overload.hpp"
#include "actors/manager/audit/audit_chain.hpp"
#include "actors/manager/doors/admission.hpp"
#include "actors/manager/doors/answers.hpp"
#include "actors/manager/doors/deploy_views.hpp"
#include "actors/manager/doors/dispatch.hpp"
#include "actors/manager/doors/gateway.hpp"
#include "actors/manager/records/as_of.hpp"
#include "actors/runtime/caf_setup.hpp"
#include "messages/records/condition.hpp"

namespace zedops::manager {
namespace {

using namespace msg;

constexpr uint32_t rows_max = 10'000;

// The text by which a server is sorted; nothing: there is no such order.
std::optional<std::string> sort_key(const shared& w, std::string_view order, const server& s) {
  const auto of_time = [](time_point t) { return fmt::format("{:020}", t.time_since_epoch().count()); };
  if (order == "name") return s.name;
  if (order == "status") return std::string(name_of(s.status));
  if (order == "created") return of_time(s.created_at);
  if (order == "updated") return of_time(s.updated_at);
  if (order != "agent") return std::nullopt;
  const auto a = w.records.agent_ever(s.agent);
  return a ? a->name : std::string{};
}

// Sorts the rows as requested, and leaves out those up to the row `after`.
result<void> sort_servers(const shared& w, std::vector<server_ptr>& rows, std::string_view sort,
                          const std::string& after) {
  const bool backwards = sort.starts_with('-');
  const auto order = sort.substr(backwards ? 1 : 0);
  if (!sort_key(w, order, {}))
    return fail(ec::bad_request, "there is no sort order '" + std::string(sort.substr(0, 40)) + "'",
                "use name, status, agent, created or updated; a - before it reverses the order");
  using keyed = std::pair<std::string, server_ptr>;
  const auto before = [backwards](const keyed& a, const keyed& b) {
    if (a.first != b.first) return (a.first < b.first) != backwards;
    return a.second->id < b.second->id;
  };
  std::vector<keyed> all;
  all.reserve(rows.size());
  for (auto& s : rows) all.emplace_back(*sort_key(w, order, *s), std::move(s));
  if (!after.empty()) {
    const auto last = w.records.server(server_id{after});
    if (!last)
      return fail(ec::not_found, "the server '" + after.substr(0, 40) + "', where the previous page ended, is gone",
                  "begin again with the first page");
    const keyed end{*sort_key(w, order, *last), last};
    std::erase_if(all, [&](const keyed& s) { return !before(end, s); });
  }
  std::ranges::sort(all, before);
  rows.clear();
  for (auto& s : all) rows.push_back(std::move(s.second));
  return {};
}

result<server_list> list(const shared& w, const principal& who, const list_servers& q) {
  agent_id agent;
  if (!q.agent.empty()) {
    auto a = w.records.resolve_agent(q.agent);
    if (!a) return fail(a.error());
    agent = (*a)->id;
  }
  std::optional<server_status> status;
  if (!q.status.empty()) {
    status = enum_from_name<server_status>(q.status);
    if (!status)
      return fail(ec::bad_request, "there is no status '" + q.status + "'",
                  "one of " + states_text(static_cast<status_set>(0x7f)));
  }
  std::optional<condition> wanted;
  if (!q.condition.empty()) {
    wanted = enum_from_name<condition>(q.condition);
    if (!wanted)
      return fail(ec::bad_request, "there is no condition '" + q.condition + "'", "one of " + names_text<condition>());
  }
  std::map<agent_id, agent_status> status_of;
  if (wanted)
    for (const auto& a : w.records.agents()) status_of[a->id] = a->status;
  server_list out;
  const bool all_his = !core::is_scoped(who);
  const uint32_t limit = std::clamp<uint32_t>(q.where.limit, 1, rows_max);
  const bool sorted = !q.sort.empty();
  auto rows = w.records.page(sorted ? std::string{} : q.where.after, sorted ? SIZE_MAX : limit, [&](const server& s) {
    if (!agent.empty() && s.agent != agent) return false;
    if (!all_his && !core::may_see(who, {s.agent, s.id})) return false;
    if (wanted) {
      const auto a = status_of.find(s.agent);
      const auto list = conditions_of(s, a == status_of.end() ? agent_status::pending : a->second);
      if (!holds(list, *wanted)) return false;
    }
    if (status) return s.status == *status;
    if (s.status == server_status::deleted && !q.all) {
      ++out.hidden;
      return false;
    }
    return true;
  });
  if (sorted) {
    if (auto ok = sort_servers(w, rows, q.sort, q.where.after); !ok) return fail(ok.error());
    if (rows.size() > limit) rows.resize(limit);
  }
  out.servers.reserve(rows.size());
  std::map<agent_id, std::pair<agent_ptr, time_point>> seen;  // one lookup per agent, not per row
  size_t bytes = 0;
  for (const auto& s : rows) {
    for (const auto& [key, value] : s->env) bytes += key.size() + value.size();
    if (s->spec) bytes += bytes_of(*s->spec);
    if (bytes > page_bytes_max && !out.servers.empty()) break;
    auto [i, fresh] = seen.try_emplace(s->agent);
    if (fresh) i->second = {w.records.agent(s->agent), w.records.touched(s->agent).last_sync};
    out.servers.push_back(view_in(w, *s, i->second.first.get(), i->second.second));
  }
  const bool more = rows.size() == limit || out.servers.size() < rows.size();
  if (more) out.next = out.servers.back().id.value;
  return out;
}

result<event_page> server_past(const shared& w, const server_history& q) {
  auto s = w.records.resolve(q.server);
  if (!s) return fail(s.error());
  return without_secrets(w, w.history.of_entity((*s)->log_head, q.before, q.limit));
}

result<operation_view> one_operation(const shared& w, const get_operation& q) {
  const operation_id id{q.id};
  auto op = operation_with(w, id);
  if (!op) return fail(op.error());
  if (!*op) return fail(ec::not_found, "there is no operation '" + id.value.substr(0, 40) + "'", "zedctl op ls");
  return view_of(**op);
}

// Where a page of operations ended: "open:1714564800000:o1".
struct op_cursor {
  bool open = false;
  history::place at;
};
std::string op_cursor_text(const op_cursor& c) {
  return std::string(c.open ? "open:" : "ended:") + std::to_string(c.at.started_at.time_since_epoch().count()) + ":" +
         c.at.id;
}
std::optional<op_cursor> parse_op_cursor(std::string_view text) {
  op_cursor c;
  c.open = text.starts_with("open:");
  if (!c.open && !text.starts_with("ended:")) return std::nullopt;
  text.remove_prefix(text.find(':') + 1);
  const auto colon = text.find(':');
  int64_t ms = 0;
  if (colon == std::string_view::npos || colon + 1 == text.size()) return std::nullopt;
  if (auto [end, err] = std::from_chars(text.data(), text.data() + colon, ms);
      err != std::errc{} || end != text.data() + colon)
    return std::nullopt;
  c.at = {time_point{duration{ms}}, std::string(text.substr(colon + 1))};
  return c;
}
bool older(const operation& op, const history::place& than) {
  return std::tie(op.started_at, op.id.value) < std::tie(than.started_at, than.id);
}

result<operation_list> operations(const shared& w, const list_operations& q) {
  std::string target;
  if (!q.server.empty()) {
    auto s = w.records.resolve(q.server);
    if (!s) return fail(s.error());
    target = (*s)->id.value;
  }
  if (!q.status.empty() && !enum_from_name<op_status>(q.status))
    return fail(ec::bad_request, "there is no operation status '" + q.status + "'",
                "one of accepted, running, succeeded, failed or cancelled");
  std::optional<op_cursor> after;
  if (!q.where.after.empty() && !(after = parse_op_cursor(q.where.after)))
    return fail(ec::bad_request, "'" + q.where.after.substr(0, 60) + "' is not a place in the list of operations",
                "give the `next` of the previous page");
  const size_t limit = std::clamp<uint32_t>(q.where.limit, 1, rows_max);
  std::vector<operation> rows;  // those that are open, then those that ended; each newest first
  if (!after || after->open) {
    for (const auto& r : w.records.open_operations()) {
      for (const auto* op : {r.open(), r.waiting()}) {
        if (!op || (!q.status.empty() && name_of(op->status) != q.status)) continue;
        if ((target.empty() || r.id() == target) && (!after || older(*op, after->at))) rows.push_back(*op);
      }
    }
    std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
      return older(b, {a.started_at, a.id.value});
    });
  }
  const size_t open = std::min(rows.size(), limit + 1);
  rows.resize(open);
  if (open <= limit) {
    auto ended = w.history.operations(limit + 1 - open, target, q.status,
                                      after && !after->open ? std::optional(after->at) : std::nullopt);
    if (!ended) return fail(ended.error());
    rows.insert(rows.end(), std::make_move_iterator(ended->begin()), std::make_move_iterator(ended->end()));
  }
  operation_list out;
  size_t bytes = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    for (const auto& c : rows[i].calls) bytes += c.call.size() + c.problem.size();
    if (i == limit || (i > 0 && bytes > page_bytes_max)) {
      out.next = op_cursor_text({i - 1 < open, {rows[i - 1].started_at, rows[i - 1].id.value}});
      break;
    }
    out.operations.push_back(view_of(rows[i]));
  }
  return out;
}

result<event_page> replay(const shared& w, const replay_events& q) {
  uint64_t since = 0;
  if (!q.since.empty()) {
    auto c = parse_cursor(q.since);
    if (!c) return fail(ec::bad_request, "'" + q.since.substr(0, 60) + "' is not a cursor", "a cursor is epoch:seq");
    if (c->epoch == w.history.epoch()) since = std::min(c->seq, w.last_seq.load());
    // Another epoch: the history began anew. All of it is new to this reader, and that is a gap.
    auto page = without_secrets(w, w.history.replay(since, w.last_seq.load(), q));
    if (page && c->epoch != w.history.epoch() && page->gap_from == 0) page->gap_from = page->gap_to = c->seq + 1;
    return page;
  }
  return without_secrets(w, w.history.replay(since, w.last_seq.load(), q));
}

result<manager_status> status(const shared& w, const get_status&) {
  manager_status s;
  s.version = ZEDOPS_VERSION;
  s.manager_id = w.manager_id;
  s.epoch = std::to_string(w.history.epoch());
  s.last_seq = w.last_seq.load();
  s.oldest_seq = w.history.oldest_seq();
  s.term = w.term;
  for (const auto& a : w.records.agents()) {
    ++s.agents;
    if (w.records.agent_online(a->id)) ++s.agents_online;
  }
  const auto n = w.records.count();
  for (const auto& [where, count] : n.by_status) s.servers[std::string(name_of(where))] = count;
  s.operations_open = n.open_operations;
  s.store_bytes = w.store.statistics().file_bytes;
  s.data_dir = w.data_dir;
  s.started_at = msg::shown(w.started_at);
  for (const auto& [name, t] : w.templates) s.templates.push_back(name);
  s.counters = {{"commits", w.commits.load()},
                {"agent_commands", w.commands.load()},
                {"requests_refused", w.refused.load()},
                {"actor_restarts", w.actor_restarts.load()},
                {"journal_entries", w.load.entries.load()},
                {"journal_batch_max", w.load.batch_max.load()},
                {"journal_waiting", w.load.waiting.load()},
                {"commit_microseconds", w.load.commit_us_total.load()},
                {"commit_microseconds_max", w.load.commit_us_max.load()},
                {"clients_waiting", w.load.clients_waiting.load()},
                {"decisions", w.load.decisions.load()},
                {"decision_microseconds", w.load.decision_us_total.load()},
                {"decision_microseconds_max", w.load.decision_us_max.load()},
                {"sweep_late_microseconds_max", w.load.sweep_late_us_max.load()},
                {"queue_gateway", w.load.gateway.now.load()},
                {"queue_gateway_max", w.load.gateway.max.load()},
                {"queue_reader", w.load.reader.now.load()},
                {"queue_reader_max", w.load.reader.max.load()},
                {"queue_agents", w.load.agents.now.load()},
                {"queue_agents_max", w.load.agents.max.load()}};
  if (w.door_counters) s.counters.merge(w.door_counters());
  return s;
}

result<server_view> one_server(const shared& w, const get_server& q) {
  auto s = w.records.resolve(q.server);
  if (!s) return fail(s.error());
  return q.at == never ? view_in(w, *s) : state_at(w, *s, q.at);
}
result<explanation> explain(const shared& w, const explain_server& q) {
  auto s = w.records.resolve(q.server);
  if (!s) return fail(s.error());
  return explained(w, *s);
}
result<agent_list> all_agents(const shared& w, const principal& who, const list_agents&) {
  agent_list out;
  for (const auto& a : w.records.agents())
    if (core::may_see(who, {a->id, {}})) out.agents.push_back(view_in(w, *a));
  return out;
}
result<agent_view> one_agent(const shared& w, const get_agent& q) {
  auto a = w.records.resolve_agent(q.agent);
  if (!a) return fail(a.error());
  return view_in(w, **a);
}

result<key_list> known_keys(const shared& w, const list_keys&) {
  return servers_by_name(w, w.keys ? w.keys->keys() : key_list{}, &key_list::keys);
}
result<user_list> users(const shared& w, const list_users&) {
  return servers_by_name(w, w.accounts ? w.accounts->users() : user_list{}, &user_list::users);
}
result<token_list> tokens(const shared& w, const list_tokens&) {
  return servers_by_name(w, w.accounts ? w.accounts->tokens() : token_list{}, &token_list::tokens);
}
result<template_list> templates(const shared& w, const list_templates&) {
  template_list out;
  for (const auto& [name, t] : w.templates) {
    template_view v{name,           t.description,   t.image,      t.image_tag, t.env,
                    t.env_required, t.env_immutable, t.env_secret, {}};
    for (const auto role : {port_role::game, port_role::udp, port_role::rcon})
      if (plan_of(t, role).rule != port_rule::none) v.ports.push_back(role);
    for (const auto& key : t.env_secret)
      if (auto i = v.env.find(key); i != v.env.end()) i->second.clear();
    out.templates.push_back(std::move(v));
  }
  return out;
}
constexpr duration live_every{2'000}, live_lasting{20'000};

result<usage_reply> used(const shared& w, const std::string& entity, std::string name, duration last) {
  if (!w.usage) return fail(ec::wrong_state, "this manager does not record usage", "set usage_interval");
  const auto& tier = usage_book::tier_for(last);
  auto points = w.usage->points(entity, tier, last, w.clock.now());
  if (!points) return fail(points.error());
  return usage_reply{std::move(name), &tier == &usage_tiers.front() ? w.rules().usage_interval : tier.every,
                     std::move(*points)};
}

result<metrics_reply> metrics(const shared& w, const get_metrics&) { return metrics_reply{w.figures.text(w)}; }
result<audit_page> audited(const shared& w, const list_audit& q) { return audit_page_of(w.store, q); }
result<audit_verdict> verify(const shared& w, const verify_audit& q) { return verified(w.store, q); }

struct reader_state {
  static inline constexpr const char* name = "reader";
  rt::gateway_actor::pointer self = nullptr;
  shared* world = nullptr;
  reader_handles to;

  void read(const rt::client_call& call) {
    if (auto ok = admit(*world, call); !ok) return answer_error(*world, call.who, ok.error());
    (this->*by_row()[call.row])(call);
  }

 private:
  using serve = void (reader_state::*)(const rt::client_call&);
  template <auto F>
  void look(const rt::client_call& call) {
    look_with(F, call);
  }
  template <class R, class Q>
  void look_with(R (*f)(const shared&, const Q&), const rt::client_call& call) {
    auto q = body_of<Q>(call);
    if (!q) answer_error(*world, call.who, q.error());
    else answer_either(*world, call.who, f(*world, *q));
  }
  // A list that shows each caller what that caller may see.
  template <class R, class Q>
  void look_with(R (*f)(const shared&, const principal&, const Q&), const rt::client_call& call) {
    auto q = body_of<Q>(call);
    if (!q) answer_error(*world, call.who, q.error());
    else answer_either(*world, call.who, f(*world, *call.by, *q));
  }
  void wait(const rt::client_call& call) {
    auto q = body_of<wait_operation>(call);
    if (!q) return answer_error(*world, call.who, q.error());
    self->send(to.hub, rt::watch_operation{operation_id{q->id}, call.who, true});
  }
  void usage_of_server(const rt::client_call& call) {
    auto q = body_of<server_usage>(call);
    if (!q) return answer_error(*world, call.who, q.error());
    auto s = world->records.resolve(q->server);
    if (!s) return answer_error(*world, call.who, s.error());
    if (q->live) look_closely((*s)->agent, {(*s)->id});
    answer_either(*world, call.who, used(*world, (*s)->id.value, (*s)->name, q->last));
  }
  void usage_of_agent(const rt::client_call& call) {
    auto q = body_of<agent_usage>(call);
    if (!q) return answer_error(*world, call.who, q.error());
    auto a = world->records.resolve_agent(q->agent);
    if (!a) return answer_error(*world, call.who, a.error());
    if (q->live) look_closely((*a)->id, {});
    answer_either(*world, call.who, used(*world, (*a)->id.value, (*a)->name, q->last));
  }
  // An older agent would not understand the message.
  void look_closely(const agent_id& agent, std::vector<server_id> servers) {
    if (world->usage && world->usage->tells(agent))
      self->send(to.hosts, rt::to_host{agent, watch_usage{std::move(servers), live_every, live_lasting}});
  }
  static const std::array<serve, verb_table.size()>& by_row() {
    using self_t = reader_state;
    constexpr handler<serve> all[] = {
        {"server.ls", &self_t::look<list>},
        {"server.get", &self_t::look<one_server>},
        {"server.history", &self_t::look<server_past>},
        {"server.explain", &self_t::look<explain>},
        {"server.usage", &self_t::usage_of_server},
        {"agent.usage", &self_t::usage_of_agent},
        {"agent.ls", &self_t::look<all_agents>},
        {"agent.get", &self_t::look<one_agent>},
        {"project.ls", &self_t::look<list_of_projects>},
        {"project.get", &self_t::look<project_of>},
        {"service.ls", &self_t::look<list_of_services>},
        {"service.get", &self_t::look<service_of>},
        {"service.history", &self_t::look<past_of_service>},
        {"deployment.ls", &self_t::look<list_of_deployments>},
        {"deployment.get", &self_t::look<deployment_of>},
        {"op.ls", &self_t::look<operations>},
        {"op.get", &self_t::look<one_operation>},
        {"op.wait", &self_t::wait},
        {"event.replay", &self_t::look<replay>},
        {"key.ls", &self_t::look<known_keys>},
        {"user.ls", &self_t::look<users>},
        {"token.ls", &self_t::look<tokens>},
        {"metrics", &self_t::look<metrics>},
        {"template.ls", &self_t::look<templates>},
        {"audit.ls", &self_t::look<audited>},
        {"audit.verify", &self_t::look<verify>},
        {"status", &self_t::look<status>},
    };
    static constexpr auto out = handlers_of<serve>(served_by::records, all);
    return out;
  }
};

}  // namespace

rt::gateway_actor spawn_reader(caf::actor_system& sys, shared& world, reader_handles to, rt::spawn_mode mode) {
  const auto reads = [w = &world,
                      to](rt::gateway_actor::stateful_pointer<reader_state> self) -> rt::gateway_actor::behavior_type {
    rt::install_defaults(self);
    self->state.self = self;
    self->state.world = w;
    self->state.to = to;
    return {[self](const rt::client_call& call) {
      load_gauges::out(self->state.world->load.reader);
      self->state.read(call);
    }};
  };
  // A page of history takes a tenth of a second and more: on a thread of its own no timer waits behind it.
  if (mode == rt::spawn_mode::own_thread) return sys.spawn<caf::detached>(reads);
  return sys.spawn(reads);
}

}  // namespace zedops::manager
