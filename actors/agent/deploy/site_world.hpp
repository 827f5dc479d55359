// What deployments need of this host beside its Engine: where static services lie, their archives, and a browser's
// look.
#pragma once
#include <functional>
#include <mutex>
#include <string>

#include "actors/agent/lanes/cancel_token.hpp"
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
};

}  // namespace zedops::agent
