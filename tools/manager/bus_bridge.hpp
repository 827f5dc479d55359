// Between the bus and the actors: frames become messages, answers become frames.
#pragma once
#include <atomic>
#include <map>
#include <memory>

#include "actors/manager/node.hpp"
#include "actors/runtime/ports.hpp"
#include "bus/server_bus.hpp"
#include "tools/manager/known_keys.hpp"

namespace zedops::app {

class bus_bridge final : public bus::server_bus_listener,
                         public rt::door,
                         public rt::agent_port,
                         public rt::event_port {
 public:
  bus_bridge(uint64_t epoch, known_keys& keys) : epoch_(epoch), keys_(keys) {}

  // Keys for endpoints on the network, if there are any: the manager's own, made at the first start, and those that are
  // admitted. Errors: those of the key file.
  msg::result<void> let_in(bus::server_bus_options& options);
  // Binds the endpoints; from now on requests flow into `to`, which must outlive the bus.
  msg::result<void> open(bus::server_bus_options options, manager::node& to);
  // No more requests; what is queued for peers is sent until the deadline.
  void close(std::chrono::milliseconds deadline);

  bool reply(const rt::peer& to, rt::answer kind, std::string body) override;
  bool send(const std::string& routing_id, uint64_t session, const msg::to_agent& message) override;
  bool publish(rt::public_event e) override;
  std::map<std::string, uint64_t> counters() const;  // of the bus, for the manager's status
  bool watched() const override;
  bool publish_if_watched(uint64_t last_seq, size_t count,
                          std::function<std::vector<rt::public_event>()> make) override;

  void on_start(bus::server_bus& bus) noexcept override { open_.store(&bus); }
  void on_request(bus::client_request&& request) noexcept override;
  void on_agent_message(bus::agent_inbound&& message) noexcept override;
  void on_bad_message(const bus::bad_message& bad) noexcept override;
  void on_unreachable(bus::door to, const std::string& routing_id) noexcept override;
  void on_slow(bus::door to, const std::string& routing_id) noexcept override;

 private:
  std::shared_ptr<const msg::principal> who_is(const bus::client_request& request);
  std::shared_ptr<const msg::principal> local_user(const std::string& address);
  bus::admission speaks_for(const std::string& key, const msg::from_agent& what);

  const uint64_t epoch_;
  known_keys& keys_;
  std::atomic<manager::node*> node_{nullptr};
  std::unique_ptr<bus::server_bus> bus_;
  std::map<std::string, std::shared_ptr<const msg::principal>> local_;  // by user id; on the bus thread
  std::atomic<bus::server_bus*> open_{nullptr};  // set before the first message is read, so that each can be answered
};

}  // namespace zedops::app
