#include "tools/zedctl/output/yaml.hpp"

#include "tests/support/catch.hpp"

using zedops::ctl::yaml_from_json;
using zedops::ctl::yaml_scalar;

TEST_CASE("yaml: words that a reader would misinterpret are quoted", "[unit][zedctl]") {
  for (const char* text :
       {"no",   "NO",       "Yes",        "on", "off", "true", "null", "~",    "",     "y",    "1",  "1.5", "1e3",
        "0x1f", "12:30:00", "2024-05-01", "-",  "- a", " x",   "x ",   "a: b", "#x",   "a #b", "*x", "&x",  "!x",
        "%x",   "@x",       "`x",         "[x", "{x",  ">",    "|",    "?",    "a\tb", ".inf", "=",  "<<",  "é"}) {
    INFO(text);
    CHECK(yaml_scalar(text).front() == '"');
  }
}

TEST_CASE("yaml: ordinary words stay plain", "[unit][zedctl]") {
  for (const char* text :
       {"pz1", "running", "/var/lib/x", "norway", "steam-zomboid", "two words", "a, b", "_x", "v1.2"})
    CHECK(yaml_scalar(text) == text);
}

TEST_CASE("yaml: nested values", "[unit][zedctl]") {
  CHECK(yaml_from_json(R"({"a":1,"b":{"c":null,"d":[]},"e":[1,"no",{"x":true,"y":[{"z":{}}]}],"f":[[1,2],[]]})") ==
        "a: 1\n"
        "b:\n"
        "  c: null\n"
        "  d: []\n"
        "e:\n"
        "  - 1\n"
        "  - \"no\"\n"
        "  - x: true\n"
        "    \"y\":\n"
        "      - z: {}\n"
        "f:\n"
        "  -\n"
        "    - 1\n"
        "    - 2\n"
        "  - []\n");
}

TEST_CASE("yaml: several lines are a block that keeps its line ends", "[unit][zedctl]") {
  CHECK(yaml_from_json(R"({"a":"one\ntwo\n"})") == "a: |\n  one\n  two\n");
  CHECK(yaml_from_json(R"({"a":"one\n  two"})") == "a: |-\n  one\n    two\n");
  CHECK(yaml_from_json(R"({"a":"x\n\ny\n\n","b":1})") == "a: |+\n  x\n\n  y\n\nb: 1\n");
  CHECK(yaml_from_json(R"({"a":" lead\nx"})") == "a: \" lead\\nx\"\n");
  CHECK(yaml_from_json(R"({"a":"\nx"})") == "a: \"\\nx\"\n");
  CHECK(yaml_from_json(R"(["one\ntwo"])") == "- |-\n  one\n  two\n");
}

TEST_CASE("yaml: a top-level list and scalars", "[unit][zedctl]") {
  CHECK(yaml_from_json(R"([{"a":1},{"a":2}])") == "- a: 1\n- a: 2\n");
  CHECK(yaml_from_json("[]") == "[]\n");
  CHECK(yaml_from_json("\"no\"") == "\"no\"\n");
}

TEST_CASE("yaml: characters that YAML does not allow as printable are escaped", "[unit][zedctl]") {
  CHECK(yaml_scalar("a\x7f") == "\"a\\x7f\"");
  CHECK(yaml_scalar("a\xc2\x85") == "\"a\\x85\"");
  CHECK(yaml_scalar("a\xe2\x80\xa8") == "\"a\\u2028\"");
  CHECK(yaml_scalar("\xef\xbb\xbf") == "\"\\ufeff\"");
  CHECK(yaml_scalar("\xc2\xa0\xc3\xa4") == "\"\xc2\xa0\xc3\xa4\"");
}
