// Users, tokens and sessions.
#include "bus/security/accounts.hpp"

#include <sys/stat.h>

#include <fstream>

#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

using namespace zedops;
using namespace zedops::bus;
using namespace std::chrono_literals;

namespace {
const msg::time_point noon{std::chrono::hours(480'000)};
}

TEST_CASE("accounts that were written are read back, and the file has no secret", "[unit][bus]") {
  test::temp_dir dir;
  const auto file = dir.path() / "accounts";
  std::string link, token, session;
  REQUIRE(change_accounts(file, [&](account_list& all) -> msg::result<void> {
    link = *put_user(all, {account_kind::user, "ann", "admin"}, noon);
    token = *add_token(all, {account_kind::token, "ci", "operator", {}, "pz1"}, noon);
    all[0].password = password_hash("some words of a sentence");
    session = begin_session(all, "ann", noon);
    return {};
  }));
  std::ifstream in(file);
  const std::string text(std::istreambuf_iterator<char>(in), {});
  for (const auto& secret : {link, token, session}) CHECK(text.find(secret.substr(3)) == std::string::npos);
  const auto all = read_accounts(file);
  REQUIRE(all);
  REQUIRE(all->size() == 3);
  CHECK((*all)[1].server == "pz1");
  CHECK((*all)[0].link == secret_hash(link));
  CHECK(password_fits((*all)[0].password, "some words of a sentence"));
  CHECK(!password_fits((*all)[0].password, "some words of a sentences"));
  CHECK(!password_fits({}, ""));
}

TEST_CASE("a secret is valid until it is removed or expires", "[unit][bus]") {
  test::temp_dir dir;
  account_book book(dir.path() / "accounts");
  CHECK(!book.has_users());
  std::string token, session;
  REQUIRE(change_accounts(book.file(), [&](account_list& all) -> msg::result<void> {
    (void)put_user(all, {account_kind::user, "ann", "viewer"}, noon);
    session = begin_session(all, "ann", noon);
    account t{account_kind::token, "ci", "operator"};
    t.expires = noon + 1h;
    token = *add_token(all, t, noon);
    return {};
  }));
  CHECK(book.has_users());
  CHECK(book.behind(token, noon)->name == "ci");
  CHECK(!book.behind(token, noon + 2h));
  CHECK(book.behind(session, noon)->role == "viewer");
  CHECK(!book.behind(session, noon + session_time));
  CHECK(!book.behind("", noon));
  // A new role applies at once, also to an open session.
  REQUIRE(change_accounts(book.file(), [&](account_list& all) -> msg::result<void> {
    CHECK(put_user(all, {account_kind::user, "ann", "admin"}, noon)->size() > 0);
    return {};
  }));
  CHECK(book.behind(session, noon)->role == "admin");
  REQUIRE(change_accounts(book.file(), [&](account_list& all) -> msg::result<void> {
    CHECK(remove_account(all, account_kind::user, "ann"));
    CHECK(!remove_account(all, account_kind::user, "ann"));
    return {};
  }));
  CHECK(!book.behind(session, noon));
}

TEST_CASE("a new link ends password and sessions, and sessions do not pile up", "[unit][bus]") {
  account_list all;
  (void)put_user(all, {account_kind::user, "ann", "viewer"}, noon);
  all[0].password = "x";
  CHECK(put_user(all, {account_kind::user, "ann", "admin"}, noon)->empty());  // the user has a password
  for (size_t i = 0; i < sessions_per_user_max + 5; ++i) (void)begin_session(all, "ann", noon);
  CHECK(all.size() == 1 + sessions_per_user_max);
  CHECK(reset_user(all, "ann", noon));
  CHECK(all.size() == 1);
  CHECK(all[0].password.empty());
  CHECK(!reset_user(all, "bob", noon));
}

TEST_CASE("an invalid account is refused", "[unit][bus]") {
  account_list all;
  CHECK(!put_user(all, {account_kind::user, "a b", "viewer"}, noon));
  CHECK(!put_user(all, {account_kind::user, "ann", "agent"}, noon));
  CHECK(!put_user(all, {account_kind::user, "ann", "boss"}, noon));
  CHECK(add_token(all, {account_kind::token, "t", "viewer"}, noon));
  CHECK(!add_token(all, {account_kind::token, "t", "viewer"}, noon));
  CHECK(!problem_of_password("short").empty());
  CHECK(!problem_of_password(std::string(1'000, 'x')).empty());
}

TEST_CASE("an account file that others may write, or that is malformed, admits no user", "[unit][bus]") {
  test::temp_dir dir;
  account_book book(dir.path() / "accounts");
  std::string token;
  REQUIRE(change_accounts(book.file(), [&](account_list& all) -> msg::result<void> {
    token = *add_token(all, {account_kind::token, "t", "admin"}, noon);
    return {};
  }));
  CHECK(book.behind(token, noon));
  REQUIRE(::chmod(book.file().c_str(), 0666) == 0);
  CHECK(!book.behind(token, noon));
  REQUIRE(::chmod(book.file().c_str(), 0600) == 0);
  CHECK(book.behind(token, noon));
  std::ofstream(book.file(), std::ios::app) << "token x role=admin hash=" << std::string(800, 'h') << "\n";
  CHECK(!book.behind(token, noon));
  for (const auto* line : {"boss ann role=admin", "token t rule=admin", "user ann role=king", "user a/b role=admin"}) {
    std::ofstream(book.file()) << line << "\n";
    CHECK(!read_accounts(book.file()));
  }
}

TEST_CASE("a time that could not be read back is not written, and the file stays as it was", "[unit][bus][hostile]") {
  test::temp_dir dir;
  const auto file = dir.path() / "accounts";
  REQUIRE(change_accounts(file, [&](account_list& all) -> msg::result<void> {
    CHECK(add_token(all, {account_kind::token, "ci", "viewer"}, noon));
    return {};
  }));
  const auto before = *read_accounts(file);
  const auto changed = change_accounts(file, [&](account_list& all) -> msg::result<void> {
    account t{account_kind::token, "late", "viewer"};
    t.expires = noon + 24h * 9'999'999;
    CHECK(add_token(all, t, noon));
    return {};
  });
  REQUIRE_FALSE(changed);
  CHECK(changed.error().code == msg::ec::bad_request);
  REQUIRE(read_accounts(file));
  CHECK(*read_accounts(file) == before);
}

TEST_CASE("an expired token is listed for a day, then erased", "[unit][bus]") {
  account_list all;
  account run{account_kind::token, "ci-1", "operator"};
  run.expires = noon + 1h;
  CHECK(add_token(all, {account_kind::token, "lasting", "viewer"}, noon));
  CHECK(add_token(all, run, noon));
  const auto listed = [&] { return find_account(all, account_kind::token, "ci-1") != nullptr; };
  SECTION("by the next token") {
    CHECK(add_token(all, {account_kind::token, "ci-2", "operator"}, noon + 24h));
    CHECK(listed());
    CHECK(add_token(all, {account_kind::token, "ci-1", "operator"}, noon + 25h));  // the name is free again
    CHECK(all.size() == 3);
  }
  SECTION("by the next session") {
    (void)begin_session(all, "ann", noon + 24h);
    CHECK(listed());
    (void)begin_session(all, "ann", noon + 25h);
    CHECK(!listed());
  }
  SECTION("by the next user") {
    CHECK(put_user(all, {account_kind::user, "ann", "viewer"}, noon + 25h));
    CHECK(!listed());
  }
  CHECK(find_account(all, account_kind::token, "lasting"));
}

TEST_CASE("the maximum number of tokens does not prevent signing in", "[unit][bus][hostile]") {
  test::temp_dir dir;
  const auto file = dir.path() / "accounts";
  const auto change = [&](const auto& how) {
    return change_accounts(file, [&](account_list& all) -> msg::result<void> {
      how(all);
      return {};
    });
  };
  REQUIRE(change([](account_list& all) {
    (void)put_user(all, {account_kind::user, "ann", "viewer"}, noon);
    for (size_t i = 1; i < accounts_max; ++i) {
      account t{account_kind::token, "ci-" + std::to_string(i), "viewer"};
      t.expires = noon + 1h;
      all.push_back(std::move(t));
    }
  }));
  CHECK(change([](account_list& all) { (void)begin_session(all, "ann", noon); }));
  const auto add_bob = [&](msg::time_point now) {
    return change([&](account_list& all) { (void)put_user(all, {account_kind::user, "bob", "viewer"}, now); });
  };
  CHECK(add_bob(noon).error().code == msg::ec::too_large);
  CHECK(add_bob(noon + 25h));
}

TEST_CASE("the maximum number of sessions prevents neither signing in nor adding users", "[unit][bus][hostile]") {
  test::temp_dir dir;
  const auto changed = change_accounts(dir.path() / "accounts", [](account_list& all) -> msg::result<void> {
    for (size_t i = 0; i < sessions_max; ++i) {
      account s{account_kind::session, "u" + std::to_string(i), {}};
      s.expires = noon + 1h;
      all.push_back(std::move(s));
    }
    (void)begin_session(all, "ann", noon);
    CHECK(all.size() == sessions_max);
    CHECK(all.front().name == "u1");  // the oldest has ended
    CHECK(put_user(all, {account_kind::user, "ann", "viewer"}, noon));
    return {};
  });
  CHECK(changed);
}
