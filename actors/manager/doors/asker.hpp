// A question of a client to agents: what the verbs that agents answer have in common.
#pragma once
#include <caf/all.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "actors/manager/doors/answers.hpp"
#include "actors/manager/doors/questions.hpp"

namespace zedops::manager {

struct asker {
  rt::gateway_actor::pointer self;
  shared& world;
  const rt::hosts_actor& hosts;
  const rt::registry_actor& registry;
  asking_clients& waiting;
  const rt::client_call& call;

  // Until the answer to one question is handled, this client counts as waiting.
  std::function<void()> wait() const { return wait(call.who); }
  std::function<void()> wait(const rt::peer& who) const {
    ++waiting[who];
    return [w = &waiting, key = who, credit = call.credit] {  // holds the client's credit
      if (auto i = w->find(key); i != w->end() && --i->second == 0) w->erase(i);
    };
  }
  void refuse(const msg::error& e) const { answer_error(world, call.who, e); }

  template <class F>
  void ask(const msg::agent_id& agent, msg::to_agent what, F then) const {
    auto again = std::make_shared<F>(std::move(then));
    auto done = wait();
    self->request(hosts, agent_time_max, rt::host_query{agent, std::move(what)})
        .then(
            [again, done](rt::host_answer& a) {
              done();
              (*again)(a);
            },
            [again, done](caf::error&) {
              done();
              rt::host_answer late;
              late.failure = msg::error{msg::ec::timeout, "the agent did not answer in time", "repeat the request", {}};
              (*again)(late);
            });
  }

  std::vector<agent_ptr> agents_named(const std::string& agent, const std::string& server,
                                      std::optional<msg::error>& bad) const {
    if (!server.empty()) {
      auto s = world.records.resolve(server);
      if (!s) bad = s.error();
      else if (auto a = world.records.agent((*s)->agent)) return {a};
      return {};
    }
    if (agent.empty()) return world.records.agents();
    auto a = world.records.resolve_agent(agent);
    if (a) return {*a};
    bad = a.error();
    return {};
  }
};

// questions_strays.cpp
void list_strays(const asker& a);
void remove_stray(const asker& a);

}  // namespace zedops::manager
