// A real Docker Engine for tests: a private one of tools/engine, with the test images loaded.
#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "integration/docker/engine.hpp"

namespace zedops::test {

// DOCKER_HOST of the Engine that all test programs share: ZEDOPS_TEST_DOCKER_HOST when set, else tools/engine in the
// build folder, started by the first and left for the next (ctest ends it). Throws std::runtime_error when it cannot.
const std::string& docker_host();

// A private Engine, for tests that kill or restart it; deleted with its storage at the end.
class private_engine {
 public:
  explicit private_engine(const std::string& name);
  ~private_engine();
  private_engine(const private_engine&) = delete;
  private_engine& operator=(const private_engine&) = delete;
  std::string host() const { return "unix://" + dir_ + "/docker.sock"; }
  void run(const std::string& verb);  // up, restart, kill

 private:
  std::string dir_;
};

// Runs a shell command and returns what it printed; throws when it fails.
std::string shell(const std::string& command);
std::string source_dir();

// "prefix-<pid>-<counter>": unique among test programs that share an Engine.
std::string unique_name(const std::string& prefix);
// A port that is currently unused by TCP and UDP.
uint16_t free_port();

// Removes every container with the label at construction and at the end.
class cleanup {
 public:
  cleanup(docker::engine& engine, docker::labels which);
  ~cleanup();
  cleanup(const cleanup&) = delete;
  cleanup& operator=(const cleanup&) = delete;

 private:
  void sweep();
  docker::engine& engine_;
  docker::labels which_;
};

inline constexpr std::chrono::seconds wait_max{30};

// Turns the port's callbacks into plain calls: wait_for<T>([&](auto handler) { engine.ping({}, handler); }).
template <class T>
class awaited {
 public:
  docker::handler<T> handler() {
    return [s = state_](msg::result<T> r) {
      std::lock_guard guard{s->lock};
      s->value = std::move(r);
      s->changed.notify_all();
    };
  }
  msg::result<T> get() {
    std::unique_lock guard{state_->lock};
    if (!state_->changed.wait_for(guard, wait_max, [&] { return state_->value.has_value(); }))
      return msg::fail(msg::ec::internal, "the test waited in vain: no handler was called");
    return *state_->value;
  }

 private:
  struct state {
    std::mutex lock;
    std::condition_variable changed;
    std::optional<msg::result<T>> value;
  };
  std::shared_ptr<state> state_ = std::make_shared<state>();
};

template <class T, class F>
msg::result<T> wait_for(F&& call) {
  awaited<T> a;
  call(a.handler());
  return a.get();
}

// A value that callbacks change and a test waits on.
template <class T>
class watched {
 public:
  template <class F>
  void change(F&& f) {
    std::lock_guard guard{lock_};
    f(value_);
    changed_.notify_all();
  }
  template <class F>
  bool wait(F&& holds, std::chrono::milliseconds deadline = wait_max) {
    std::unique_lock guard{lock_};
    return changed_.wait_for(guard, deadline, [&] { return holds(value_); });
  }
  T value() {
    std::lock_guard guard{lock_};
    return value_;
  }

 private:
  std::mutex lock_;
  std::condition_variable changed_;
  T value_{};
};

}  // namespace zedops::test
