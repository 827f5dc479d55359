// Questions that clients have for an agent, and how it is forgotten.
#include "actors/manager/hosts/host_state.hpp"

namespace zedops::manager {

using namespace msg;
using rt::host_answer;

caf::result<host_answer> host_state::on_query(rt::host_query& q) {
  auto p = self->make_response_promise<host_answer>();
  if (!session.online()) {
    p.deliver(away());
    return p;
  }
  if (std::holds_alternative<sync_query>(q.what)) {
    if (sync.gate.running()) {
      sync.gate.begin();  // books the follow-up
      sync.next.push_back(p);
    } else {
      sync.waiting.push_back(p);
      start_sync();
    }
    return p;
  }
  if (queries.size() >= queries_open_max) {
    host_answer full;
    full.failure = error{ec::rate_limited, "too many questions to this agent are open", "repeat it in a moment", {}};
    p.deliver(std::move(full));
    return p;
  }
  const auto n = ++requests;
  const auto give_number = [n](auto& x) {
    if constexpr (requires { x.request; }) x.request = n;
  };
  std::visit(give_number, q.what);
  queries[n] = {p, now() + query_time_max};
  send(q.what);
  return p;
}

void host_state::on_data(data_answer& m) {
  for (const auto& row : m.rows)  // the records learn it, too
    forward(row.id, core::data_seen{row.state, row.bytes, row.problem});
  answer(m.request, std::move(m));
}

void host_state::expire_queries() {
  const auto t = now();
  for (auto i = queries.begin(); i != queries.end();) {
    if (i->second.deadline > t) {
      ++i;
      continue;
    }
    host_answer late;
    late.failure = error{ec::timeout, "the agent did not answer in time", "repeat the request", {}};
    i->second.answer.deliver(std::move(late));
    i = queries.erase(i);
  }
}

void host_state::answer_queries(const host_answer& a) {
  for (auto& [n, q] : queries) q.answer.deliver(a);
  queries.clear();
}

caf::result<host_answer> host_state::on_forget(bool lost) {
  auto p = self->make_response_promise<host_answer>();
  host_answer a;
  if (auto servers = world->records.servers_of(id); !servers.empty())
    a.failure = error{ec::wrong_state,
                      "this agent still has " + std::to_string(servers.size()) + " servers",
                      "purge them first: zedctl server ls --all --agent " + (record() ? record()->name : id.value),
                      {}};
  else if (auto services = world->records.services_of(id); !services.empty() && !lost)
    a.failure = error{ec::wrong_state,
                      "this agent still serves " + std::to_string(services.size()) + " services",
                      "remove them first: zedctl service ls",
                      {}};
  else if (session.online())
    a.failure = error{ec::wrong_state, "this agent is connected", "stop it on its host first", {}};
  if (a.failure) {
    p.deliver(std::move(a));
    return p;
  }
  auto r = record();
  commit({agent_removed{r ? r->name : id.value, lost}}, {cause_kind::request, {}, {}}, [this, p](bool ok) mutable {
    host_answer done;
    if (!ok) done.failure = error{ec::internal, "the journal refused", "repeat the request", {}};
    p.deliver(std::move(done));
    if (ok) self->quit();
  });
  return p;
}

}  // namespace zedops::manager
