#include "actors/manager/doors/questions.hpp"

#include <caf/all.hpp>
#include <set>

#include "actors/core/deploy/service_machine.hpp"
#include "actors/core/plan/blueprint.hpp"
#include "actors/core/plan/claims.hpp"
#include "actors/manager/doors/admission.hpp"
#include "actors/manager/doors/asker.hpp"
#include "actors/manager/doors/deploy_views.hpp"
#include "actors/manager/doors/dispatch.hpp"

namespace zedops::manager {
namespace {

using namespace msg;
using rt::host_answer;

constexpr size_t given_up_named_max = 1'000;  // servers that a plan names

struct client_question : asker {
  void strays() const { list_strays(*this); }
  void stray_goes() const {
    if (world.records.knows_all_services()) return remove_stray(*this);
    refuse({ec::wrong_state,
            "records of services are damaged, so this container may be one of theirs",
            "restore a backup of the store: zedctl store restore",
            {}});
  }

  void sync() const {
    auto q = body_of<sync_agents>(call);
    if (!q) return refuse(q.error());
    std::optional<error> bad;
    auto agents = agents_named(q->agent, q->server, bad);
    if (bad) return refuse(*bad);
    auto reply = std::make_shared<sync_reply>();
    if (agents.empty()) return answer_result(call.who, *reply);
    auto left = std::make_shared<size_t>(agents.size());
    for (const auto& a : agents)
      ask(a->id, sync_query{}, [=, w = &world, who = call.who, name = a->name](host_answer& got) {
        auto row = got.sync;
        row.agent = name;
        if (got.failure) row.failure = got.failure;
        reply->agents.push_back(std::move(row));
        if (--*left == 0) answer_result(who, *reply);
      });
  }

  core::plan_context plan_context(const agent& a) const { return {world.manager_id, a.name, {}}; }

  void check_data() const {
    auto q = body_of<msg::check_data>(call);
    if (!q) return refuse(q.error());
    if (q->servers.size() > data_asked_max)
      return refuse({ec::too_large,
                     std::to_string(q->servers.size()) + " servers in one request are too many",
                     "name at most " + std::to_string(data_asked_max) + ", and the rest in another request",
                     {}});
    std::vector<server_ptr> servers;
    std::set<server_id> once;
    if (q->servers.empty()) {
      for (const auto& a : world.records.agents())
        if (world.records.agent_online(a->id))
          for (auto& s : world.records.servers_of(a->id)) servers.push_back(std::move(s));
    }
    for (const auto& name : q->servers) {
      auto s = world.records.resolve(name);
      if (!s) return refuse(s.error());
      if (once.insert((*s)->id).second) servers.push_back(*s);
    }
    if (servers.size() > data_asked_max)
      return refuse({ec::too_large,
                     std::to_string(servers.size()) + " servers in one request are too many",
                     "name at most " + std::to_string(data_asked_max) + " of them at a time",
                     {}});
    std::map<agent_id, std::vector<data_query>> questions;
    for (const auto& s : servers) {
      auto a = world.records.agent(s->agent);
      if (!a) continue;
      auto& list = questions[s->agent];
      if (list.empty() || list.back().servers.size() >= data_servers_max) list.push_back({0, {}, q->sizes, {}});
      list.back().servers.push_back(core::known_for(*s, world.find_template(s->template_name), plan_context(*a)));
    }
    if (!q->space_at.empty() && !servers.empty())
      if (auto first = questions.find(servers.front()->agent); first != questions.end())
        first->second.front().space_at = q->space_at;
    auto reply = std::make_shared<data_reply>();
    size_t count = 0;
    for (const auto& [id, list] : questions) count += list.size();
    if (count == 0) return answer_result(call.who, *reply);
    auto left = std::make_shared<size_t>(count);
    auto failed = std::make_shared<std::optional<error>>();
    for (auto& [id, list] : questions)
      for (auto& question : list)
        ask(id, std::move(question), [=, w = &world, who = call.who](host_answer& got) {
          if (got.failure) *failed = got.failure;
          if (auto* d = got.what ? std::get_if<data_answer>(&*got.what) : nullptr) {
            if (d->failure) *failed = d->failure;
            if (d->space_free) reply->space_free = d->space_free;
            for (auto& row : d->rows) reply->servers.push_back(name_row(*w, std::move(row)));
          }
          if (--*left > 0) return;
          if (reply->servers.empty() && *failed) answer_error(*w, who, **failed);
          else answer_result(who, *reply);
        });
  }
  static data_row name_row(const shared& w, data_row row) {
    if (auto s = w.records.server(row.id)) {
      row.name = s->name;
      if (auto a = w.records.agent(s->agent)) row.agent = a->name;
    }
    return row;
  }

