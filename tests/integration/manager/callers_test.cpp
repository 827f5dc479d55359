// Who the caller of an HTTP request is.
#include "tools/manager/web/callers.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

using namespace zedops;
using namespace std::chrono_literals;
using msg::ec;

namespace {

const msg::time_point noon{std::chrono::hours(24 * 365 * 56)};

struct door {
  test::temp_dir dir;
  bus::account_book book{dir.path() / "accounts"};
  manager::catalog records;
  app::callers known{book, records, "zedops-1"};

  static web::request over_socket_file(web::pairs headers = {}) {
    web::request r;
    r.method = "POST";
    r.from = "unix:1000";
    r.headers = std::move(headers);
    return r;
  }
};

}  // namespace

TEST_CASE("callers: at the socket file a process of this machine may do everything", "[integration][manager]") {
  door d;
  const auto who = d.known.of(door::over_socket_file(), noon);
  REQUIRE(who);
  CHECK(who->who->how == msg::authentication::local);
  CHECK(who->who->id == "uid:1000");
}

TEST_CASE("callers: a request that a proxy forwards at the socket file does not count as local",
          "[integration][manager]") {
  door d;
  std::string token, session;
  REQUIRE(bus::change_accounts(d.book.file(), [&](bus::account_list& all) -> msg::result<void> {
    token = *bus::add_token(all, {bus::account_kind::token, "ci", "viewer"}, noon);
    (void)bus::put_user(all, {bus::account_kind::user, "ann", "admin"}, noon);
    session = bus::begin_session(all, "ann", noon);
    return {};
  }));
  for (const auto* word : {"x-forwarded-for", "x-forwarded-proto", "forwarded"}) {
    INFO(word);
    auto r = door::over_socket_file({{word, ""}});
    REQUIRE_FALSE(d.known.of(r, noon));
    CHECK(d.known.of(r, noon).error().code == ec::unauthorised);
    r.headers.emplace_back("authorization", "Bearer " + token);
    REQUIRE(d.known.of(r, noon));
    CHECK(d.known.of(r, noon)->who->id == "token:ci");
    auto page = door::over_socket_file({{word, ""}, {"cookie", "zedops-1=" + session}});
    CHECK(d.known.of(page, noon).error().code == ec::forbidden);  // it changes something, without X-Zedops
    page.headers.emplace_back("x-zedops", "1");
    CHECK(d.known.of(page, noon).has_value());
  }
}
