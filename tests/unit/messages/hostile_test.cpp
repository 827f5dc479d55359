// Bytes from anywhere: an error value at worst, never an exception, a crash or excessive memory.
#include <rapidcheck.h>

#include "tests/support/catch.hpp"
#include "tests/support/samples.hpp"

using namespace zedops;
using namespace zedops::msg;
using zedops::testing::sample;

namespace {

// Whatever is accepted can be written again; nothing else is promised for rubbish.
void try_all(const std::string& bytes) {
#define X(type) \
  if (auto v = unpack<type>(bytes)) (void)pack(*v);
  ZEDOPS_ARRAY_TYPES(X)
#undef X
}
void try_doors(const std::string& bytes) {
#define X(type)                                            \
  if (auto v = unpack_map<type>(bytes)) (void)to_json(*v); \
  if (auto v = from_json<type>(bytes)) (void)pack_map(*v);
  X(create_server) X(edit_server) X(check_ports) X(check_data) X(replay_events) X(event_page) X(server_list) X(error)
#undef X
}

std::string repeated(const std::string& part, size_t times) {
  std::string out;
  out.reserve(part.size() * times);
  for (size_t i = 0; i < times; ++i) out += part;
  return out;
}

std::string mutated(std::string bytes, const std::vector<std::pair<uint16_t, uint8_t>>& changes) {
  for (auto [at, value] : changes)
    if (!bytes.empty()) bytes[at % bytes.size()] = static_cast<char>(value);
  return bytes;
}

}  // namespace

TEST_CASE("hostile bytes: random ones are survived", "[unit][messages][hostile]") {
  REQUIRE(rc::check("random bytes", [](const std::vector<uint8_t>& v) {
    const std::string bytes(v.begin(), v.end());
    try_all(bytes);
    try_doors(bytes);
  }));
}

TEST_CASE("hostile bytes: changed and cut valid ones are survived", "[unit][messages][hostile]") {
  REQUIRE(rc::check("mutated messages", [](uint8_t alternative,
                                           const std::vector<std::pair<uint16_t, uint8_t>>& changes, uint16_t length) {
    for (const auto& valid : {pack(sample<from_agent>(1, alternative)), pack(sample<to_agent>(1, alternative)),
                              pack(sample<log_entry>(1, alternative)), pack(sample<server>())}) {
      const auto bad = mutated(valid, changes);
      try_all(bad);
      try_all(bad.substr(0, length % (bad.size() + 1)));
    }
    try_doors(mutated(pack_map(sample<event_page>(1, alternative)), changes));
    try_doors(mutated(to_json(sample<event_page>(1, alternative)), changes));
    try_doors(mutated(to_json(sample<edit_server>()), changes));
  }));
}

TEST_CASE("hostile bytes: deep nesting is refused", "[unit][messages][hostile]") {
  for (size_t depth : {33u, 1000u, 1'000'000u}) {
    CHECK(!unpack<server>(repeated("\x91", depth)));
    CHECK(!unpack<server>(repeated("\x91", depth) + "\xc0"));
    CHECK(!unpack_map<create_server>(repeated("\x81\xa1x", depth) + "\xc0"));
    CHECK(!from_json<create_server>("{\"zzz\":" + repeated("[", depth * 4) + repeated("]", depth * 4) + "}"));
  }
}

