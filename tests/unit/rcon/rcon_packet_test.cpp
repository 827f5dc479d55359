#include "integration/rcon/rcon_packet.hpp"

#include <rapidcheck.h>

#include "tests/support/catch.hpp"

using namespace zedops::rcon;
using namespace std::string_literals;

TEST_CASE("rcon: a login packet has the bytes that the protocol says", "[unit][rcon]") {
  CHECK(encode(1, packet_type::login, "pw") == "\x0c\0\0\0\x01\0\0\0\x03\0\0\0pw\0\0"s);
}

TEST_CASE("rcon: packets are read however the stream is cut", "[unit][rcon]") {
  REQUIRE(rc::check("cut and reassembled", [] {
    auto bodies = *rc::gen::container<std::vector<std::string>>(rc::gen::string<std::string>());
    std::string stream;
    for (size_t i = 0; i < bodies.size(); ++i) {
      while (!bodies[i].empty() && bodies[i].back() == '\0') bodies[i].pop_back();
      stream += encode(static_cast<int32_t>(i) - 1, packet_type::reply, bodies[i]);
    }
    packet_reader reader;
    size_t seen = 0;
    while (!stream.empty()) {
      auto n = *rc::gen::inRange<size_t>(1, stream.size() + 1);
      reader.feed(stream.substr(0, n));
      stream.erase(0, n);
      for (;;) {
        auto next = reader.next();
        RC_ASSERT(next.has_value());
        if (!*next) break;
        RC_ASSERT((*next)->id == static_cast<int32_t>(seen) - 1);
        RC_ASSERT((*next)->body == bodies.at(seen));
        ++seen;
      }
    }
    RC_ASSERT(seen == bodies.size());
  }));
}

TEST_CASE("rcon: a size outside the limits ends the conversation at once", "[unit][rcon]") {
  for (auto size : {"\xff\xff\xff\xff"s, "\0\0\0\0"s, "\x09\0\0\0"s, "\xff\xff\xff\x7f"s, "\x01\0\x01\0"s, "HTTP"s}) {
    packet_reader reader;
    reader.feed(size);
    auto next = reader.next();
    REQUIRE_FALSE(next);
    CHECK(next.error().code == zedops::msg::ec::engine_error);
  }
}

TEST_CASE("rcon: hostile bytes give packets or an error, never anything else", "[unit][rcon]") {
  REQUIRE(rc::check("random bytes", [](const std::string& bytes) {
    packet_reader reader;
    reader.feed(bytes);
    for (;;) {
      auto next = reader.next();
      if (!next || !*next) break;
      RC_ASSERT((*next)->body.size() <= bytes.size());
    }
  }));
}

TEST_CASE("rcon: any number of zeros at the end of a text are terminators", "[unit][rcon]") {
  packet_reader reader;
  reader.feed(encode(7, packet_type::command, "say hi\0\0"s));
  const auto next = reader.next();
  REQUIRE(next);
  REQUIRE(*next);
  CHECK((*next)->body == "say hi");
}
