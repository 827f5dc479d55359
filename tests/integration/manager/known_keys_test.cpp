// Keys and tokens as the manager's actors change them.
#include "tools/manager/known_keys.hpp"

#include <fstream>
#include <thread>

#include "bus/security/invitation.hpp"
#include "tests/integration/bus/support.hpp"

using namespace zedops;
using namespace std::chrono_literals;
using msg::ec;

namespace {

const msg::time_point noon{std::chrono::hours(24 * 365 * 56)};

struct office {
  bus_test::temp_dir dir;
  app::known_keys keys{dir.path / "authorized_keys", "games.example"};
  const bus::key_pair manager = bus::new_key_pair();

  office() {
    bus::server_bus_options o;
    o.key = manager;
    o.clients_uris = {"ipc:///run/c", "tcp://0.0.0.0:7700"};
    o.agents_uris = {"tcp://0.0.0.0:7701"};
    keys.listens(o);
  }
  bus::invitation invited(const msg::make_token& t) {
    auto r = keys.make_token(t, noon);
    REQUIRE(r.has_value());
    auto line = bus::parse_line(r->line);
    REQUIRE(line.has_value());
    return *line;
  }
  static msg::principal holder(const bus::invitation& i) {
    msg::principal p;
    p.id = "token:" + bus::pair_of_secret(i.secret)->public_key;
    p.enrols = i.agent;
    return p;
  }
  bool admitted(bus::door at, const std::string& key) { return keys.admits(at, key) == bus::admission::yes; }
};

}  // namespace

TEST_CASE("token: one invitation enrols one agent, once, and its secret is not in the file", "[integration][manager]") {
  office o;
  const auto i = o.invited({"host2"});
  CHECK(i == bus::invitation{"host2", i.secret, "games.example", "7700", "7701", o.manager.public_key});
  const auto token = bus::pair_of_secret(i.secret)->public_key;
  CHECK(o.admitted(bus::door::clients, token));
  CHECK_FALSE(o.admitted(bus::door::agents, token));
  CHECK_FALSE(o.admitted(bus::door::events, token));
  std::ifstream file(o.dir.path / "authorized_keys");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  CHECK(text.find(i.secret) == std::string::npos);
  const auto own = bus::new_key_pair().public_key;
  auto done = o.keys.enrol({"host2", own}, office::holder(i), noon + 1min);
  REQUIRE(done.has_value());
  CHECK(done->approved);
  CHECK(o.admitted(bus::door::agents, own));
  CHECK_FALSE(o.admitted(bus::door::clients, token));
  auto again = o.keys.enrol({"host2", bus::new_key_pair().public_key}, office::holder(i), noon + 1min);
  REQUIRE_FALSE(again.has_value());
  CHECK(again.error().code == ec::unauthorised);
  CHECK(o.admitted(bus::door::agents, own));
}

TEST_CASE("keys: a subscriber may connect to the events door only, and watch its own topics",
          "[integration][manager]") {
  office o;
  const auto bot = bus::new_key_pair().public_key, ann = bus::new_key_pair().public_key,
             part = bus::new_key_pair().public_key;
  REQUIRE(o.keys.add({"bot", bot, "subscriber", {}, {}, "operation."}).has_value());
  REQUIRE(o.keys.add({"bot", bot, "subscriber", {}, {}, "agent."}).has_value());
  REQUIRE(o.keys.add({"ann", ann, "viewer", {}, {}}).has_value());
  REQUIRE(o.keys.add({"part", part, "operator", {}, "pz1"}).has_value());
  CHECK(o.admitted(bus::door::events, bot));
  CHECK_FALSE(o.admitted(bus::door::clients, bot));
  CHECK_FALSE(o.admitted(bus::door::agents, bot));
  CHECK(o.keys.may_watch(bot, "operation.o1"));
  CHECK(o.keys.may_watch(bot, "agent."));
  CHECK_FALSE(o.keys.may_watch(bot, "operation"));  // more than it may
  CHECK_FALSE(o.keys.may_watch(bot, ""));
  CHECK(o.keys.may_watch(ann, ""));
  CHECK_FALSE(o.keys.may_watch(part, "server.s1"));
  CHECK_FALSE(o.keys.add({"x", bus::new_key_pair().public_key, "viewer", {}, {}, "server."}).has_value());
  CHECK_FALSE(o.keys.add({"x", bus::new_key_pair().public_key, "subscriber", "host1", {}}).has_value());
  REQUIRE(o.keys.remove({"bot"}).has_value());
  CHECK_FALSE(o.keys.may_watch(bot, "operation.o1"));
}

