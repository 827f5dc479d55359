// Both codecs, for every type that has one: what goes in comes out, old and new versions read each other.
#include <rapidcheck.h>

#include <msgpack.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/samples.hpp"

using namespace zedops;
using namespace zedops::msg;
using zedops::testing::sample;

namespace {

// Calls f.template operator()<T>(name) for each type of a list.
template <class F>
void each_array_type(F f) {
#define X(type) f.template operator()<type>(#type);
  ZEDOPS_ARRAY_TYPES(X)
#undef X
}
template <class F>
void each_map_type(F f) {
#define X(type) f.template operator()<type>(#type);
  ZEDOPS_MAP_TYPES(X)
#undef X
}

msgpack::object_handle parsed(const std::string& bytes) { return msgpack::unpack(bytes.data(), bytes.size()); }
std::string bytes_of(const msgpack::object& o) {
  msgpack::sbuffer out;
  msgpack::pack(out, o);
  return {out.data(), out.size()};
}

// The first `count` items of an array, then `more` nils.
std::string cut(const msgpack::object& array, uint32_t count, uint32_t more = 0) {
  msgpack::sbuffer out;
  msgpack::packer<msgpack::sbuffer> p(out);
  p.pack_array(count + more);
  for (uint32_t i = 0; i < count; ++i) p.pack(array.via.array.ptr[i]);
  for (uint32_t i = 0; i < more; ++i) p.pack_nil();
  return {out.data(), out.size()};
}

constexpr size_t alternatives_max = 32;  // more than any variant has

}  // namespace

TEST_CASE("codec: every array type survives a round trip", "[unit][messages]") {
  each_array_type([]<class T>(const char* name) {
    INFO(name);
    for (size_t alternative = 0; alternative < alternatives_max; ++alternative)
      for (bool filled : {true, false}) {
        const auto bytes = pack(sample<T>(7, alternative, filled));
        const auto back = unpack<T>(bytes);
        REQUIRE(back.has_value());
        REQUIRE(pack(*back) == bytes);
      }
  });
}

TEST_CASE("codec: every map type survives a round trip, and JSON has the same content", "[unit][messages][acc-2]") {
  each_map_type([]<class T>(const char* name) {
    INFO(name);
    for (size_t alternative = 0; alternative < alternatives_max; ++alternative)
      for (bool filled : {true, false}) {
        const auto value = sample<T>(7, alternative, filled);
        const auto bytes = pack_map(value);
        const auto json = to_json(value);
        const auto from_bytes = unpack_map<T>(bytes);
        const auto from_text = from_json<T>(json);
        REQUIRE(from_bytes.has_value());
        REQUIRE(from_text.has_value());
        REQUIRE(pack_map(*from_bytes) == bytes);
        REQUIRE(pack_map(*from_text) == bytes);
        REQUIRE(to_json(*from_bytes) == json);
        REQUIRE(from_json<T>(to_json(value, 2)).has_value());
      }
  });
}

TEST_CASE("codec: any seed survives a round trip", "[unit][messages]") {
  REQUIRE(rc::check("round trip of records and link messages", [](uint32_t seed) {
    RC_ASSERT(unpack<server>(pack(sample<server>(seed))) == sample<server>(seed));
    RC_ASSERT(unpack<operation>(pack(sample<operation>(seed))) == sample<operation>(seed));
    RC_ASSERT(unpack<agent>(pack(sample<agent>(seed))) == sample<agent>(seed));
    const auto entry = pack(sample<log_entry>(seed, seed));
    RC_ASSERT(pack(unpack<log_entry>(entry).value()) == entry);
    const auto event = to_json(sample<msg::event>(seed, seed));
    RC_ASSERT(to_json(from_json<msg::event>(event).value()) == event);
  }));
}

TEST_CASE("codec: an older version's shorter arrays and a newer one's longer ones are read",
          "[unit][messages][acc-1]") {
  each_array_type([]<class T>(const char* name) {
    if constexpr (has_fields<T>) {
      INFO(name);
      const auto bytes = pack(sample<T>());
      const auto whole = parsed(bytes);
      const auto size = whole.get().via.array.size;
      REQUIRE(size == T::field_count);
      for (uint32_t n = 0; n <= size; ++n) {
        const auto older = unpack<T>(cut(whole.get(), n));
        REQUIRE(older.has_value());
        // What is present is read, the rest has its defaults.
        const auto again = pack(*older);
        REQUIRE(cut(parsed(again).get(), n) == cut(whole.get(), n));
      }
      const auto newer = unpack<T>(cut(whole.get(), size, 2));
      REQUIRE(newer.has_value());
      REQUIRE(pack(*newer) == bytes);
    }
  });
}

TEST_CASE("codec: a missing field has its default and an unknown one is skipped", "[unit][messages]") {
  each_map_type([]<class T>(const char* name) {
    if constexpr (!std::is_same_v<T, msg::event>) {
      INFO(name);
      REQUIRE(from_json<T>("{}").has_value());
      REQUIRE(from_json<T>(R"({"no such field": [1, {"a": null}]})").has_value());
      REQUIRE(pack_map(unpack_map<T>(std::string(1, '\x80')).value()) == pack_map(T{}));
      REQUIRE(pack_map(unpack_map<T>("\x81\xa3zzz\x92\x01\xc0").value()) == pack_map(T{}));
    }
  });
}

TEST_CASE("codec: public names are those in the documents", "[unit][messages][acc-2]") {
  operation_view v;
  v.failure = error{ec::no_data, "m", "h", {}};
  CHECK(to_json(v).find(R"("error":{"code":"no_data","message":"m","hint":"h")") != std::string::npos);
  CHECK(to_json(create_server{}).find(R"("template":"generic")") != std::string::npos);
  const auto view = to_json(view_of(sample<server>(), nullptr));
  for (const char* field : {"id",          "name",       "agent",        "status",    "desired_state",
                            "data_exists", "data_state", "container_id", "config",    "image",
                            "image_tag",   "game_port",  "udp_port",     "rcon_port", "server_data_path",
                            "deleted_at",  "created_at", "updated_at",   "revision",  "last_error",
                            "operation"})
    CHECK(view.find("\"" + std::string(field) + "\":") != std::string::npos);
  CHECK(to_json(view_of(server{}, nullptr)).find(R"("deleted_at":null)") != std::string::npos);
  CHECK(recovery_policy::automatic == enum_from_name<recovery_policy>("auto"));
}

TEST_CASE("codec: a malformed field is named", "[unit][messages][acc-100]") {
  const auto r = from_json<create_server>(R"({"name": "pz", "game_port": 70000})");
  REQUIRE(!r);
  CHECK(r.error().code == ec::bad_request);
  CHECK(r.error().message.find("game_port") != std::string::npos);
  CHECK(!from_json<create_server>(R"({"recovery": "sometimes"})"));
  CHECK(!from_json<create_server>(R"({"game_port": -1})"));
  CHECK(!from_json<create_server>(R"({"config": ["a"]})"));
  CHECK(bytes_of(parsed(std::string(1, '\x80')).get()) == std::string(1, '\x80'));
}
