#include "integration/host/sockets.hpp"

#include <rapidcheck.h>

#include "tests/support/catch.hpp"

using namespace zedops::host;

namespace {

constexpr const char* listener =
    "   0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000   105        0 20781 1 0000 100 0 0 "
    "10 0";
constexpr const char* connected =
    "   1: 0100007F:0CEA 0100007F:D431 01 00000000:00000000 00:00000000 00000000   105        0 20782 1 0000 100 0 0 "
    "10 0";
constexpr const char* udp6 =
    " 1234: 00000000000000000000000000000000:3F85 00000000000000000000000000000000:0000 07 00000000:00000000 "
    "00:00000000 00000000     0        0 4242 2 0000000000000000 0";

}  // namespace

TEST_CASE("sockets: a row of the kernel's table gives port and inode", "[unit][host][acc-67]") {
  uint16_t port = 0;
  uint64_t inode = 0;
  REQUIRE(parse_socket_row(listener, true, port, inode));
  CHECK(port == 3306);
  CHECK(inode == 20781);
  REQUIRE(parse_socket_row(udp6, false, port, inode));
  CHECK(port == 16261);
  CHECK(inode == 4242);
}

TEST_CASE("sockets: a TCP connection holds no port, only a listener does", "[unit][host]") {
  uint16_t port = 0;
  uint64_t inode = 0;
  CHECK_FALSE(parse_socket_row(connected, true, port, inode));
  CHECK(parse_socket_row(connected, false, port, inode));
}

TEST_CASE("sockets: rows that are cut or garbled are no rows", "[unit][host]") {
  uint16_t port = 0;
  uint64_t inode = 0;
  for (const char* bad : {"", " ", "   0: 0100007F", "   0: 0100007F:ZZZZ 0:0 0A 0 0 0 0 0 7",
                          "0: a:FFFFF b 0A 0 0 0 0 0 7", "0: nocolon b 0A 0 0 0 0 0 7", "0: a:1 b 0A 0 0 0 0 0 x"})
    CHECK_FALSE(parse_socket_row(bad, true, port, inode));
  REQUIRE(rc::check("any text is survived", [&](const std::string& text) {
    parse_socket_row(text, true, port, inode);
    parse_socket_row(std::string(listener).substr(0, text.size()) + text, false, port, inode);
  }));
}
