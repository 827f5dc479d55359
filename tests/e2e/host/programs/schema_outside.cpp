// zedops-manager-schema: the unchanged manager, as a later version would be whose store has a newer schema.
//   ZEDOPS_TEST_SCHEMA     what it writes (2)
//   ZEDOPS_TEST_MIGRATION  its step from schema 1: "works" (default), "fails", "throws"; "none": there is no step
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "tools/manager/outside.hpp"

namespace zedops::app {
namespace {

std::string from_environment(const char* name, const char* fallback) {
  const char* text = std::getenv(name);
  return text ? text : fallback;
}

// Rewrites every server, as a migration would, and leaves a note.
store::result<void> step(store::writer& w, const std::string& how) {
  std::vector<std::pair<std::string, std::string>> rows;
  auto read = w.scan(
      store::table::servers, {}, store::direction::forward,
      [&](std::string_view key, std::string_view value) { return rows.emplace_back(key, value), true; },
      [](const store::corrupt_record&) {});
  if (!read) return read;
  for (const auto& [key, value] : rows)
    if (auto ok = w.put(store::table::servers, key, value); !ok) return ok;
  if (auto ok = w.put(store::table::meta, "test.migrated", std::to_string(rows.size())); !ok) return ok;
  if (how == "throws") throw std::runtime_error("a defect of the step");
  if (how == "fails") return msg::fail(msg::ec::internal, "the step has found what it cannot read", "");
  return {};
}

}  // namespace

store::result<std::unique_ptr<store::store>> open_store(store::lmdb_options options) {
  options.schema = static_cast<uint32_t>(std::stoul(from_environment("ZEDOPS_TEST_SCHEMA", "2")));
  const auto how = from_environment("ZEDOPS_TEST_MIGRATION", "works");
  if (how != "none")
    options.migrations.push_back({1, "a step for tests", [how](store::writer& w) { return step(w, how); }});
  return store::open_lmdb(std::move(options));
}

}  // namespace zedops::app
