// The state of the gateway and its handlers; one source file per concern. Private to the gateway.
#pragma once
#include <caf/all.hpp>
#include <map>
#include <unordered_map>

#include "actors/manager/audit/auditor.hpp"
#include "actors/manager/doors/deploy_requests.hpp"
#include "actors/manager/doors/gateway.hpp"
#include "actors/manager/doors/large_requests.hpp"
#include "actors/manager/doors/new_server.hpp"
#include "actors/manager/doors/questions.hpp"
#include "actors/manager/doors/refusal_log.hpp"

namespace zedops::manager {

// One operation on its way to its entity's actor.
struct open_request {
  rt::client_call call;
  msg::request_options options;
  core::request_info who;
  msg::op_kind kind{};
  msg::server_request what;           // of a server
  auditor::record asked;              // null: a dry run
  std::string target;                 // id
  std::vector<std::string> reserved;  // claims chosen for a create that is not durable yet
  int port_choices = 0;
  std::vector<std::string> steps;  // of an adoption: what will be done
  bool by_registry = false;
  caf::actor_clock::time_point deadline{};
  std::optional<caf::actor_clock::time_point> expires;  // its client waits no longer than this
};

struct gateway_state {
  static inline constexpr const char* name = "gateway";
  using request_ptr = std::shared_ptr<open_request>;

  rt::gateway_actor::stateful_pointer<gateway_state> self = nullptr;
  shared* world = nullptr;
  gateway_handles to;
  std::map<uint64_t, request_ptr> open;  // what is in flight lives here, not in closures; oldest first
  std::unordered_map<std::string, uint64_t> by_operation;
  std::unordered_map<std::string, std::vector<rt::client_call>> repeats;  // the same key again, while the first is open
  choices chosen;
  std::unordered_map<std::string, int> by_registry;  // requests on their way through it, by entity
  asking_clients asking;                             // questions to agents, cancellations, large ones that wait
  refusal_log refusals;
  auditor audit;
  large_requests large;
  size_t pieces = 0;  // of uploads, being written
  msg::ordered_ids operation_ids{'o'};
  uint64_t last = 0;

  ~gateway_state();

  // gateway.cpp: incoming requests, and those that are no operation
  void take(rt::client_call& call);
  void turn_away(const rt::client_call& call, const msg::error& e);
  void handle(rt::client_call& call);
  template <class Actor>
  void pass_on(const Actor& whom, rt::client_call& call, std::function<void()> done = {});
  void take_piece(rt::client_call& call);
  void cancel(const rt::client_call& call);

  // gateway_operations.cpp: from a request to an input of its entity's machine
  void operate(const msg::verb_row& row, rt::client_call& call);
  msg::operation_id new_operation();
  bool repeated(const open_request& r, rt::client_call& call);
  void refuse(const open_request& r, const std::string& entity, std::string target_name, const msg::error& e);
  void target(const request_ptr& r);
  void adopt(const request_ptr& r, const msg::adopt_server& a);
  void adopt_seen(const request_ptr& r, rt::host_answer& got);
  void create(const request_ptr& r, const msg::create_server& c);
  void deploy(const request_ptr& r);

  // gateway_answers.cpp: to its actor, and back to the client
  void submit(const request_ptr& r, rt::entity_call call);
  template <class Handle>
  void ask(const Handle& whom, uint64_t n, rt::entity_call call);
  void unanswered(uint64_t n, const std::string& why);
  void give_up_overdue();
  void decided(uint64_t n, rt::entity_reply& reply);
  void settled(const open_request& r, const rt::entity_reply& reply);
  void handle_repeats(const std::string& op);
  msg::operation_reply reply_of(const rt::entity_reply& reply) const;
  template <class F>
  void with_reply(const rt::client_call& call, const rt::entity_reply& reply, F f) const;
  void answer_plan(const rt::client_call& call, const rt::entity_reply& reply);
  void accepted(const rt::client_call& call, const msg::request_options& options, const rt::entity_reply& reply);
};

}  // namespace zedops::manager
