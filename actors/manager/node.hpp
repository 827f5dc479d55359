// All actors of one manager, started and ended in order.
#pragma once
#include <functional>
#include <memory>

#include "actors/manager/deps.hpp"
#include "actors/manager/doors/caller_limits.hpp"
#include "actors/runtime/caf_setup.hpp"

namespace zedops::manager {

inline constexpr auto stop_time_max = std::chrono::seconds(10);

class node {
 public:
  // `on_core_lost` is called, on any thread, when an actor that cannot be replaced in place has ended by itself: the
  // process then stops in an orderly way and its supervisor starts it again.
  // `drive`, if given, runs the actors wherever stop() would wait for them: simulations have no other thread that
  // could.
  node(caf::actor_system& sys, shared& world, rt::spawn_mode threads, std::function<void(std::string)> on_core_lost,
       std::function<void()> drive = {});
  ~node();

  // From doors; thread-safe.
  void request(rt::client_call call);
  void said(rt::agent_said what);
  void lost(rt::peer_lost what);         // an agent's connection
  void client_lost(rt::peer_lost what);  // one that waited for an answer, or followed events
  void follow(rt::follow_events what);   // until the client is lost, or too slow

  const catalog& records() const { return world_.records; }
  // Asks an entity's actor, starting it if need be: for whatever is no request of a client.
  rt::registry_actor registry() const;

  // Records in the audit what does not pass the gate, such as signing in. Blocks until it is stored; false: it was not.
  bool keep(msg::audit_record what);

  // No new work, then servers and hosts, then the journal with all it holds. Blocks.
  void stop();

 private:
  struct handles;
  void count_in(queue_gauge& queue, const char* name);

  caf::actor_system& sys_;
  shared& world_;
  std::function<void()> drive_;
  std::unique_ptr<handles> to_;
  caller_limits limits_;
};

}  // namespace zedops::manager
