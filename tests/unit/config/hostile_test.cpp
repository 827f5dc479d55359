// Neither parser throws or hangs, whatever the bytes.
#include <rapidcheck.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "config/settings/settings.hpp"
#include "config/template_file.hpp"
#include "tests/support/catch.hpp"

using namespace zedops;
using namespace zedops::config;

namespace {
// Good text with a few bytes changed, cut, doubled or inserted: gets further into a parser than noise.
std::string mutated(std::string text) {
  auto changes = *rc::gen::inRange(1, 8);
  for (int i = 0; i < changes && !text.empty(); ++i) {
    auto at = *rc::gen::inRange<size_t>(0, text.size());
    auto length = std::min<size_t>(*rc::gen::inRange<size_t>(1, 40), text.size() - at);
    switch (*rc::gen::inRange(0, 4)) {
      case 0: text[at] = *rc::gen::arbitrary<char>(); break;
      case 1: text.erase(at, length); break;
      case 2: text.insert(at, text.substr(*rc::gen::inRange<size_t>(0, text.size()), length)); break;
      default: text.insert(at, 1, *rc::gen::element('"', '[', ']', '{', '}', '=', '\n', '.', '-', '9')); break;
    }
  }
  return text;
}

// A refusal says where and what to do.
void is_explained(const msg::error& e) {
  RC_ASSERT(!e.message.empty());
  RC_ASSERT(!e.hint.empty());
}

struct temporary_file {
  std::string path = "/tmp/zedops-hostile-XXXXXX";
  temporary_file() {
    int fd = mkstemp(path.data());
    REQUIRE(fd >= 0);
    close(fd);
  }
  ~temporary_file() { unlink(path.c_str()); }
};
}  // namespace

TEST_CASE("template: random bytes are refused with an explanation", "[unit][config][fuzz]") {
  REQUIRE(rc::check("bytes", [](const std::string& bytes) {
    if (auto t = parse_template(bytes, "t.toml"); !t) is_explained(t.error());
  }));
}

TEST_CASE("template: mutations of good templates are read or refused with an explanation", "[unit][config][fuzz]") {
  REQUIRE(rc::check("mutations", [] {
    auto file = *rc::gen::elementOf(builtin_template_files());
    auto t = parse_template(mutated(std::string{file.text}), "t.toml");
    if (!t) return is_explained(t.error());
    RC_ASSERT(t->labels.at("zedops.server.id") == "{id}");  // whatever was changed, containers are found again
    for (const auto& dir : t->dirs) RC_ASSERT(dir.path.find("../") == std::string::npos && dir.path[0] != '/');
  }));
}

namespace {
std::string deep(size_t bytes) {
  std::string key = "a";
  while (key.size() + 2 < bytes) key += ".a";
  return key;
}
}  // namespace

TEST_CASE("template: deep nesting is refused before it can overflow the stack", "[unit][config][fuzz]") {
  auto refusal = [](const std::string& text) {
    auto t = parse_template(text, "t.toml");
    return t ? "read" : t.error().message;
  };
  const std::string too_deep = ": a key has more than 16 parts";
  REQUIRE(refusal("[" + deep(60'000) + "]\n") == "t.toml:1:33" + too_deep);
  REQUIRE(refusal("x = 1\n" + deep(60'000) + " = 1\n") == "t.toml:2:32" + too_deep);
  REQUIRE(refusal("x = { " + deep(60'000) + " = 1 }\n") == "t.toml:1:38" + too_deep);
  // Strings and comments neither hide what follows them nor count their own dots.
  for (const std::string before :
       {R"(x = "\"")", R"(x = """"a""""")", R"(x = '\')", R"(x = '''a'''')", R"(# ")", R"('"' = 1)", R"(x = "")",
        R"(x = '')", R"(x = "......................")", R"(x = """....................""" # .....................)"}) {
    INFO(before);
    REQUIRE(refusal(before + "\n").find(too_deep) == std::string::npos);
    REQUIRE(refusal(before + "\n[" + deep(50'000) + "]\n") == "t.toml:2:33" + too_deep);
  }
  REQUIRE(refusal("a = " + std::string(60'000, '[')).rfind("t.toml:1:", 0) == 0);
  std::string mixed;  // the deepest that passes the measure: nested values below longest keys
  for (int i = 0; i < 250; ++i) mixed += deep(30) + " = [{";
  REQUIRE(refusal(mixed).rfind("t.toml:1:", 0) == 0);
}

TEST_CASE("settings: mutations of the sample file are read or refused with an explanation", "[unit][config][fuzz]") {
  temporary_file file;
  std::string sample = sample_file<manager_settings>();
  for (size_t at = 0; (at = sample.find("\n#", at)) != std::string::npos; ++at)
    if (sample[at + 2] != ' ') sample.erase(at + 1, 1);
  REQUIRE(rc::check("mutations", [&] {
    std::ofstream{file.path, std::ios::trunc} << mutated(sample);
    auto m = load_settings<manager_settings>({{"--config", file.path}, {}, "host-1", true});
    if (!m) is_explained(m.error());
  }));
}

TEST_CASE("settings: hostile arguments and variables are read or refused with an explanation", "[unit][config][fuzz]") {
  REQUIRE(rc::check("arguments", [](std::vector<std::string> arguments, const std::string& value) {
    auto key = *rc::gen::element<std::string>("AGENTS", "RETENTION", "HISTORY_MAX", "LOG_LEVEL", "DATA_DIR", "CONFIG");
    auto m = load_settings<manager_settings>({arguments, {{"ZEDOPS_" + key, value}}, "host-1", true});
    if (!m) is_explained(m.error());
    arguments = {"--" + *rc::gen::element<std::string>("agents", "lanes", "name", "manager", "docker-host"), value};
    auto a = load_settings<agent_settings>({arguments, {}, value, true});
    if (!a) is_explained(a.error());
  }));
}
