// A Docker Engine in memory that answers at once, in the caller's thread. Faults are switches.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "integration/docker/engine.hpp"

namespace zedops::test {

class fake_docker final : public docker::engine {
 public:
  // ---- faults ----
  bool down = false;                                            // every call fails, streams do not open
  std::string engine_id = "E1", data_root = "/var/lib/docker";  // who it is
  bool list_fails = false;
  bool inspect_fails = false;
  bool start_fails = false;
  std::string says = "hello";  // what programs print
  bool remove_fails = false;
  bool dies_at_start = false;
  int64_t dies_with = 3;             // exit code
  std::string dies_named;            // only containers whose name contains this die at their start
  bool loses_start_answers = false;  // a start works but reports a failure
  std::deque<bool> rename_fails;     // of the next renames, in order
  bool holds_starts = false;         // starts begin only when let_starts_go() is called
  bool holds_pulls = false;          // pulls end only when let_pulls_go() is called
  bool build_fails = false;
  std::optional<msg::ec> image_removal_fails;  // with this
  std::set<std::string> images{"game:1"};
  std::set<std::string> pullable;                                            // by a name that is not here
  std::map<std::string, std::string> image_ids;                              // by tag; else it has none
  std::map<std::string, docker::labels> image_labels;                        // by tag; else it has none
  std::vector<std::string> image_volumes;                                    // declared by every image
  std::string image_user;                                                    // of every image
  std::map<std::string, std::string> files;                                  // in every container, by path
  std::map<std::string, std::map<std::string, std::string>> volume_options;  // by name; else it has none
  std::map<std::string, docker::container_stats> stats;                      // by container id; else it fails
  std::function<msg::time_point()> clock;                                    // of starts and exits; may be empty

  // ---- what happened ----
  std::set<std::string> mute;              // ids of containers whose inspection fails
  std::multiset<std::string> inspections;  // of containers, by id
  std::vector<std::string> calls;          // those that change something: "create box-a", "stop <id>"
  size_t count(const std::string& prefix) const;
  bool holds(uint16_t port) const;                              // published by a running container
  std::map<std::string, docker::container_details> containers;  // by id
  bool has_listener() const { return listener_ != nullptr; }

  // ---- by hand ----
  std::string make(const std::string& name, docker::labels labels, msg::container_state s);
  void die(const std::string& id, int64_t exit_code = 0);
  void kill(const std::string& id, int signal = 15);  // the event only: die() is the outcome
  void destroy(const std::string& id);
  void emit(const std::string& id, const std::string& action, const docker::labels& more = {});
  void let_pulls_go();
  void let_starts_go();
  void end_stream();  // the connection breaks

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
  docker::container_details* find(const std::string& id_or_name);
  void stamp(msg::container_view& c) const;
  void set_state(const std::string& id, msg::container_state s, const char* action);
  template <class T>
  bool refuse(const docker::handler<T>& h, bool also = false);

  mutable std::recursive_mutex mutex_;
  docker::event_handler listener_;
  docker::end_handler stream_end_;
  std::vector<std::pair<std::string, docker::handler<std::string>>> pulls_;
  std::vector<std::pair<std::string, docker::handler<docker::effect>>> starts_;
  int next_ = 0;
};

}  // namespace zedops::test
