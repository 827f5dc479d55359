// Executes one command: straight-line code on a worker thread. Every step looks before it acts, so a command that was
// cut short anywhere - by a crash of the agent, the Engine or the host - converges when it is given again.
//
// Only containers labelled for this manager and this very server are touched; everything else is named in an error.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "actors/agent/engine/engine_calls.hpp"
#include "actors/agent/engine/labels.hpp"
#include "actors/agent/lanes/cancel_token.hpp"
#include "actors/agent/lanes/step_env.hpp"

// Returns from the enclosing function with the error of a result.
#define ZEDOPS_TRY(expression)                                                                        \
  do {                                                                                                \
    if (auto zedops_try = (expression); !zedops_try) return msg::fail(std::move(zedops_try.error())); \
  } while (false)

namespace zedops::agent {

inline constexpr msg::duration proof_look{100};           // between two looks at a container that was started
inline constexpr msg::duration clean_up_time{60'000};     // for rolling back after a failure
inline constexpr unsigned tries_max = 4;                  // of what may fail for a moment, such as a rollback
inline constexpr msg::duration tries_pause{500};          // between two of them
inline constexpr msg::duration look_after_time{15'000};   // for the final look
inline constexpr msg::duration removal_wait_max{10'000};  // for a removal that another client began
inline constexpr unsigned create_tries_max = 3;           // a name that is taken may be freed meanwhile

class command_job {
 public:
  command_job(step_env& env, msg::run_command command, std::shared_ptr<reporter> report, cancel_token& cancel);

  // Never throws, except what crash_point throws. Journals nothing but notes: the caller does begin and finish.
  msg::command_result execute();

 private:
  struct sighting {
    std::vector<docker::container_details> ours;  // labelled for this server
    msg::observation seen;                        // by all the rules, so its container may be one that we may not touch
    const docker::container_details* find(const std::string& id) const;
    const docker::container_details* current() const { return find(seen.view.id); }
  };
  struct made {
    std::string id;
    bool by_us = false;  // false: it existed before
  };

  // job_look.cpp
  msg::result<sighting> look();
  msg::result<sighting> look_and_settle();  // and clear what an interrupted replacement of another operation left
  msg::result<void> settle(const sighting& s, bool& changed);
  bool mounts_of_plan(const docker::container_details& c) const;
  msg::result<void> permit(const sighting& s) const;  // the container that was recognised may be touched
  msg::observation look_after(host::sizing sizes);    // when the command is over
  msg::observation observe_now(host::sizing sizes);
  msg::known_server as_known() const;

  // job_prepare.cpp
  msg::result<void> check_data();
  std::string fresh_start() const;
  msg::result<void> check_ports(const std::vector<msg::port_binding>& wanted, const std::vector<std::string>& ignored,
                                const std::vector<msg::port_binding>& given_up = {});
  msg::result<void> check_permitted();
  msg::result<void> make_networks();
  msg::result<void> pull(uint32_t from, uint32_t to);
  void use_image(const docker::image_info& image);

  // job_volumes.cpp
  bool mounts(const std::string& target) const;
  msg::result<void> carry_volumes(const docker::container_details& old);
  void plan_volumes(const docker::image_info& image);
  void drop_volumes(std::vector<std::string> names);
  msg::result<void> make_dirs();
  msg::result<void> give_dirs(const std::string& id);

  // job_run.cpp
  msg::result<void> run();
  msg::result<void> check_start(const docker::container_details& c);
  msg::result<void> start_existing(const docker::container_details& c);
  msg::result<void> create_and_start();
  msg::result<made> create();
  msg::result<void> start(const std::string& id);
  msg::result<void> prove(const std::string& id, uint64_t restarts_before = 0);
  msg::container_spec final_spec() const;
  msg::error with_last_words(msg::error e, const std::string& id);

  // job_stop.cpp
  msg::result<void> stop();
  msg::result<void> restart();
  msg::result<void> stop_gently(const docker::container_details& c, uint32_t progress);
  void save(const docker::container_details& c, const msg::rcon_stop& how);

  // job_replace.cpp
  msg::result<void> replace();
  msg::result<void> swap(const docker::container_details* old, const docker::container_details* fresh);
  void drop_image_of(const docker::container_details& old, const std::string& fresh);
  msg::result<std::string> put_back(const std::string& old_id, bool was_running);
  msg::result<std::string> try_put_back(const std::string& old_id, bool was_running);
  bool remember_running(const docker::container_details* old);
  struct generations {  // of this server's container, around this operation
    const docker::container_details* old = nullptr;
    const docker::container_details* fresh = nullptr;  // made by it
  };
  generations tell_apart(const sighting& s) const;

  // job_move.cpp
  msg::result<void> move();
  msg::result<void> begin_move(const docker::container_details* old);
  msg::result<void> prepare_copy(const docker::container_details* old);
  msg::result<void> check_placed();
  msg::result<void> stop_and_copy(const docker::container_details* old);
  msg::result<void> use_copy(const generations& g, bool was_running);
  msg::result<void> switch_over(const generations& g);
  msg::result<void> check_untouched(const docker::container_details& old);
  std::string undo_move(const docker::container_details* old, bool was_running, host::copy_fate fate);
  msg::result<std::string> drop_copy(host::copy_fate fate);
  void drop_left_copies();
  msg::result<void> drop_source();
  host::copy_request copy_request() const;

  // job_adopt.cpp
  msg::result<void> adopt();
  msg::result<void> permit_adoption(const docker::container_details& original);
  msg::result<std::vector<host::copy_part>> parts_of(const docker::container_details& original) const;
  msg::result<void> begin_adoption(const docker::container_details& original);
  msg::result<void> drop_original();
  msg::result<void> without_original(const docker::container_details* fresh);
  std::string undo_adoption(bool was_running, host::copy_fate fate);
  msg::result<std::string> give_back(bool was_running);
  msg::error left_down(msg::error e) const;

  // job_remove.cpp
  msg::result<void> remove();
  msg::result<void> purge();
  msg::result<void> remove_one(const docker::container_details& c, docker::anonymous_volumes volumes);

  // An Engine that failed once often answers a moment later, and one that went away usually comes back: only one that
  // answers and refuses again and again is believed before the time is over.
  template <class Try>
  std::invoke_result_t<Try> patiently(msg::duration at_most, Try attempt) {
    const auto until = env_.clock.steady() + at_most;
    for (unsigned tries = 1;; ++tries) {
      auto r = attempt();
      if (r || r.error().code == msg::ec::not_found || env_.clock.steady() >= until) return r;
      if (tries >= tries_max && calls_.list({{label::server, cmd_.server.value}})) return r;
      env_.clock.pause(tries_pause);
    }
  }
  // Reports the step; cancelled or timeout when the command has to end here.
  msg::result<void> step(std::string name, uint32_t progress, std::string note = {});
  msg::result<void> dispatch();
  void note(std::string text);
  void effect(std::string_view name) const {
    if (env_.crash_point) env_.crash_point(name);
  }

  step_env& env_;
  const msg::run_command cmd_;
  std::shared_ptr<reporter> report_;
  cancel_token& cancel_;
  engine_calls calls_;
  const std::string manager_;
  std::string counts_;  // id of the container that counts: the recorded one, then the one that replaced it
  std::vector<host::copy_part> parts_;               // adopt: what of the original makes up the data
  std::optional<host::copy_size> size_before_stop_;  // move, adopt: of what is to be copied
  std::vector<msg::volume_mount> volumes_;           // beside the plan's mounts: what the image declares
  std::vector<msg::volume_mount> had_;               // of those, what the container that is replaced has
  bool pulled_ = false;                              // the image's name means now what the registry has
  bool replaces_ = false;
  msg::command_result result_;
};

bool is_alive(msg::container_state s);  // has a process: running, paused, restarting
std::string short_id(const std::string& id);

}  // namespace zedops::agent
