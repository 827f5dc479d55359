// An agent that lost its state folder: what its errors say, and its way back to its data.
#include "tools/agent/identity.hpp"

#include "persistence/memory_store.hpp"
#include "tests/integration/host/disk.hpp"

using namespace zedops;
using namespace zedops::msg;
using agent::agent_state;
using agent::take_identity;

namespace {

constexpr auto lost = "a0123456789abcd";  // the owner that test::disk marks its root with

struct host_with_lost_state {
  test::disk disk;
  store::memory_store store;
  std::unique_ptr<agent_state> state = std::move(agent_state::open(store, 1, 2).value());
  config::agent_settings settings;

  host_with_lost_state() {
    disk.prepare();
    settings.name = "host1";
    settings.data_path = disk.root.data_path;
    settings.identity = lost;
  }
  error refused() {
    const auto before = state->id();
    auto answer = take_identity(*state, settings);
    REQUIRE_FALSE(answer);
    CHECK_FALSE(answer.error().hint.empty());
    CHECK(state->id() == before);
    return answer.error();
  }
};

}  // namespace

TEST_CASE("identity: the error of an agent without its id says how to restore it", "[integration][agent]") {
  host_with_lost_state h;
  auto refused = host::prepare_root({h.settings.data_path, h.state->id().value});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().hint.find(std::string("--identity ") + lost) != std::string::npos);
  auto look = host::check({{h.settings.data_path, h.state->id().value}, "alpha", {{"data", true}}, {}});
  CHECK(look.state == data_state::unknown);
  CHECK(look.error.find(std::string("--identity ") + lost) != std::string::npos);
}

TEST_CASE("identity: given its id, an agent has its data again, also after the next start", "[integration][agent]") {
  host_with_lost_state h;
  h.disk.write("alpha/data/map.bin");
  REQUIRE(h.state->belong_to("m1"));
  REQUIRE(take_identity(*h.state, h.settings));
  auto again = std::move(agent_state::open(h.store, 3, 4).value());
  CHECK(again->id().value == lost);
  CHECK(again->manager_id() == "m1");
  CHECK(host::prepare_root({h.settings.data_path, again->id().value}) == host::root_made::existed);
  CHECK(h.disk.check("alpha").state == data_state::present);
  CHECK(take_identity(*again, h.settings));  // the flag may stay
}

TEST_CASE("identity: a wrong id, a missing marker or data of its own is refused", "[integration][agent][fc-2]") {
  host_with_lost_state h;
  SECTION("a typo in the id") {
    h.settings.identity = "a0123456789abce";
    CHECK(h.refused().message.find(lost) != std::string::npos);
  }
  SECTION("not an agent id") {
    h.settings.identity = "host1";
    CHECK(h.refused().code == ec::bad_request);
  }
  SECTION("a disk that is not mounted") {
    test::fs::remove(h.disk.servers() / host::marker_name);
    CHECK(h.refused().code == ec::wrong_state);
    CHECK_FALSE(test::fs::exists(h.disk.servers() / host::marker_name));
  }
  SECTION("an agent that has data of its own keeps its id") {
    auto own = (h.disk.path / "own").string();
    REQUIRE(host::prepare_root({own, h.state->id().value}));
    REQUIRE(h.state->remember_root(own));
    CHECK(h.refused().message.find(own) != std::string::npos);
  }
}

TEST_CASE("identity: a marker that was written before the disk was mounted is no obstacle",
          "[integration][agent][fc-2]") {
  host_with_lost_state h;
  // At the first start the mount point was empty, so it was marked; now the disk with the right marker covers it.
  REQUIRE(h.state->remember_root(h.settings.data_path));
  REQUIRE(take_identity(*h.state, h.settings));
  CHECK(h.state->id().value == lost);
}

TEST_CASE("identity: when the state is unreadable, the remedy names the id from the marker of the data",
          "[integration][agent][fc-25]") {
  host_with_lost_state h;
  h.settings.state_dir = "/var/lib/zedops/agent";
  const error damaged{ec::internal, "the store file is damaged", "bring back a backup with zedctl store restore", {}};
  CHECK(agent::with_way_back(damaged, h.settings).hint ==
        std::string("the agent's store is unusable, its servers keep running: move /var/lib/zedops/agent away and "
                    "start it once with --identity ") +
            lost);
  h.settings.data_path += "/not-mounted";
  CHECK(agent::with_way_back(damaged, h.settings).hint.find("zedctl agent describe host1") != std::string::npos);
  const error full{ec::store_full, "no space", "free some", {}};
  CHECK(agent::with_way_back(full, h.settings).hint == "free some");
}
