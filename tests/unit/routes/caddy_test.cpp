// The adapter with a scripted Caddy: one that hangs up, one that another client changes.
#include "integration/routes/caddy.hpp"

#include <thread>

#include "tests/support/catch.hpp"
#include "tests/support/tcp.hpp"
#include "tests/support/temp_dir.hpp"

using namespace zedops;
using namespace zedops::routes;
using Catch::Matchers::Contains;

namespace {

struct said {
  std::string status, body = "null", header = "";
};
const said hangs_up, yes{"200 OK"}, unknown{"404 Not Found"};

// One answer for each connection, in order, with its own port in place of PORT.
class scripted {
 public:
  explicit scripted(std::vector<said> answers) : answers_(std::move(answers)) {
    port_.listen();
    thread_ = std::thread([this] { serve(); });
  }
  ~scripted() {
    if (thread_.joinable()) thread_.join();
  }
  scripted(const scripted&) = delete;
  scripted& operator=(const scripted&) = delete;

  std::unique_ptr<route_table> table() const {
    return make_caddy(
        parse_caddy("127.0.0.1:" + std::to_string(port_.number), "zedops", ":80", folder_.path().string()).value());
  }
  // The requests, once all answers are given: method and path.
  const std::vector<std::string>& asked() {
    if (thread_.joinable()) thread_.join();
    return asked_;
  }

 private:
  void serve() {
    for (const auto& a : answers_) {
      const int c = ::accept(port_.fd, nullptr, nullptr);
      std::string text(65'536, '\0');
      text.resize(static_cast<size_t>(std::max<ssize_t>(0, ::recv(c, text.data(), text.size(), 0))));
      asked_.push_back(text.substr(0, text.find(" HTTP/")));
      if (a.status.empty()) {
        const linger now{1, 0};
        ::setsockopt(c, SOL_SOCKET, SO_LINGER, &now, sizeof now);
      } else {
        auto body = a.body;
        if (const auto i = body.find("PORT"); i != body.npos) body.replace(i, 4, std::to_string(port_.number));
        const auto all = "HTTP/1.1 " + a.status + "\r\nEtag: \"e1\"\r\n" + a.header +
                         "Connection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
        (void)::send(c, all.data(), all.size(), MSG_NOSIGNAL);
      }
      ::close(c);
    }
  }

  test::held_port port_;
  test::temp_dir folder_;
  const std::vector<said> answers_;
  std::vector<std::string> asked_;
  std::thread thread_;
};

const route shop{"v1", {"shop.example.org"}, 20'001, 20'002, false, {}};

said listening(const std::string& at) {
  return {"200 OK", R"({"https_port":1,"servers":{"zedops":{"listen":[)" + at + "]}}}"};
}

}  // namespace

TEST_CASE("caddy: after a hang-up the request is repeated, and what was done is not done twice", "[unit][routes]") {
  const said server{"200 OK", R"({"listen":[":80"],"routes":[]})"};
  SECTION("nothing was done") {
    scripted caddy({hangs_up, unknown, server, yes});
    REQUIRE(caddy.table()->put(shop).value() == change::made);
    CHECK(caddy.asked().back() == "PUT /config/apps/http/servers/zedops/routes/0");
  }
  SECTION("it was done") {
    scripted caddy({unknown, server, hangs_up, {"200 OK", R"({"@id":"zedops-v1"})"}, yes});
    REQUIRE(caddy.table()->put(shop).value() == change::made);
    CHECK(caddy.asked().back() == "PATCH /id/zedops-v1");
  }
  SECTION("a route is removed") {
    scripted caddy({hangs_up, unknown});
    CHECK(caddy.table()->remove("v1").value() == change::none);
    CHECK(caddy.asked() == std::vector<std::string>(2, "DELETE /id/zedops-v1"));
  }
  SECTION("it hangs up every time") {
    scripted caddy(std::vector<said>(5, hangs_up));
    const auto r = caddy.table()->put(shop);
    REQUIRE_FALSE(r);
    CHECK(r.error().code == msg::ec::busy);
    CHECK_THAT(r.error().message, Contains("Caddy does not answer"));
  }
}

TEST_CASE("caddy: another client is faster, with a route or with the very first one", "[unit][routes]") {
  const auto faster =
      GENERATE(values<said>({{"412 Precondition Failed"},
                             {"500 Internal Server Error", R"({"error":"[/zedops] key already exists: zedops"})"}}));
  scripted caddy({unknown, unknown, faster, unknown, {"200 OK", R"({"routes":[{"@id":"other"}]})"}, yes});
  REQUIRE(caddy.table()->put(shop).value() == change::made);
  CHECK(caddy.asked()[2] == "PUT /config/apps/http/servers/zedops");
  CHECK(caddy.asked().back() == "PUT /config/apps/http/servers/zedops/routes/0");
}

TEST_CASE("caddy: a visitor uses the address where its server listens", "[unit][routes]") {
  const auto address = GENERATE(as<std::string>{}, R"("tcp/127.0.0.1:PORT")", R"("unix//run/caddy.sock",":PORT")",
                                R"("[::]:PORT",":80-90","0.0.0.0:1")");
  scripted caddy({listening(address), {"503 Service Unavailable"}});
  CHECK(caddy.table()->visit(shop, "/well").value() == std::optional(503U));
  CHECK(caddy.asked().back() == "GET /well");
}

TEST_CASE("caddy: an address that this host cannot reach is no error", "[unit][routes]") {
  SECTION("no server") {
    scripted caddy(std::vector<said>{yes});
    CHECK(caddy.table()->visit(shop, "/").value() == std::nullopt);
  }
  SECTION("a socket file only") {
    scripted caddy(std::vector<said>{listening(R"("unix//run/caddy.sock")")});
    CHECK(caddy.table()->visit(shop, "/").value() == std::nullopt);
  }
  SECTION("nothing listens: it has its own network") {
    const test::held_port nobody;
    scripted caddy(std::vector<said>{listening("\":" + std::to_string(nobody.number) + "\"")});
    CHECK(caddy.table()->visit(shop, "/").value() == std::nullopt);
  }
  SECTION("redirected to TLS, where there is no certificate") {
    scripted caddy({listening(R"(":PORT","127.0.0.1:1")"),
                    {"308 Permanent Redirect", "", "Location: https://shop.example.org/\r\n"}});
    CHECK(caddy.table()->visit(shop, "/").value() == std::nullopt);
  }
}
