// The adapter beside a Caddy that says what the test wants: one that hangs up, one that somebody else changes.
#include "integration/routes/caddy.hpp"

#include <thread>

#include "tests/support/catch.hpp"
#include "tests/support/tcp.hpp"
#include "tests/support/temp_dir.hpp"

using namespace zedops;
using namespace zedops::routes;
using Catch::Matchers::Contains;

namespace {

constexpr const char* hangs_up = "";

std::string answer(const std::string& status, const std::string& body = "null") {
  return "HTTP/1.1 " + status +
         "\r\nEtag: \"e1\"\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
const std::string yes = answer("200 OK"), unknown = answer("404 Not Found");

// One answer for each connection, in order; the first lines of what was asked.
class scripted {
 public:
  explicit scripted(std::vector<std::string> answers) : answers_(std::move(answers)) {
    port_.listen();
    thread_ = std::thread([this] { serve(); });
  }
  ~scripted() { thread_.join(); }
  scripted(const scripted&) = delete;
  scripted& operator=(const scripted&) = delete;

  std::unique_ptr<route_table> table() const {
    auto s = parse_caddy("127.0.0.1:" + std::to_string(port_.number), "zedops", ":80", folder_.path().string());
    return make_caddy(s.value());
  }
  const std::vector<std::string>& asked() {
    if (thread_.joinable()) thread_.join();
    thread_ = std::thread([] {});
    return asked_;
  }

 private:
  void serve() {
    for (const auto& a : answers_) {
      const int c = ::accept(port_.fd, nullptr, nullptr);
      std::string text(65'536, '\0');
      text.resize(static_cast<size_t>(std::max<ssize_t>(0, ::recv(c, text.data(), text.size(), 0))));
      asked_.push_back(text.substr(0, text.find(" HTTP/")));
      if (a == hangs_up) {
        const linger now{1, 0};
        ::setsockopt(c, SOL_SOCKET, SO_LINGER, &now, sizeof now);
      } else {
        (void)::send(c, a.data(), a.size(), MSG_NOSIGNAL);
      }
      ::close(c);
    }
  }

  test::held_port port_;
  test::temp_dir folder_;
  const std::vector<std::string> answers_;
  std::vector<std::string> asked_;
  std::thread thread_;
};

const route shop{"v1", {"shop.example.org"}, 20'001, 20'002, false, {}};

}  // namespace

TEST_CASE("caddy: one that hangs up is asked again, and what it had done is not done twice", "[unit][routes]") {
  const std::string server = answer("200 OK", R"({"listen":[":80"],"routes":[]})");
  SECTION("nothing was done") {
    scripted caddy({hangs_up, unknown, server, yes});
    REQUIRE(caddy.table()->put(shop).value() == change::made);
    CHECK(caddy.asked().back() == "PUT /config/apps/http/servers/zedops/routes/0");
  }
  SECTION("it was done") {
    scripted caddy({unknown, server, hangs_up, answer("200 OK", R"({"@id":"zedops-v1"})"), yes});
    REQUIRE(caddy.table()->put(shop).value() == change::made);
    CHECK(caddy.asked().back() == "PATCH /id/zedops-v1");
  }
  SECTION("a route is removed") {
    scripted caddy({hangs_up, unknown});
    CHECK(caddy.table()->remove("v1").value() == change::none);
    CHECK(caddy.asked() == std::vector<std::string>(2, "DELETE /id/zedops-v1"));
  }
  SECTION("again and again") {
    scripted caddy(std::vector<std::string>(5, hangs_up));
    const auto r = caddy.table()->put(shop);
    REQUIRE_FALSE(r);
    CHECK(r.error().code == msg::ec::busy);
    CHECK_THAT(r.error().message, Contains("Caddy does not answer"));
  }
}

TEST_CASE("caddy: somebody who is faster, with a route or with the first of all", "[unit][routes]") {
  const auto faster =
      GENERATE(as<std::string>{}, answer("412 Precondition Failed"),
               answer("500 Internal Server Error", R"({"error":"[/zedops] key already exists: zedops"})"));
  scripted caddy({unknown, unknown, faster, unknown, answer("200 OK", R"({"routes":[{"@id":"other"}]})"), yes});
  REQUIRE(caddy.table()->put(shop).value() == change::made);
  CHECK(caddy.asked()[2] == "PUT /config/apps/http/servers/zedops");
  CHECK(caddy.asked().back() == "PUT /config/apps/http/servers/zedops/routes/0");
}
