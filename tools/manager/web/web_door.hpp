// The web door: REST, live events, monitoring and the page, over HTTP. Requests are judged behind it, by the same gate
// as those of the bus.
#pragma once
#include <atomic>
#include <memory>

#include "actors/manager/node.hpp"
#include "config/settings/settings.hpp"
#include "integration/http/api/bodies.hpp"
#include "tools/manager/web/known_accounts.hpp"
#include "tools/manager/web/live.hpp"
#include "tools/manager/web/read_cache.hpp"
#include "tools/manager/web/sign_in.hpp"

namespace zedops::app {

class web_door {
 public:
  web_door(manager::shared& world, known_accounts& accounts)
      : world_(world),
        callers_(accounts.book(), world.records, "zedops-" + world.manager_id.substr(0, 8)),
        accounts_(accounts),
        live_(world, callers_, calls_) {}

  // Listens; an address that is in use is tried again. Errors: bad_request (no address).
  msg::result<void> open(const config::manager_settings& settings, manager::node& to);
  void reload();  // the certificate
  void close();
  void progressed();                                 // the manager's actors make progress
  std::map<std::string, uint64_t> counters() const;  // for the manager's status

 private:
  using exchange_ptr = std::shared_ptr<web::exchange>;
  void serve(exchange_ptr e);
  void serve_api(const exchange_ptr& e);
  void serve_session(const exchange_ptr& e);
  bool serve_known(const exchange_ptr& e, const caller& who);
  void bulk(const exchange_ptr& e, const caller& who);
  void call(const exchange_ptr& e, const web::matched& to, const caller& who);
  web::response session_of(const caller& who) const;

  manager::shared& world_;
  callers callers_;
  known_accounts& accounts_;
  calls calls_;
  read_cache cache_;
  live live_;
  std::unique_ptr<sign_in> sign_in_;
  std::unique_ptr<web::server> server_;
  std::atomic<int64_t> progress_ms_{0};  // of the steady clock
};

bool serves_web(const config::manager_settings& settings);
// Where users reach the page, according to the settings.
std::string page_url(const config::manager_settings& settings);

}  // namespace zedops::app