  void check_layer() const {
    auto q = body_of<msg::check_layer>(call);
    if (!q) return refuse(q.error());
    auto s = world.records.resolve(q->server);
    if (!s) return refuse(s.error());
    if ((*s)->container_id.empty()) return answer_result(call.who, layer_reply{});
    ask((*s)->agent, layer_query{0, (*s)->container_id}, [w = &world, who = call.who](host_answer& got) {
      auto* seen = got.what ? std::get_if<layer_answer>(&*got.what) : nullptr;
      if (got.failure) return answer_error(*w, who, *got.failure);
      if (!seen) return answer_error(*w, who, {ec::internal, "the agent's answer does not fit the question", "", {}});
      if (seen->failure) return answer_error(*w, who, *seen->failure);
      answer_result(who, seen->seen);
    });
  }

  // Reservations are known here; containers and processes only to the host.
  void check_ports() const {
    auto q = body_of<msg::check_ports>(call);
    if (!q) return refuse(q.error());
    auto a = world.records.resolve_agent(q->agent);
    if (!a) return refuse(a.error());
    if (q->ports.empty() || q->ports.size() > ports_asked_max)
      return refuse({ec::bad_request,
                     "name between 1 and " + std::to_string(ports_asked_max) + " ports",
                     "zedctl port check --agent A 16261/udp 27015/tcp",
                     {}});
    auto reply = std::make_shared<ports_reply>();
    reply->agent = (*a)->name;
    for (const auto& p : q->ports) {
      if (p.number == 0) return refuse({ec::bad_request, "0 is not a port", "ports are 1 to 65535", {}});
      port_row row{p.number, p.proto, port_owner::free, {}};
      if (auto s = world.records.claim_owner(core::port_claim((*a)->id, p.proto, p.number)).as<server>()) {
        row.taken_by = port_owner::server;
        row.detail = "reserved by server " + s->name + " (" + std::string(name_of(s->status)) + ")";
      }
      reply->ports.push_back(std::move(row));
    }
    ask((*a)->id, port_query{0, q->ports}, [=, w = &world, who = call.who](host_answer& got) {
      auto* seen = got.what ? std::get_if<port_answer>(&*got.what) : nullptr;
      reply->host_checked = seen && !seen->failure && seen->host_checked;
      if (seen)
        for (size_t i = 0; i < seen->rows.size() && i < reply->ports.size(); ++i)
          if (reply->ports[i].taken_by == port_owner::free) {
            reply->ports[i].taken_by = seen->rows[i].taken_by;
            reply->ports[i].detail = seen->rows[i].detail;
          }
      answer_result(who, *reply);
    });
  }

  // Candidates free of reservations are checked by the host; those it finds taken are left out and others tried.
  void suggest() const {
    auto q = body_of<suggest_ports>(call);
    if (!q) return refuse(q.error());
    auto a = world.records.resolve_agent(q->agent);
    if (!a) return refuse(a.error());
    const auto* t = world.find_template(q->template_name);
    if (!t)
      return refuse(
          {ec::bad_request, "there is no template '" + q->template_name + "'", "zedctl status lists them", {}});
    suggest_from(*a, *t, std::clamp<uint32_t>(q->count, 1, 10), std::make_shared<std::set<std::string>>(), 8);
  }
  void suggest_from(const agent_ptr& a, const server_template& t, uint32_t count,
                    std::shared_ptr<std::set<std::string>> busy, int rounds) const {
    auto reply = std::make_shared<suggest_reply>();
    reply->agent = a->name;
    auto asked = std::make_shared<std::vector<port_ref>>();
    std::set<std::string> mine;
    for (uint32_t n = 0; n < count; ++n) {
      auto ports = core::choose_ports(t, {}, [&](protocol proto, uint16_t number) {
        const auto key = core::port_claim(a->id, proto, number);
        return busy->contains(key) || mine.contains(key) || world.records.claim_owner(key);
      });
      if (!ports) {
        if (n > 0) break;
        return refuse(ports.error());
      }
      port_suggestion s;
      for (const auto& p : *ports) {
        mine.insert(core::port_claim(a->id, p.proto, p.number));
        asked->push_back({p.number, p.proto});
        if (p.role == port_role::game) s.game_port = p.number;
        if (p.role == port_role::udp) s.udp_port = p.number;
        if (p.role == port_role::rcon) s.rcon_port = p.number;
      }
      reply->suggestions.push_back(s);
    }
    auto kept = std::make_shared<rt::client_call>(call);
    auto handle = hosts;
    auto owners = registry;
    ask(a->id, port_query{0, *asked}, [=, w = &world, s = self, tpl = &t, all = &waiting](host_answer& got) {
      auto* seen = got.what ? std::get_if<port_answer>(&*got.what) : nullptr;
      bool clash = false;
      if (seen)
        for (size_t i = 0; i < seen->rows.size() && i < asked->size(); ++i)
          if (seen->rows[i].taken_by != port_owner::free && seen->rows[i].taken_by != port_owner::unknown) {
            busy->insert(core::port_claim(a->id, (*asked)[i].proto, (*asked)[i].number));
            clash = true;
          }
      if (!clash || rounds == 0) return answer_result(kept->who, *reply);
      client_question{{s, *w, handle, owners, *all, *kept}}.suggest_from(a, *tpl, count, busy, rounds - 1);
    });
  }

