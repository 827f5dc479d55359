// What deployments need of this host beside its Engine: where static services lie, their archives, and a browser's
// look.
#pragma once
#include <functional>
#include <mutex>
#include <set>
#include <string>

#include "actors/agent/lanes/cancel_token.hpp"
#include "integration/routes/route_table.hpp"
#include "messages/base/error.hpp"
#include "messages/records/deploy.hpp"

namespace zedops::agent {

// Pieces of uploads, from the manager. Blocking: called on worker threads only.
class upload_source {
 public:
  virtual ~upload_source() = default;
  // What is there from this offset on, upload_piece_max at most. While the manager is away it waits. Errors: cancelled,
  // and what the manager says of the upload.
  virtual msg::result<std::string> fetch(const msg::upload_id& id, uint64_t offset, const cancel_token& cancel) = 0;
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
  std::mutex links;  // whoever changes links; those who repair and those who switch do it one after the other

  // Whether somebody listens at a port of this host. Errors: engine_error, timeout.
  std::function<msg::result<void>(uint16_t port, msg::duration timeout)> listens;

  msg::duration stray_grace{};  // after which containers of services that the manager does not know go; zero: never

  routes::route_table* routes = nullptr;  // who leads visitors to container services; null: nobody

  // A service whose container is being replaced is left alone by whoever keeps containers running.
  class hold {
   public:
    hold(site_world& w, std::string service) : w_(w), service_(std::move(service)) {
      std::lock_guard guard(w_.held_mutex_);
      w_.held_.insert(service_);
    }
    ~hold() {
      std::lock_guard guard(w_.held_mutex_);
      w_.held_.erase(w_.held_.find(service_));
    }
    hold(const hold&) = delete;
    hold& operator=(const hold&) = delete;

   private:
    site_world& w_;
    const std::string service_;
  };
  // False: it is held, and nothing was done. Whoever wants to hold one meanwhile waits.
  template <class F>
  bool unless_held(const std::string& service, F f) {
    std::lock_guard guard(held_mutex_);
    if (held_.contains(service)) return false;
    f();
    return true;
  }

 private:
  std::mutex held_mutex_;
  std::multiset<std::string> held_;
};

}  // namespace zedops::agent
