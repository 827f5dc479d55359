// What an agent remembers of the keys of its manager.
#include "tools/agent/manager_keys.hpp"

#include <fstream>

#include "bus/security/keys.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

using namespace zedops;
using agent::manager_keys;

namespace {

struct host {
  test::temp_dir dir;
  const std::string first = bus::new_key_pair().public_key, second = bus::new_key_pair().public_key;
  manager_keys started(const std::string& configured) { return manager_keys::open(dir.path(), configured).value(); }
};

}  // namespace

TEST_CASE("manager keys: the next key is kept, and takes over once the manager has answered with it",
          "[integration][agent]") {
  host h;
  auto k = h.started(h.first);
  CHECK(k.current() == h.first);
  CHECK(k.next().empty());
  REQUIRE(k.learn(h.second, h.first));
  k = h.started(h.first);
  CHECK(k.current() == h.first);
  CHECK(k.next() == h.second);
  REQUIRE(k.learn({}, h.second));  // the manager has changed its key and names no other
  k = h.started(h.first);
  CHECK(k.current() == h.second);
  CHECK(k.next().empty());
}

TEST_CASE("manager keys: a rotation that is cancelled leaves nothing", "[integration][agent]") {
  host h;
  auto k = h.started(h.first);
  REQUIRE(k.learn(h.second, h.first));
  REQUIRE(k.learn({}, h.first));
  k = h.started(h.first);
  CHECK(k.current() == h.first);
  CHECK(k.next().empty());
}

TEST_CASE("manager keys: a new key in the settings overrides the remembered one", "[integration][agent]") {
  host h;
  REQUIRE(h.started(h.first).learn({}, h.second));
  const auto third = bus::new_key_pair().public_key;
  CHECK(h.started(third).current() == third);
}

TEST_CASE("manager keys: an invalid key is not learnt, and a damaged file counts as none", "[integration][agent]") {
  host h;
  auto k = h.started(h.first);
  REQUIRE(k.learn("rubbish", h.first));
  CHECK(k.next().empty());
  std::ofstream(h.dir.path() / "manager_keys") << h.first << "\nrubbish\n";
  CHECK(h.started(h.first).current() == h.first);
}

TEST_CASE("manager keys: a key that could not be written is not reported as kept", "[integration][agent]") {
  host h;
  auto k = h.started(h.first);
  std::filesystem::remove_all(h.dir.path());
  CHECK_FALSE(k.learn(h.second, h.first));
  CHECK(k.next().empty());
}
