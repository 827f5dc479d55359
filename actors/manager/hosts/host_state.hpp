// The state of a host actor and its handlers; one source file per concern. Private to the manager.
#pragma once
#include <caf/all.hpp>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "actors/core/agent/agent_session.hpp"
#include "actors/core/deploy/service_machine.hpp"
#include "actors/manager/hosts/host.hpp"
#include "actors/manager/hosts/host_incidents.hpp"
#include "actors/manager/hosts/host_sync.hpp"

namespace zedops::manager {

struct host_state {
  static inline constexpr const char* name = "host";
  using promise = caf::typed_response_promise<rt::host_answer>;
  struct query {
    promise answer;
    core::steady_time deadline{};
  };
  struct queued_commit {
    std::vector<msg::fact> facts;
    msg::cause why;
    std::function<void(bool)> then;
  };

  rt::host_actor::stateful_pointer<host_state> self = nullptr;
  shared* world = nullptr;
  host_handles to;
  msg::agent_id id;
  core::agent_session session{{}};  // who is connected and alive; see core/agent_session.hpp
  bool raising = false;             // the term is being raised above what this agent has obeyed
  core::steady_time touched{};
  std::string next_key;  // of the manager, as the agent has kept it
  uint64_t requests = 0;
  std::map<uint64_t, query> queries;
  std::deque<queued_commit> commits;  // the first is at the journal
  sync_run sync;                      // see host_sync.hpp
  intake taking;                      // see host_incidents.hpp

  ~host_state();

  agent_ptr record() const { return world->records.agent(id); }
  core::steady_time now() const { return self->clock().now(); }
  msg::time_point wall() const { return world->clock.now(); }

  // host.cpp: messages of the agent, commits
  void on_said(rt::agent_said& said);
  void heard(const std::string& routing_id, const msg::from_agent& what);
  void forward(const msg::server_id& server, core::input what);
  void forward(const msg::service_id& service, core::service_input what);
  void on_fetch(msg::fetch_upload f);
  void commit(std::vector<msg::fact> facts, msg::cause why, std::function<void(bool)> then);
  void next_commit();
  void note(msg::fact f, msg::cause_kind kind);
  void tick();
  void on_incidents(std::vector<msg::incident> list);
  void on_usage(msg::usage u);
  void kept(uint64_t first, bool settled);

  // host_session.cpp: the effects of the session's machine
  void take(core::session_input in);
  void on_hello(const std::string& routing_id, msg::hello h);
  void on_declined(const std::string& routing_id, const msg::welcome_refused& m);
  void touch(msg::duration silent);  // what does not justify a commit
  void carry_out(core::session_effect& e);
  void write_status(std::vector<msg::fact> facts, msg::cause why);
  void write_arrival(const msg::hello& h);
  void welcome(const core::send_welcome& to_whom);
  msg::known_server known(const msg::server& s) const;  // as its agent gets to know it
  void begin_session();
  void end_session(std::string_view why);
  void send(const std::string& routing_id, uint64_t number, const msg::to_agent& what);
  void send(const msg::to_agent& what);

  // host_sync.cpp
  void sync_if_due();
  void start_sync();
  void ask_for_inventory();
  void on_inventory(msg::inventory& inv);
  void merge(msg::inventory& inv);
  void on_recover(const std::string& actor, caf::typed_response_promise<rt::host_answer> p);
  void look_after(const std::vector<msg::server_id>& servers);
  void settled(uint64_t run, const std::string& server, bool changed);
  void finish_sync();

  // host_queries.cpp
  caf::result<rt::host_answer> on_query(rt::host_query& q);
  caf::result<rt::host_answer> on_forget(bool lost);
  void on_data(msg::data_answer& m);
  void expire_queries();
  void answer_queries(const rt::host_answer& a);
  template <class T>
  void answer(uint64_t request, T&& what) {
    auto i = queries.find(request);
    if (i == queries.end()) return;
    rt::host_answer a;
    a.what = std::forward<T>(what);
    i->second.answer.deliver(std::move(a));
    queries.erase(i);
  }
};

}  // namespace zedops::manager
