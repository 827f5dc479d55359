#include "actors/manager/records/catalog.hpp"

#include <rapidcheck.h>

#include "tests/support/catch.hpp"

using namespace zedops;
using namespace zedops::manager;
using namespace zedops::msg;

namespace {

template <class F>
std::vector<service_ptr> scan(const catalog& records, F wanted) {
  auto out = records.services();
  std::erase_if(out, [&](const auto& s) { return !wanted(*s); });
  return out;
}

}  // namespace

TEST_CASE("catalog: the services of a project and of an agent are those that a scan finds, whatever is put and removed",
          "[unit][manager]") {
  REQUIRE(rc::check("against a scan", [](const std::vector<std::tuple<uint8_t, uint8_t, uint8_t, uint8_t>>& steps) {
    catalog records;
    const auto one_of_three = [](char letter, int n) { return letter + std::to_string(n % 3); };
    for (const auto& [id, project, agent, what] : steps) {
      service s;
      s.id = {"v" + std::to_string(id % 6)};
      s.name = s.id.value;
      s.project = {one_of_three('p', project)};
      s.agent = {one_of_three('a', agent)};
      s.retention = what;
      s.removed = what % 4 == 1;
      if (what % 4 == 0) records.drop_gone({s.id.value});
      else records.put(std::make_shared<const service>(std::move(s)));
      for (int n = 0; n < 3; ++n) {
        const project_id p{one_of_three('p', n)};
        const agent_id a{one_of_three('a', n)};
        RC_ASSERT(records.services_of(p) == scan(records, [&](const service& x) { return x.project == p; }));
        RC_ASSERT(records.services_of(a) == scan(records, [&](const service& x) { return x.agent == a; }));
      }
    }
  }));
}