TEST_CASE("token: used by many at once it enrols one", "[integration][manager]") {
  office o;
  const auto i = o.invited({"host2"});
  std::atomic<int> in{0};
  std::vector<std::thread> all;
  for (int n = 0; n < 8; ++n)
    all.emplace_back([&] {
      if (o.keys.enrol({"host2", bus::new_key_pair().public_key}, office::holder(i), noon)) ++in;
    });
  for (auto& t : all) t.join();
  CHECK(in == 1);
  CHECK(o.keys.keys()->keys.size() == 1);
}

TEST_CASE("token: used too late, for another agent, or for a name that has a key, it is refused",
          "[integration][manager]") {
  office o;
  auto i = o.invited({.agent = "host2", .ttl = msg::duration(60'000)});
  auto late = o.keys.enrol({"host2", bus::new_key_pair().public_key}, office::holder(i), noon + 2min);
  REQUIRE_FALSE(late.has_value());
  CHECK(late.error().message.find("expired at") != std::string::npos);
  i = o.invited({"host2"});
  auto other = o.keys.enrol({"host3", bus::new_key_pair().public_key}, office::holder(i), noon);
  CHECK(other.error().code == ec::forbidden);
  const auto first = bus::new_key_pair().public_key;
  REQUIRE(o.keys.enrol({"host2", first}, office::holder(i), noon).has_value());
  auto taken = o.keys.make_token({"host2"}, noon);
  REQUIRE_FALSE(taken.has_value());
  CHECK(taken.error().code == ec::already_exists);
  i = o.invited({.agent = "host2", .replace = true});
  CHECK(o.admitted(bus::door::agents, first));  // until the other one has enrolled
  const auto second = bus::new_key_pair().public_key;
  REQUIRE(o.keys.enrol({"host2", second}, office::holder(i), noon).has_value());
  CHECK(o.admitted(bus::door::agents, second));
  CHECK_FALSE(o.admitted(bus::door::agents, first));
  REQUIRE(o.keys.add({"ann", bus::new_key_pair().public_key, "viewer", "", ""}).has_value());
  CHECK_FALSE(o.keys.make_token({.agent = "ann", .replace = true}, noon).has_value());
}

TEST_CASE("token: with approval required the agent waits, and is not reported as unknown", "[integration][manager]") {
  office o;
  const auto i = o.invited({.agent = "host2", .approve = true});
  const auto own = bus::new_key_pair().public_key;
  auto done = o.keys.enrol({"host2", own}, office::holder(i), noon);
  REQUIRE(done.has_value());
  CHECK_FALSE(done->approved);
  CHECK(o.keys.admits(bus::door::agents, own) == bus::admission::cannot_tell);
  CHECK(o.keys.approve({"host3"}).error().code == ec::not_found);
  REQUIRE(o.keys.approve({"host2"}).has_value());
  CHECK(o.admitted(bus::door::agents, own));
}

TEST_CASE("keys: concurrent changes from several places are all kept", "[integration][manager]") {
  office o;
  std::vector<std::thread> all;
  for (int n = 0; n < 16; ++n)
    all.emplace_back([&, n] {
      const auto name = "user" + std::to_string(n);
      if (n % 2) (void)o.keys.add({name, bus::new_key_pair().public_key, "viewer", "", ""});
      else
        (void)bus::change_keys(o.dir.path / "authorized_keys", [&](bus::key_list& k) {
          return bus::add_key(k, {name, "viewer", bus::new_key_pair().public_key});
        });
    });
  for (auto& t : all) t.join();
  CHECK(o.keys.keys()->keys.size() == 16);
}

TEST_CASE("keys: an entry that could not be read back is refused, and all other keys keep working",
          "[integration][manager][hostile]") {
  office o;
  const auto ann = bus::new_key_pair().public_key;
  REQUIRE(o.keys.add({"ann", ann, "viewer", {}, {}}).has_value());
  CHECK_FALSE(o.keys.add({"bob", bus::new_key_pair().public_key, "viewer", "two words", {}}).has_value());
  CHECK_FALSE(o.keys.add({"bob", bus::new_key_pair().public_key, "viewer", "x approve", {}}).has_value());
  CHECK_FALSE(o.keys.make_token({.agent = "host2", .ttl = 24h * 9'999'999}, noon).has_value());
  CHECK(o.admitted(bus::door::clients, ann));
  CHECK(o.keys.keys()->keys.size() == 1);
}

TEST_CASE("invitation: a line that is cut off or malformed is refused", "[integration][manager]") {
  office o;
  const auto i = o.invited({"host2"});
  const auto line = bus::to_line(i);
  for (size_t n = 0; n < line.size(); ++n) CHECK_FALSE(bus::parse_line(line.substr(0, n)).has_value());
  auto six = i;
  six.host = "[2001:db8::1]";
  CHECK(bus::parse_line(bus::to_line(six)).value() == six);
  CHECK_FALSE(bus::parse_line("tcp://a:b@c:1/2#d").has_value());
  CHECK_FALSE(bus::parse_line(std::string(5'000, 'a')).has_value());
}
