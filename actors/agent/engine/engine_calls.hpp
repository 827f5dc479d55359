// The Engine for straight-line code on a worker thread: each call waits for its answer, within the command's time.
#pragma once
#include <chrono>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "actors/agent/lanes/cancel_token.hpp"
#include "actors/agent/ports.hpp"
#include "integration/docker/engine.hpp"

namespace zedops::agent {

inline constexpr msg::duration call_time_max{30'000};    // of one short request
inline constexpr msg::duration stop_time_extra{15'000};  // beyond the grace that a container is given
inline constexpr msg::duration answer_slack{5'000};      // added for an adapter that misses its own deadline
inline constexpr msg::duration call_time_min{1'000};     // even when the command's time is up: it may be clean-up
inline constexpr uint32_t last_words_max = 3;            // lines
inline constexpr msg::duration last_words_time{2'000};
inline constexpr size_t call_problem_bytes_max = 300;  // of what is kept of one failure

class engine_calls {
 public:
  // `until`: when the command's time is up; each call gets what is left, and at least `call_time_min`.
  engine_calls(docker::engine& engine, const clocks& clock, std::chrono::steady_clock::time_point until,
               cancel_token& cancel)
      : engine_(engine), clock_(clock), until_(until), cancel_(cancel) {}

  // Clean-up after a failure has time of its own.
  void extend(msg::duration by);
  msg::duration left() const;

  msg::result<std::vector<docker::container_summary>> list(docker::labels labels);
  msg::result<docker::container_details> inspect(const std::string& id);
  msg::result<docker::created_container> create(const msg::container_spec& spec);
  msg::result<docker::effect> start(const std::string& id);
  msg::result<docker::effect> stop(const std::string& id, msg::duration grace);
  msg::result<docker::effect> unpause(const std::string& id);
  msg::result<docker::effect> rename(const std::string& id, const std::string& name);
  msg::result<docker::effect> remove(const std::string& id, docker::removal how, docker::anonymous_volumes volumes);
  msg::result<docker::image_info> image(const std::string& reference);
  // Ends early with `cancelled`, or with `timeout` when the command's time is up.
  msg::result<std::string> pull(const std::string& reference, docker::progress_handler progress);
  // As pull.
  msg::result<std::string> build(docker::build_options options, docker::line_handler line);
  msg::result<docker::effect> tag(const std::string& image, const std::string& repository, const std::string& tag);
  msg::result<docker::effect> remove_image(const std::string& reference);
  // What a container writes until it has ended.
  msg::result<void> watch(const std::string& id, docker::line_handler line);
  // The last lines that a container wrote, one per line; empty when they cannot be had.
  std::string last_words(const std::string& id);
  msg::result<std::string> read_file(const std::string& id, const std::string& path);
  msg::result<docker::effect> remove_volume(const std::string& name);
  msg::result<std::vector<docker::volume_info>> volumes(docker::labels labels);
  msg::result<docker::volume_info> volume(const std::string& name);
  msg::result<docker::network_info> network(const std::string& name);
  msg::result<std::string> create_network(const std::string& name, docker::labels labels);

  // The calls so far and their outcome, the newest engine_calls_max. Names and ids only: no environment, no labels.
  std::vector<msg::engine_call> taken() const { return {calls_.begin(), calls_.end()}; }
  // How many calls the Engine did not answer: it was away, or hung up.
  size_t unanswered() const { return unanswered_; }

 private:
  struct open_call {
    msg::engine_call what;
    std::chrono::steady_clock::time_point begun;
  };
  docker::call_options options(msg::duration extra = {}) const;
  template <class T, class Slot>
  msg::result<T> ended(Slot& s, msg::duration time, const std::string& doing);
  msg::result<std::string> pulled(const std::string& reference, docker::progress_handler progress);
  open_call open(std::string call) const;
  // The Engine's status for a success is known from its API; that of a failure is in the error.
  void close(open_call c, uint16_t good, const msg::error* failure);
  template <class T>
  msg::result<T> closed(open_call c, uint16_t good, msg::result<T> r) {
    close(std::move(c), good, r ? nullptr : &r.error());
    return r;
  }
  msg::result<docker::effect> closed_effect(open_call c, uint16_t already, msg::result<docker::effect> r);

  docker::engine& engine_;
  const clocks& clock_;
  std::chrono::steady_clock::time_point until_;
  cancel_token& cancel_;
  std::deque<msg::engine_call> calls_;
  size_t unanswered_ = 0;
};

}  // namespace zedops::agent
