// Callers over HTTP: a user with a session, a program with a token, or a process of this machine at the socket file.
#pragma once
#include <string>

#include "actors/manager/records/catalog.hpp"
#include "bus/security/accounts.hpp"
#include "integration/http/transport/message.hpp"
#include "tools/manager/web/calls.hpp"

namespace zedops::app {

struct caller {
  principal_ptr who;
  std::string secret;  // by which the caller was recognised; empty: by the socket file
  bool by_cookie = false;
  std::string user() const { return who->id.substr(who->id.find(':') + 1); }
};

class callers {
 public:
  callers(bus::account_book& book, const manager::catalog& records, std::string cookie)
      : book_(book), records_(records), cookie_(std::move(cookie)) {}
  const std::string& cookie() const { return cookie_; }

  // Errors: unauthorised (no known caller), forbidden (a foreign page made a browser send it).
  msg::result<caller> of(const web::request& r, msg::time_point now) const;
  // Whether the caller still has the rights that it had when a stream began.
  bool still(const caller& c, msg::time_point now) const;

 private:
  principal_ptr principal_of(const bus::account& a, const std::string& from) const;
  bus::account_book& book_;
  const manager::catalog& records_;
  const std::string cookie_;  // its name: each manager has its own, also beside others on one host
};

}  // namespace zedops::app
