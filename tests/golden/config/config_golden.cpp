// Files made from the tables of settings. With ZEDOPS_GOLDEN=write, this program writes them instead.
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "config/settings/settings.hpp"
#include "tests/support/catch.hpp"

using namespace zedops::config;

namespace {
void compare(const std::string& path, const std::string& made) {
  auto full = std::string{ZEDOPS_SOURCE_DIR} + "/" + path;
  if (std::getenv("ZEDOPS_GOLDEN")) std::ofstream{full} << made;
  std::stringstream committed;
  committed << std::ifstream{full}.rdbuf();
  INFO(path << " is not what the table of settings says; run config_golden with ZEDOPS_GOLDEN=write");
  REQUIRE(committed.str() == made);
}
}  // namespace

TEST_CASE("settings: the reference page matches the table", "[golden][config][acc-100]") {
  compare("docs/settings.md", settings_reference());
}

TEST_CASE("settings: the sample files match the tables", "[golden][config][acc-100]") {
  compare("config/samples/manager.toml", sample_file<manager_settings>());
  compare("config/samples/agent.toml", sample_file<agent_settings>());
}
