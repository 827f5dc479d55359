#include "tools/manager/web/callers.hpp"

#include "tools/manager/grants.hpp"

namespace zedops::app {

using namespace msg;

namespace {

constexpr std::string_view bearer = "Bearer ", unix_mark = "unix:", own_header = "x-zedops";

bool changes(const web::request& r) { return r.method != "GET" && r.method != "HEAD" && r.method != "OPTIONS"; }

// Whether our own page sent it: a foreign page can neither set the header nor send our origin.
bool of_our_page(const web::request& r) {
  if (r.header(own_header).empty()) return false;
  const auto origin = r.header("origin");
  if (origin.empty()) return true;
  const auto host = origin.substr(std::min(origin.size(), origin.find("://") + 3));
  return host == r.header("host");
}

}  // namespace

principal_ptr callers::principal_of(const bus::account& a, const std::string& from) const {
  auto who = std::make_shared<principal>();
  who->id = std::string(name_of(a.kind)) + ':' + a.name;
  who->how = a.kind == bus::account_kind::token ? authentication::token : authentication::session;
  who->from = from;
  if (auto g = grant_of(a.role, a.agent, a.server, records_)) who->grants.push_back(std::move(*g));
  return who;
}

result<caller> callers::of(const web::request& r, time_point now) const {
  const auto header = r.header("authorization");
  const auto cookie = r.cookie(cookie_);
  if (header.starts_with(bearer) || !cookie.empty()) {
    const bool by_cookie = !header.starts_with(bearer);
    const std::string secret(by_cookie ? cookie : header.substr(bearer.size()));
    const auto a = book_.behind(secret, now);
    if (!a)
      return fail(ec::unauthorised, by_cookie ? "the session has ended" : "this token is unknown or has expired",
                  by_cookie ? "sign in again" : "zedctl token add NAME --role ROLE makes a new one");
    if (by_cookie && changes(r) && !of_our_page(r))
      return fail(ec::forbidden, "with a session, a request that changes something needs the header X-Zedops",
                  "programs use a token: zedctl token add NAME --role ROLE");
    return caller{principal_of(*a, r.from), secret, by_cookie};
  }
  // A proxy at the socket file is not the caller: what it forwards may come from anyone.
  if (r.from.starts_with(unix_mark) && !web::is_forwarded(r)) {
    auto who = local_principal("uid:" + r.from.substr(unix_mark.size()));
    who.from = "unix";
    return caller{std::make_shared<const principal>(std::move(who)), {}, false};
  }
  return fail(ec::unauthorised, "you are not signed in",
              "sign in on the page, or send Authorization: Bearer TOKEN (zedctl token add NAME --role ROLE)");
}

bool callers::still(const caller& c, time_point now) const {
  if (c.secret.empty()) return true;
  const auto a = book_.behind(c.secret, now);
  return a && principal_of(*a, c.who->from)->grants == c.who->grants;
}

}  // namespace zedops::app
