// Whether a reported push is to be deployed.
#include "tools/manager/web/push.hpp"

#include <map>

#include "tests/support/catch.hpp"

using namespace zedops;
using namespace zedops::msg;

namespace {

const std::string body = R"({"ref":"refs/heads/main","after":"abc","pusher":{"name":"ann"},
  "commits":[{"added":["public/a.html"],"modified":[],"removed":["notes.txt"]}]})";
// Of that body with the secret below, made by OpenSSL.
const std::string signature = "5e806c73fe2546781cd22568bff26e6dbe1c532cd2eee7c52c2d82da7f5cc877";

struct told {
  service_hook hook{"a secret of some length", "https://example.org/shop.git", "main", {}, {}};
  std::map<std::string, std::string> headers{{"x-github-event", "push"},
                                             {"x-hub-signature-256", "sha256=" + signature}};
  std::string text = body;

  result<app::push> judge() const {
    return app::judge_push(
        hook,
        [&](std::string_view name) {
          const auto i = headers.find(std::string(name));
          return i == headers.end() ? std::string{} : i->second;
        },
        text);
  }
};

}  // namespace

TEST_CASE("hook: a push to the branch is accepted, signed as GitHub, Gitea or GitLab do it", "[web]") {
  told t;
  SECTION("GitHub") {}
  SECTION("Gitea") { t.headers = {{"x-gitea-event", "push"}, {"x-gitea-signature", signature}}; }
  SECTION("GitLab") { t.headers = {{"x-gitlab-event", "Push Hook"}, {"x-gitlab-token", t.hook.secret}}; }
  const auto p = t.judge();
  REQUIRE(p);
  CHECK(p->ignored.empty());
  CHECK(p->branch == "main");
  CHECK(p->by == "ann");
}

TEST_CASE("hook: a caller without the secret learns nothing else", "[web][hostile]") {
  told t;
  SECTION("no signature") { t.headers.erase("x-hub-signature-256"); }
  SECTION("another") { t.headers["x-hub-signature-256"] = "sha256=" + std::string(64, '0'); }
  SECTION("of another body") { t.text += ' '; }
  SECTION("of another secret") { t.hook.secret = "another secret of some length"; }
  SECTION("a part of it") { t.headers["x-hub-signature-256"] = "sha256=" + signature.substr(0, 10); }
  SECTION("an empty token") { t.headers = {{"x-gitlab-event", "Push Hook"}, {"x-gitlab-token", ""}}; }
  const auto p = t.judge();
  REQUIRE_FALSE(p);
  CHECK(p.error().code == ec::unauthorised);
}

TEST_CASE("hook: a push that is not deployed is answered with the reason", "[web]") {
  told t;
  t.headers = {{"x-gitlab-event", "Push Hook"}, {"x-gitlab-token", t.hook.secret}};
  std::string reason;
  SECTION("a ping") {
    t.headers["x-github-event"] = "ping";
    reason = "a ping";
  }
  SECTION("another event") {
    t.headers["x-gitlab-event"] = "Tag Push Hook";
    reason = "only pushes";
  }
  SECTION("another branch") {
    t.hook.branch = "release";
    reason = "pushes to main are not deployed";
  }
  SECTION("a tag") {
    t.text = R"({"ref":"refs/tags/main"})";
    reason = "not deployed";
  }
  SECTION("the branch was removed") {
    t.text = R"({"ref":"refs/heads/main","after":"0000000000000000000000000000000000000000"})";
    reason = "removed";
  }
  SECTION("other folders") {
    t.hook.paths = {"docs", "pub"};
    reason = "below the paths";
  }
  const auto p = t.judge();
  REQUIRE(p);
  CHECK(p->ignored.find(reason) != std::string::npos);
}

TEST_CASE("hook: paths are folders, and a push without a list of files counts as a change", "[web]") {
  told t;
  t.headers = {{"x-gitlab-event", "Push Hook"}, {"x-gitlab-token", t.hook.secret}};
  t.hook.paths = {"public/"};
  CHECK(t.judge()->ignored.empty());
  t.hook.paths = {"notes.txt"};
  CHECK(t.judge()->ignored.empty());
  t.hook.paths = {"docs"};
  t.text = R"({"ref":"refs/heads/main","commits":[]})";
  CHECK(t.judge()->ignored.empty());
  t.text = R"({"ref":"refs/heads/main","commits":[{"id":"x"}]})";
  CHECK(t.judge()->ignored.empty());
}

TEST_CASE("hook: a signed body that is no push is refused, and does no harm", "[web][hostile]") {
  told t;
  t.headers = {{"x-gitlab-event", "Push Hook"}, {"x-gitlab-token", t.hook.secret}};
  for (const auto* text : {"", "[]", "{", "null", "\"x\"", R"({"ref":7})", R"({"commits":{}})"}) {
    t.text = text;
    const auto p = t.judge();
    REQUIRE_FALSE(p);
    CHECK(p.error().code == ec::bad_request);
  }
  t.text = R"({"ref":"refs/heads/main","commits":[1,{"added":7},{"added":[8]}],"pusher":[]})";
  t.hook.paths = {"docs"};
  CHECK(t.judge().has_value());
}