TEST_CASE("hostile bytes: a body nested too deeply has no other form, and does not end the process",
          "[unit][messages][hostile]") {
  for (const auto* part : {"\x91", "\x81\xa1x", "\xdc\x01\x01"})
    for (size_t depth : {33u, 100'000u, 1'000'000u}) {
      const auto bytes = repeated(part, depth) + "\xc0";
      CHECK(encoding_free(bytes) == bytes);
    }
  const auto within = repeated("\x81\xa1x", 32) + "\xc0";
  CHECK(encoding_free(within).ends_with("null" + repeated("}", 32)));
}

TEST_CASE("hostile bytes: brackets within strings neither hide depth nor feign it", "[unit][messages][hostile]") {
  // Each level closes one bracket within a string: a count that looked into strings would stay at two.
  CHECK(
      !from_json<create_server>("{\"zzz\":" + repeated("[\"]\\\"]\",", 200'000) + "1" + repeated("]", 200'000) + "}"));
  const auto r = from_json<create_server>(R"({"name":")" + repeated("[{", 500) + R"("})");
  REQUIRE(r.has_value());
  CHECK(r->name.size() == 1000);
}

TEST_CASE("hostile bytes: false lengths are refused before memory is allocated", "[unit][messages][hostile]") {
  const std::string array_of_a_million("\xdd\x00\x10\x00\x00", 5);
  const std::string map_of_a_million("\xdf\x00\x10\x00\x00", 5);
  const std::string six_texts("\x97\xa0\xa0\xa0\xa0\xa0\xa0", 7);  // then comes the configuration, a map
  for (const auto& head : {array_of_a_million, repeated(array_of_a_million, 30), six_texts + map_of_a_million}) {
    const auto r = unpack<server>(head);
    REQUIRE(!r);
    CHECK(r.error().message.find("more items than it has bytes") != std::string::npos);
  }
  CHECK(!unpack<server>(map_of_a_million));
  // A small message may claim in each head no more than its bytes, however deep the heads are nested.
  CHECK(!unpack<server>(repeated(std::string("\xdc\x00\x60", 3), 32) + std::string(4, '\0')));
  const auto large = repeated("\xc0", 9'000);  // larger ones are added up: thirty heads, each within the bytes
  const auto r = unpack<server>(repeated(std::string("\xdc\x20\x00", 3), 30) + large);
  REQUIRE(!r);
  CHECK(r.error().message.find("more items than it has bytes") != std::string::npos);
  CHECK(!unpack<server>(std::string("\xdb\xff\xff\xff\xff", 5) + "abc"));
  CHECK(!unpack<server>(std::string("\xc6\xff\xff\xff\xff", 5) + "abc"));
  CHECK(!unpack<server>(std::string("\xdd\xff\xff\xff\xff", 5)));
}

TEST_CASE("hostile bytes: a long list of rubbish ends at its first item", "[unit][messages][hostile]") {
  constexpr size_t items = 1'000'000;
  const std::string head("\xdd\x00\x0f\x42\x40", 5);
  // inventory{request 0, servers [nil, nil, ...]}: an observation is some hundred bytes, a nil is one
  const std::string bytes = "\x92\x02\x92" + std::string(1, '\0') + head + repeated("\xc0", items);
  CHECK(!unpack<from_agent>(bytes));
}

TEST_CASE("hostile bytes: one-byte items in place of records take no more memory than the message may",
          "[unit][messages][hostile]") {
  const std::string head("\xdd\x00\x0f\x42\x40", 5);
  // A million observations, each an array without fields.
  const auto r = unpack<from_agent>("\x92\x02\x92" + std::string(1, '\0') + head + repeated("\x90", 1'000'000));
  REQUIRE(!r);
  CHECK(r.error().message.find("more memory than a message of this size may") != std::string::npos);
  // A real message of a large host.
  inventory large;
  for (int i = 0; i < 10'000; ++i) {
    observation o;
    o.server = {"s" + std::to_string(i)};
    large.servers.push_back(o);
  }
  CHECK(unpack<from_agent>(pack(from_agent{large})));
}

TEST_CASE("hostile bytes: numbers and names out of range are refused", "[unit][messages][hostile]") {
  CHECK(!unpack<orphan_data>("\x91\x05"));
  CHECK(!unpack<from_agent>("\x92\x7f\x90"));
  CHECK(!unpack<from_agent>("\x91\x01"));
  CHECK(!unpack<from_agent>("\x92\xff\x90"));
  CHECK(!unpack_map<create_server>("\x81\xa8recovery\x05"));
  CHECK(!unpack_map<create_server>("\x81\xa9game_port\xce\x00\x01\x00\x00"));
  CHECK(
      !unpack_map<error>("\x81\xa4"
                         "code\xa5wrong"));
  operation op;
  auto bytes = pack(op);
  REQUIRE(unpack<operation>(bytes));
  // field 1 is the kind; after the empty id (0x91 array? no: an id is its text) comes its number
  bytes[4] = '\x7f';
  CHECK(!unpack<operation>(bytes));
}

TEST_CASE("hostile bytes: text that is not UTF-8 can be written as JSON all the same", "[unit][messages][hostile]") {
  create_server r;
  r.name = "\xff\xfe\x80";
  CHECK(from_json<create_server>(to_json(r)).has_value());
}

TEST_CASE("hostile bytes: any time can be written", "[unit][messages][hostile]") {
  for (int64_t ms : {INT64_MIN, INT64_MIN + 1, int64_t{-1}, int64_t{1}, INT64_MAX - 1, INT64_MAX}) {
    server_view v;
    v.created_at = time_point{duration{ms}};
    CHECK_NOTHROW(to_json(v));
  }
}
