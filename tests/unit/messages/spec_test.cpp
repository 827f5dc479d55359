// The short forms in which people write parts of a spec.
#include "messages/records/spec.hpp"

#include "tests/support/catch.hpp"

using namespace zedops::msg;

TEST_CASE("spec forms: ports", "[unit][messages]") {
  using list = std::vector<port_binding>;
  CHECK(parse_ports("25565") == list{{25565, 25565, protocol::tcp, ""}});
  CHECK(parse_ports("8080:80/udp") == list{{8080, 80, protocol::udp, ""}});
  CHECK(parse_ports("127.0.0.1:8080:80") == list{{8080, 80, protocol::tcp, "127.0.0.1"}});
  CHECK(parse_ports("[::1]:8080:80/tcp") == list{{8080, 80, protocol::tcp, "::1"}});
  CHECK(parse_ports("2456-2457:2456-2457/udp") ==
        list{{2456, 2456, protocol::udp, ""}, {2457, 2457, protocol::udp, ""}});
  CHECK(parse_ports("65535") == list{{65535, 65535, protocol::tcp, ""}});
  for (const char* bad : {"", "0", "65536", "80/sctp", "a:b", "80:", ":80", "1-3:1-2", "5-4:5-4", "::1:80:80",
                          "[::1]80", "1:2:3:4", "80/", "-1", "8 0"})
    CHECK_FALSE(parse_ports(bad));
}

TEST_CASE("spec forms: folders and binds", "[unit][messages]") {
  CHECK(parse_folder("mods:/game/mods") == data_folder{"mods", "/game/mods", false});
  CHECK(parse_folder("mods:/game/mods:ro") == data_folder{"mods", "/game/mods", true});
  CHECK(parse_bind("/srv/maps:/maps:rw") == mount{"/srv/maps", "/maps", false});
  for (const char* bad : {"", "mods", "mods:", ":/x", "mods:x", "/srv/maps:/maps", "a:b:c:d"})
    CHECK_FALSE(parse_folder(bad));
  for (const char* bad : {"", "maps:/maps", "/srv/maps", "/srv/maps:maps", "/a:/b:/c"}) CHECK_FALSE(parse_bind(bad));
}

TEST_CASE("spec forms: limits and sizes", "[unit][messages]") {
  CHECK(parse_ulimit("1024:65536") == ulimit{1024, 65536});
  CHECK(parse_ulimit("-1") == ulimit{-1, -1});
  for (const char* bad : {"", "a", "1:", ":1", "-2", "1:2:3"}) CHECK_FALSE(parse_ulimit(bad));
  CHECK(parse_bytes("512m") == 512u << 20);
  CHECK(parse_bytes("2g") == 2ull << 30);
  CHECK(parse_bytes("1.5GiB") == 3ull << 29);
  CHECK(parse_bytes("0") == 0u);
  CHECK(parse_bytes("65536") == 65536u);
  for (const char* bad : {"", "g", "-1", "1x", "1e30g", "nan", "inf", "1 g"}) CHECK_FALSE(parse_bytes(bad));
}

TEST_CASE("spec: overlay, reset and changes", "[unit][messages]") {
  server_spec a, b;
  a.user = "1";
  a.memory_max = 1 << 30;
  b.user = "2";
  b.tty = false;
  overlay(a, b);
  CHECK(a.user == "2");
  CHECK(a.tty == false);
  CHECK(a.memory_max == 1u << 30);
  CHECK(given_fields(a) == std::vector<std::string_view>{"user", "memory_max", "tty"});
  CHECK(clear_field(a, "tty"));
  CHECK_FALSE(clear_field(a, "colour"));
  CHECK(spec_changes(b, a) ==
        std::vector<std::string>{"memory_max: the template's -> 1.0 GiB", "tty: no -> the template's"});
}
