// A template: whatever its content, its containers are found again and its folders stay below the server's own.
#include "config/template_file.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace zedops;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto t = config::parse_template({reinterpret_cast<const char*>(data), size}, "t.toml");
  if (!t) {
    FUZZ_CHECK(!t.error().message.empty() && !t.error().hint.empty());
    return 0;
  }
  FUZZ_CHECK(t->labels.at("zedops.server.id") == "{id}");
  for (const auto& dir : t->dirs) FUZZ_CHECK(!dir.path.empty() && dir.path[0] != '/' && !dir.path.starts_with("../"));
  const auto value_of = [](std::string_view) { return std::optional<std::string>("{name}"); };
  for (const auto& [key, pattern] : t->labels) (void)msg::expand(pattern, value_of);
  return 0;
}
