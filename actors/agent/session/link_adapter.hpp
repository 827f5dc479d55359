// Between the bus and the core: bytes in, messages out, and back.
#pragma once
#include <atomic>
#include <memory>

#include "actors/agent/interfaces.hpp"
#include "actors/agent/ports.hpp"
#include "bus/agent_link.hpp"

namespace zedops::agent {

class link_adapter final : public link_port, public bus::agent_link_listener {
 public:
  // The core first, then the link: on_connected may come at once.
  void attach(core_actor core) { core_ = std::move(core); }
  msg::result<void> dial(bus::agent_link_options options);
  void stop(std::chrono::milliseconds deadline);

  bool send(const msg::from_agent& message, uint64_t session) override;
  // See agent_link.
  void also_expect(const std::string& manager_key);
  std::string answered_with() const;

  void on_start(bus::agent_link& link) noexcept override { open_.store(&link); }
  void on_connected() noexcept override;
  void on_refused(bool for_good) noexcept override;
  void on_disconnected() noexcept override;
  void on_message(bus::link_inbound&& message) noexcept override;
  void on_bad_message(const msg::error& reason) noexcept override;

 private:
  core_actor core_;
  std::unique_ptr<bus::agent_link> link_;
  // For the core, which may use a connection before dial() has its link: the link's own thread sets it first.
  std::atomic<bus::agent_link*> open_{nullptr};
};

}  // namespace zedops::agent
