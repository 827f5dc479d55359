// Watches the links of static services and repairs what was changed outside, with or without a manager: at
// each change (inotify), when it is asked to, and once an hour. A thread of its own.
#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "actors/agent/deploy/site_world.hpp"
#include "integration/host/sites/sites.hpp"
#include "messages/wire/link.hpp"

namespace zedops::agent {

inline constexpr std::chrono::seconds keeper_pass_every{3600};
inline constexpr std::chrono::seconds keeper_blind_every{5};  // where the kernel reports no changes

class site_keeper {
 public:
  // `tell`: a service whose state has changed, or of which something was repaired; on the keeper's thread.
  site_keeper(site_world& sites, std::function<void(msg::service_seen)> tell);
  ~site_keeper();
  site_keeper(const site_keeper&) = delete;
  site_keeper& operator=(const site_keeper&) = delete;

  void look_now();
  // As last seen.
  std::vector<msg::service_seen> all() const;
  // Why the server of a project does not run; empty: it does.
  void server_is(const std::string& project, std::string problem);

 private:
  void loop();
  void watch();
  bool wait();  // false: it is to end
  void pass();
  void look_at(const host::site& s);

  site_world& sites_;
  std::function<void(msg::service_seen)> tell_;
  int notify_ = -1, wake_ = -1;
  mutable std::mutex mutex_;
  std::map<std::string, msg::service_seen> seen_;      // by service id, without repairs
  std::map<std::string, std::string> server_problem_;  // by project
  bool ending_ = false;
  std::thread thread_;  // last: it uses the rest
};

}  // namespace zedops::agent
