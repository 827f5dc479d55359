#include "actors/runtime/caf_setup.hpp"

#include <caf/all.hpp>

#include "config/logging/logging.hpp"

namespace zedops::rt {

void configure(caf::actor_system_config& config) {
  config.set("scheduler.policy", caf::atom("sharing"));
  config.set("scheduler.max-threads", size_t{2});
  config.set("scheduler.max-throughput", size_t{64});
}

void install_defaults(caf::scheduled_actor* self) {
  const char* name = self->name();
  self->set_default_handler([name](caf::scheduled_actor* me, caf::message_view& what) -> caf::result<caf::message> {
    config::log_event(msg::log_level::error, "actor.unexpected-message",
                      {{"actor", name}, {"message", to_string(what.content())}, {"id", me->id()}});
    return caf::sec::unexpected_message;
  });
  self->set_exception_handler([name](caf::scheduled_actor* me, std::exception_ptr& problem) -> caf::error {
    std::string text = "not a std::exception";
    try {
      std::rethrow_exception(problem);
    } catch (const std::exception& e) {
      text = e.what();
    } catch (...) {
    }
    config::log_event(msg::log_level::error, "actor.exception", {{"actor", name}, {"error", text}, {"id", me->id()}});
    return caf::make_error(caf::sec::runtime_error, text);
  });
  self->set_down_handler([](caf::scheduled_actor*, caf::down_msg&) {});
}

}  // namespace zedops::rt