  void logs() const {
    auto q = body_of<server_logs>(call);
    if (!q) return refuse(q.error());
    auto s = world.records.resolve(q->server);
    if (!s) return refuse(s.error());
    if ((*s)->container_id.empty())
      return refuse({ec::wrong_state,
                     (*s)->name + " has no container, so there is no log",
                     "zedctl server history " + (*s)->name,
                     {}});
    logs_query query;
    query.container_id = (*s)->container_id;
    lines_of((*s)->agent, std::move(query), *q);
  }
  void logs_of_service() const {
    auto q = body_of<service_logs>(call);
    if (!q) return refuse(q.error());
    auto s = world.records.resolve_service(q->service);
    if (!s) return refuse(s.error());
    const auto* d = core::find_deployment(**s, (*s)->current);
    const auto container = d ? d->proof.find("container") : decltype(d->proof.end()){};
    if ((*s)->kind != service_kind::container || !d || container == d->proof.end())
      return refuse({ec::wrong_state,
                     q->service + " has no container of its own, so there is no log",
                     "what its deployments wrote: zedctl deploy logs " + q->service,
                     {}});
    logs_query query;
    query.container_id = container->second;
    query.service = (*s)->id;
    query.number = d->number;
    lines_of((*s)->agent, std::move(query), *q);
  }
  void logs_of_deployment() const {
    auto q = body_of<deployment_logs>(call);
    if (!q) return refuse(q.error());
    auto d = deployment_of(world, {q->deployment});
    if (!d) return refuse(d.error());
    auto s = world.records.resolve_service(d->service);
    if (!s) return refuse(s.error());
    logs_query query;
    query.deployment = d->service + "/" + std::to_string(d->number);
    lines_of((*s)->agent, std::move(query), *q);
  }
  template <class Query>
  void lines_of(const agent_id& agent, logs_query of, const Query& q) const {
    of.tail = std::clamp<uint32_t>(q.tail, 1, 10'000);
    of.since = q.since;
    of.hold = std::clamp(q.hold, duration{}, logs_hold_max);
    ask(agent, std::move(of), [w = &world, who = call.who](host_answer& got) {
      auto* lines = got.what ? std::get_if<logs_answer>(&*got.what) : nullptr;
      if (got.failure) return answer_error(*w, who, *got.failure);
      if (!lines) return answer_error(*w, who, {ec::internal, "the agent's answer does not fit the question", "", {}});
      if (lines->failure) return answer_error(*w, who, *lines->failure);
      logs_reply r;
      r.lines = std::move(lines->lines);
      r.cut = lines->cut;
      answer_result(who, r);
    });
  }

  // Asks an agent's actor to do something; `then` answers when it was done.
  template <class Message, class F>
  void tell_host(const rt::peer& who, Message m, F then) const {
    auto done = wait(who);  // `call` may be gone by now
    self->request(hosts, agent_time_max, std::move(m))
        .then(
            [w = &world, who, done, then](host_answer& got) {
              done();
              if (got.failure) answer_error(*w, who, *got.failure);
              else then();
            },
            [w = &world, who, done](caf::error&) {
              done();
              answer_error(*w, who, {ec::internal, "the agent's actor did not answer", "repeat it", {}});
            });
  }

  // Its host is lost for good: every server on it is purged without its agent, then the agent is forgotten. Open
  // operations of its services end then; the services stay until a user removes them.
  void give_up() const {
    auto q = body_of<msg::forget_agent>(call);
    if (!q) return refuse(q.error());
    auto a = world.records.resolve_agent(q->agent);
    if (!a) return refuse(a.error());
    const auto& name = (*a)->name;
    if (!q->lost)
      return refuse({ec::bad_request,
                     "an agent can be given up with its servers only when its host is lost for good",
                     "confirm that with --lost; an agent that comes back keeps everything",
                     {}});
    if (is_connected((*a)->status))
      return refuse({ec::wrong_state,
                     "agent " + name + " is connected: its host is not lost",
                     "purge its servers one by one, then: zedctl agent rm " + name,
                     {}});
    const auto servers = world.records.servers_of((*a)->id);
    auto reply = std::make_shared<forget_reply>();
    reply->agent = view_of(**a);
    reply->servers = servers.size();
    for (const auto& s : servers) {
      reply->operations += s->op ? 1 : 0;
      if (reply->plan.size() < given_up_named_max) reply->plan.push_back(fate_of(*s));
    }
    auto options = options_of(call);
    if (!options) return refuse(options.error());
    if (options->dry_run) return answer_result(call.who, *reply);
    if (q->confirm != name)
      return refuse(
          {ec::bad_request, "giving up an agent must be confirmed by its name", "set confirm to " + name, {}});
    auto left = std::make_shared<size_t>(servers.size());
    auto failed = std::make_shared<std::optional<error>>();
    const auto end = [*this, who = call.who, id = (*a)->id, reply, failed, done = wait()] {
      done();
      if (*failed) return answer_error(world, who, **failed);
      drop(who, id, reply);
    };
    if (servers.empty()) return end();
    for (const auto& s : servers)
      self->request(registry, caf::infinite, rt::entity_call{s->id, core::given_up{options->actor, name}})
          .then(
              [left, failed, end](rt::entity_reply& r) {
                if (r.failure) *failed = r.failure;
                if (--*left == 0) end();
              },
              [left, failed, end](caf::error&) {
                *failed = error{ec::internal, "a server's actor did not answer", "repeat it", {}};
                if (--*left == 0) end();
              });
  }
  static std::string fate_of(const server& s) {
    auto out = s.name + " (" + std::string(name_of(s.status)) + "): its record is removed; data in " + s.data_path +
               "/" + s.name;
    return s.op ? out + "; " + std::string(row_of(s.op->kind).word()) + " " + s.op->id.value + " ends as failed" : out;
  }
  void drop(const rt::peer& who, const agent_id& id, const std::shared_ptr<forget_reply>& reply) const {
    tell_host(who, rt::forget_agent{id, true}, [w = &world, owners = registry, who, id, reply] {
      for (const auto& s : w->records.services_of(id))
        if (s->op) caf::anon_send(owners, rt::entity_call{s->id.value, std::any(core::service_input(core::tick{}))});
      answer_result(who, *reply);
    });
  }

  void recover() const {
    auto q = body_of<recover_agent>(call);
    if (!q) return refuse(q.error());
    auto a = world.records.resolve_agent(q->agent);
    if (!a) return refuse(a.error());
    auto options = options_of(call);
    if (!options) return refuse(options.error());
    tell_host(call.who, rt::release_recovery{(*a)->id, options->actor}, [w = &world, who = call.who, id = (*a)->id] {
      auto now = w->records.agent(id);
      answer_result(who, now ? view_of(*now) : agent_view{});
    });
  }

  void forget() const {
    auto q = body_of<remove_agent>(call);
    if (!q) return refuse(q.error());
    auto a = world.records.resolve_agent(q->agent);
    if (!a) return refuse(a.error());
    if (!q->confirm)
      return refuse({ec::bad_request, "removing an agent must be confirmed", "set confirm, or give --yes", {}});
    tell_host(call.who, rt::forget_agent{(*a)->id},
              [w = &world, who = call.who, a = *a] { answer_result(who, view_of(*a)); });
  }
};

}  // namespace

void ask_agents(rt::gateway_actor::pointer self, shared& world, const rt::hosts_actor& hosts,
                const rt::registry_actor& registry, asking_clients& waiting, const rt::client_call& call) {
  using serve = void (client_question::*)() const;
  constexpr handler<serve> list[] = {
      {"server.sync", &client_question::sync},
      {"server.check-data", &client_question::check_data},
      {"server.check-layer", &client_question::check_layer},
      {"server.logs", &client_question::logs},
      {"service.logs", &client_question::logs_of_service},
      {"deployment.logs", &client_question::logs_of_deployment},
      {"stray.ls", &client_question::strays},
      {"stray.rm", &client_question::stray_goes},
      {"port.check", &client_question::check_ports},
      {"port.suggest", &client_question::suggest},
      {"agent.rm", &client_question::forget},
      {"agent.forget", &client_question::give_up},
      {"agent.recover", &client_question::recover},
  };
  static constexpr auto by_row = handlers_of<serve>(served_by::agent, list);
  const client_question a{{self, world, hosts, registry, waiting, call}};
  (a.*by_row[call.row])();
}

}  // namespace zedops::manager
