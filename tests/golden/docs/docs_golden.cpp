// The tables of docs/protocol.md. With ZEDOPS_GOLDEN=write, this program writes them instead.
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "integration/http/api/openapi.hpp"
#include "messages/api/operations.hpp"
#include "tests/support/catch.hpp"
#include "tools/docs/message_tables.hpp"

using namespace zedops;

TEST_CASE("docs: the protocol page lists exactly the verbs, bodies, events and errors of the code",
          "[golden][docs][acc-100]") {
  const std::string path = ZEDOPS_SOURCE_DIR "/docs/protocol.md";
  std::stringstream committed;
  committed << std::ifstream{path}.rdbuf();
  auto made = docs::with_tables(committed.str());
  REQUIRE_FALSE(made.empty());
  if (std::getenv("ZEDOPS_GOLDEN")) std::ofstream{path} << made;
  INFO("docs/protocol.md does not match messages/; run docs_golden with ZEDOPS_GOLDEN=write");
  REQUIRE((std::getenv("ZEDOPS_GOLDEN") || committed.str() == made));
}

TEST_CASE("docs: the description of the REST API matches the verbs", "[golden][docs]") {
  const std::string path = ZEDOPS_SOURCE_DIR "/docs/openapi.json";
  std::stringstream committed;
  committed << std::ifstream{path}.rdbuf();
  if (std::getenv("ZEDOPS_GOLDEN")) std::ofstream{path} << web::openapi();
  INFO("docs/openapi.json does not match messages/; run docs_golden with ZEDOPS_GOLDEN=write, then npm run schema");
  REQUIRE((std::getenv("ZEDOPS_GOLDEN") || committed.str() == web::openapi()));
}

TEST_CASE("docs: every body that a verb or event names is described", "[golden][docs]") {
  const auto text = docs::message_tables();
  size_t links = 0;
  for (size_t at = text.find("](#"); at != text.npos; at = text.find("](#", at + 1), ++links) {
    auto name = text.substr(at + 3, text.find(')', at) - at - 3);
    CAPTURE(name);
    CHECK(text.find("\n#### " + name + "\n") != text.npos);
  }
  CHECK(links > msg::verb_table.size());
}
