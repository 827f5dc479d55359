#include "actors/agent/session/link_adapter.hpp"

#include <caf/all.hpp>

#include "config/logging/logging.hpp"
#include "messages/wire/codec.hpp"

namespace zedops::agent {

using namespace msg;

result<void> link_adapter::dial(bus::agent_link_options options) {
  auto link = bus::agent_link::start(std::move(options), *this);
  if (!link) return fail(std::move(link.error()));
  link_ = std::move(*link);
  return {};
}

void link_adapter::stop(std::chrono::milliseconds deadline) {
  if (link_) link_->stop(deadline);
}

bool link_adapter::send(const from_agent& message, uint64_t session) {
  auto* link = open_.load();
  return link && link->send({std::to_string(message.index()), session, pack(message)});
}

void link_adapter::also_expect(const std::string& manager_key) {
  if (auto* link = open_.load()) link->also_expect(manager_key);
}
std::string link_adapter::answered_with() const {
  auto* link = open_.load();
  return link ? link->answered_with() : std::string{};
}

void link_adapter::on_refused(bool for_good) noexcept {
  constexpr const char* remedy =
      "there: zedctl agent token --name NAME, then here: zedops-agent join; or there: zedctl key add NAME KEY --role "
      "agent";
  config::log_limited(msg::log_level::error, "agent.key-refused",
                      {{"error", "the manager does not know this agent's key"}, {"hint", remedy}});
  if (for_good)
    caf::anon_send(
        core_,
        link_input{manager_said{
            refused{{ec::unauthorised, "the manager does not know this agent's key", remedy, {}}, true}, 0, nullptr}});
}
void link_adapter::on_connected() noexcept { caf::anon_send(core_, link_input{link_up{}}); }
void link_adapter::on_disconnected() noexcept { caf::anon_send(core_, link_input{link_down{}}); }

void link_adapter::on_message(bus::link_inbound&& message) noexcept {
  auto what = unpack<to_agent>(message.body);
  if (!what) return on_bad_message(what.error());
  caf::anon_send(core_, link_input{manager_said{std::move(*what), message.session,
                                                std::make_shared<bus::credit>(std::move(message.token))}});
}

void link_adapter::on_bad_message(const error& reason) noexcept {
  config::log_limited(log_level::warn, "link.bad-message", {{"error", reason.message}});
}

}  // namespace zedops::agent
