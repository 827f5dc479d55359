// Files made from the table of verbs. With ZEDOPS_GOLDEN=write, this program writes them instead.
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/support/catch.hpp"
#include "tools/zedctl/cli/help.hpp"

TEST_CASE("zedctl: the reference page matches the table of verbs", "[golden][zedctl][acc-100]") {
  auto path = std::string{ZEDOPS_SOURCE_DIR} + "/docs/zedctl.md";
  auto made = zedops::ctl::reference_page();
  if (std::getenv("ZEDOPS_GOLDEN")) std::ofstream{path} << made;
  std::stringstream committed;
  committed << std::ifstream{path}.rdbuf();
  INFO("docs/zedctl.md is out of date; run zedctl_golden with ZEDOPS_GOLDEN=write");
  REQUIRE(committed.str() == made);
}
