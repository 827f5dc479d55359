// What deployments need of this host beside its Engine: where static services are stored, their uploads, and checks as
// a browser would make them.
#pragma once
#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "actors/agent/lanes/cancel_token.hpp"
#include "actors/agent/lanes/turns.hpp"
#include "integration/routes/route_table.hpp"
#include "messages/base/error.hpp"
#include "messages/records/deploy.hpp"

namespace zedops::agent {

// Pieces of uploads, from the manager. Blocking: called on worker threads only.
class upload_source {
 public:
  virtual ~upload_source() = default;
  using take_fn = std::function<msg::result<void>(std::string_view)>;
  // Its bytes from `from` to `to`, given to `take` in order, upload_piece_max at most at a time. While the manager is
  // away it waits. Errors: cancelled, the manager's for this upload, bad_request (it ends before `to`), and those
  // of `take`.
  virtual msg::result<void> read(const msg::upload_id& id, uint64_t from, uint64_t to, const cancel_token& cancel,
                                 const take_fn& take) = 0;
};

struct site_world {
  site_world(std::string root_path, std::string server_image, upload_source& source,
             std::function<msg::result<unsigned>(uint16_t, const std::string&, msg::duration)> browser)
      : root(std::move(root_path)), image(std::move(server_image)), uploads(source), look(std::move(browser)) {}

  std::string root;   // of all static services
  std::string image;  // of the projects' servers
  upload_source& uploads;
  // The status that an HTTP server of this host answers with. Errors: engine_error (no answer), timeout.
  std::function<msg::result<unsigned>(uint16_t port, const std::string& path, msg::duration timeout)> look;
  // Unpacking is all system calls and writes: of two processors it gets one, so that servers' events need not wait.
  turns unpacking{std::thread::hardware_concurrency() / 2};

  std::mutex links;  // held while links are changed: repairs and switches take turns

  // Whether something listens at a port of this host. Errors: engine_error, timeout.
  std::function<msg::result<void>(uint16_t port, msg::duration timeout)> listens;

  std::string git_ssh_key{}, git_credentials{};  // files; see git_request

  msg::duration stray_grace{};  // after which containers of unknown services are removed; zero: never

  routes::route_table* routes = nullptr;  // the proxy that routes visitors to services; null: none

  // Only one thread changes the containers of a service or project: a second one waits. Holders of a project may then
  // hold a service of it, never the other way round.
  class hold {
   public:
    hold(site_world& w, std::string what) : w_(w), what_(std::move(what)) {
      std::unique_lock lock(w_.held_mutex_);
      w_.let_go_.wait(lock, [this] { return !w_.held_.contains(what_); });
      w_.held_.insert(what_);
    }
    ~hold() { w_.release(what_); }
    hold(const hold&) = delete;
    hold& operator=(const hold&) = delete;

   private:
    site_world& w_;
    const std::string what_;
  };
  // For the passes that keep containers running. False: somebody else holds them, and nothing was done.
  template <class F>
  bool unless_held(const std::string& what, F f) {
    {
      std::lock_guard guard(held_mutex_);
      if (!held_.insert(what).second) return false;
    }
    struct release_at_end {
      site_world& w;
      const std::string& what;
      ~release_at_end() { w.release(what); }
    } end{*this, what};
    f();
    return true;
  }

 private:
  void release(const std::string& what) {
    {
      std::lock_guard guard(held_mutex_);
      held_.erase(what);
    }
    let_go_.notify_all();
  }

  std::mutex held_mutex_;
  std::condition_variable let_go_;
  std::set<std::string> held_;
};

}  // namespace zedops::agent
