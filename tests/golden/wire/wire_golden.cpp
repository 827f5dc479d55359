// The bytes of every stored record and every message, written down. current/ is what this version writes; it follows
// the code when the program runs with ZEDOPS_GOLDEN=write. first/ is what the first version wrote; it never changes,
// and must be read for ever: field lists, variants and enums are append-only.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>

#include "tests/support/catch.hpp"
#include "tests/support/samples.hpp"

using namespace zedops;
using namespace zedops::msg;
using zedops::testing::sample;

namespace {

using lines = std::map<std::string, std::string>;  // name, hex digits

std::string hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (unsigned char c : bytes) {
    out += digits[c >> 4];
    out += digits[c & 15];
  }
  return out;
}

std::string unhex(std::string_view text) {
  std::string out;
  for (size_t i = 0; i + 1 < text.size(); i += 2)
    out += static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
  return out;
}

std::string numbered(std::string_view type, size_t position, std::string_view name) {
  std::string number = std::to_string(position);
  if (number.size() < 2) number.insert(0, "0");
  return std::string(type) + "." + number + "." + std::string(name);
}

const char* const to_agent_names[] = {"welcome",        "refused",       "ping",       "run_command",
                                      "cancel_command", "watch_servers", "sync_query", "data_query",
                                      "port_query",     "logs_query",    "goodbye",
                                      "incidents_taken", "container_query", "layer_query", "watch_usage", "upload_piece", "stray_query"};
const char* const from_agent_names[] = {
    "hello",          "heartbeat",   "inventory",   "observed",    "command_progress",
    "command_result", "data_answer", "port_answer", "logs_answer", "goodbye",     "incidents",
    "container_answer", "welcome_refused", "layer_answer", "usage", "fetch_upload", "service_seen", "stray_answer"};
static_assert(std::size(to_agent_names) == std::variant_size_v<to_agent>, "name the new message at the end");
static_assert(std::size(from_agent_names) == std::variant_size_v<from_agent>, "name the new message at the end");

lines written_arrays() {
  lines out;
#define X(type) out[#type] = hex(pack(sample<type>()));
  ZEDOPS_ARRAY_TYPES(X)
#undef X
  for (size_t i = 0; i < std::variant_size_v<fact>; ++i) {
    log_entry e;  // facts travel within an entry
    e.facts.push_back({"subject", 1, sample<fact>(1, i)});
    out[numbered("fact", i, type_of(e.facts.front().what))] = hex(pack(e));
  }
  for (size_t i = 0; i < std::variant_size_v<to_agent>; ++i)
    out[numbered("to_agent", i, to_agent_names[i])] = hex(pack(sample<to_agent>(1, i)));
  for (size_t i = 0; i < std::variant_size_v<from_agent>; ++i)
    out[numbered("from_agent", i, from_agent_names[i])] = hex(pack(sample<from_agent>(1, i)));
  return out;
}

lines written_maps() {
  lines out;
#define X(type) out[#type] = hex(pack_map(sample<type>()));
  ZEDOPS_MAP_TYPES(X)
#undef X
  for (size_t i = 0; i < std::variant_size_v<fact>; ++i) {
    const auto e = sample<msg::event>(1, i);
    out[numbered("event", i, type_of(e.data))] = hex(pack_map(e));
  }
  return out;
}

std::string path_of(const std::string& file) { return std::string(ZEDOPS_SOURCE_DIR) + "/tests/golden/wire/" + file; }

lines read_lines(const std::string& file) {
  lines out;
  std::ifstream in(path_of(file));
  for (std::string name, digits; in >> name >> digits;) out[name] = digits;
  return out;
}

void write_lines(const std::string& file, const lines& all) {
  std::ofstream out(path_of(file));
  for (const auto& [name, digits] : all) out << name << ' ' << digits << '\n';
}

void compare(const std::string& file, const lines& written) {
  const char* mode = std::getenv("ZEDOPS_GOLDEN");
  if (mode && std::string(mode) == "write") write_lines(file, written);
  const auto golden = read_lines(file);
  REQUIRE(!golden.empty());
  for (const auto& [name, digits] : golden) {
    INFO(file << ": " << name << "; if the change is meant, run wire_golden with ZEDOPS_GOLDEN=write");
    REQUIRE(written.contains(name));
    CHECK(written.at(name) == digits);
  }
  CHECK(golden.size() == written.size());
}

// Reads bytes of another version; returns what this version writes for them, or nothing when they cannot be read.
std::optional<std::string> reread_array(const std::string& name, const std::string& bytes) {
  const auto family = name.substr(0, name.find('.'));
  if (family == "fact") {
    auto v = unpack<log_entry>(bytes);
    return v ? std::optional(pack(*v)) : std::nullopt;
  }
#define X(type)                                        \
  if (family == #type) {                               \
    auto v = unpack<type>(bytes);                      \
    return v ? std::optional(pack(*v)) : std::nullopt; \
  }
  ZEDOPS_ARRAY_TYPES(X)
#undef X
  return std::nullopt;
}

bool map_is_read(const std::string& name, const std::string& bytes) {
  const auto family = name.substr(0, name.find('.'));
#define X(type) \
  if (family == #type) return unpack_map<type>(bytes).has_value();
  ZEDOPS_MAP_TYPES(X)
#undef X
  return false;
}

}  // namespace

TEST_CASE("wire: the bytes of records and link messages match the golden files", "[golden][wire][acc-1]") {
  compare("current/arrays.hex", written_arrays());
}

TEST_CASE("wire: the bytes of public messages match the golden files", "[golden][wire][acc-2]") {
  compare("current/maps.hex", written_maps());
}

TEST_CASE("wire: what the first version wrote is still read, and nothing in it has moved", "[golden][wire][acc-1]") {
  const auto arrays = read_lines("first/arrays.hex");
  REQUIRE(arrays.size() >= 53);
  const auto now = written_arrays();
  for (const auto& [name, digits] : arrays) {
    INFO(name);
    const auto bytes = unhex(digits);
    const auto again = reread_array(name, bytes);
    REQUIRE(again);
    CHECK(now.contains(name));  // the name carries the tag: an alternative that moved has another one
    // Fields are only ever added behind the old ones, so nothing that was read is lost on the way out.
    CHECK(again->size() >= bytes.size());
    if (again->size() == bytes.size()) CHECK(*again == bytes);
  }
  const auto maps = read_lines("first/maps.hex");
  REQUIRE(maps.size() >= 65);
  for (const auto& [name, digits] : maps) {
    INFO(name);
    CHECK(map_is_read(name, unhex(digits)));
  }
}
