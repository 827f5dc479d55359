// The Docker Engine of a host as the real agent meets it. Calls of straight-line code block in virtual time; calls of
// actors are answered later. Between any two effects the process that calls may die.
#pragma once
#include <functional>

#include "integration/docker/engine.hpp"
#include "tests/sim/support/dice.hpp"
#include "tests/sim/support/hosts/host.hpp"

namespace zedops::sim {

// The interface of a real agent's process to the parts of the world that it uses.
class process_time {
 public:
  virtual ~process_time() = default;
  // On a sim_job: pauses it. Throws when the process dies meanwhile.
  virtual void wait(msg::duration d) = 0;
  // On a sim_job: a point between two effects.
  virtual void boundary() = 0;
  // Elsewhere: runs later, if the process lives then.
  virtual void later(msg::duration d, std::function<void()> what) = 0;
  virtual dice& luck() = 0;
  virtual msg::duration now() const = 0;
  virtual bool hears_events() const = 0;
  virtual bool call_fails() = 0;
};

class sim_engine final : public docker::engine {
 public:
  sim_engine(process_time& time, host& on) : time_(time), host_(on) { watch_stream(); }
  ~sim_engine() override { close(); }
  void close() {  // the listener is gone
    host_.on_event = nullptr;
    listener_ = nullptr;
    stream_end_ = nullptr;
  }

  void ping(docker::call_options, docker::handler<std::string>) override;
  void version(docker::call_options, docker::handler<docker::engine_info>) override;
  void list_containers(docker::labels, docker::call_options,
                       docker::handler<std::vector<docker::container_summary>>) override;
  void inspect_container(std::string, docker::call_options, docker::handler<docker::container_details>) override;
  void create_container(msg::container_spec, docker::call_options, docker::handler<docker::created_container>) override;
  void start_container(std::string, docker::call_options, docker::handler<docker::effect>) override;
  void stop_container(std::string, msg::duration, docker::call_options, docker::handler<docker::effect>) override;
  void unpause_container(std::string, docker::call_options, docker::handler<docker::effect>) override;
  void rename_container(std::string, std::string, docker::call_options, docker::handler<docker::effect>) override;
  void remove_container(std::string, docker::removal, docker::anonymous_volumes, docker::call_options,
                        docker::handler<docker::effect>) override;
  void container_stats_once(std::string, docker::call_options, docker::handler<docker::container_stats>) override;
  void look_at_layer(std::string, docker::call_options, docker::handler<docker::container_layer>) override;
  void inspect_image(std::string, docker::call_options, docker::handler<docker::image_info>) override;
  docker::subscription pull_image(std::string, docker::pull_options, docker::progress_handler,
                                  docker::handler<std::string>) override;
  docker::subscription build_image(docker::build_options, docker::line_handler, docker::handler<std::string>) override;
  void tag_image(std::string, std::string, std::string, docker::call_options, docker::handler<docker::effect>) override;
  void remove_image(std::string, docker::call_options, docker::handler<docker::effect>) override;
  void read_file(std::string, std::string, docker::call_options, docker::handler<std::string>) override;
  void remove_volume(std::string, docker::call_options, docker::handler<docker::effect>) override;
  void list_volumes(docker::labels, docker::call_options, docker::handler<std::vector<docker::volume_info>>) override;
  void inspect_volume(std::string, docker::call_options, docker::handler<docker::volume_info>) override;
  void inspect_network(std::string, docker::call_options, docker::handler<docker::network_info>) override;
  void create_network(std::string, docker::labels, docker::call_options, docker::handler<std::string>) override;
  void connect_network(std::string, std::string, docker::call_options, docker::handler<docker::effect>) override;
  docker::subscription logs(std::string, docker::log_options, docker::line_handler, docker::end_handler) override;
  docker::subscription events(docker::event_options, docker::event_handler, docker::end_handler) override;

 private:
  enum class touch { looks, changes };
  template <class T>
  using act = std::function<msg::result<T>()>;
  template <class T>
  void call(touch how, msg::duration deadline, msg::duration takes, act<T> what, docker::handler<T> h);
  template <class T>
  void call(touch how, const docker::call_options& o, act<T> what, docker::handler<T> h);
  template <class T>
  msg::result<T> block(touch how, msg::duration deadline, msg::duration takes, const act<T>& what);
  template <class T>
  void answer_later(msg::duration wait, msg::duration give_up, act<T> what, docker::handler<T> h);
  container* find(const std::string& id_or_name);
  void watch_stream();
  void tell(const container& c, const char* action);

  process_time& time_;
  host& host_;
  docker::event_handler listener_;
  docker::end_handler stream_end_;
};

}  // namespace zedops::sim
