#include "messages/base/names.hpp"

#include <rapidcheck.h>

#include "tests/support/catch.hpp"

using namespace zedops::msg;

namespace {

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("names: a server name is a lower-case letter, then letters, digits or hyphens, 3-32",
          "[unit][messages][acc-4]") {
  for (const char* good : {"abc", "a-1", "survival-1", "a--", "abcdefghijklmnopqrstuvwxyz012345"}) {
    CAPTURE(good);
    CHECK(check_server_name(good));
  }
  for (const char* bad : {"", "ab", "1ab", "-ab", "Abc", "aBc", "a_b", "a.b", "a b", "a/b", "../x", "..", "abc\n",
                          "äbc", "abcdefghijklmnopqrstuvwxyz0123456"}) {
    CAPTURE(bad);
    auto checked = check_server_name(bad);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().code == ec::invalid_name);
    CHECK(holds(checked.error().message, "lower-case letter first"));
    CHECK(holds(checked.error().message, "3-32"));
  }
  CHECK_FALSE(check_server_name(std::string_view("abc\0", 4)));
}

TEST_CASE("names: a refused server name comes with a suggestion that is valid", "[unit][messages][acc-4]") {
  CHECK(check_server_name("My Server_1").error().hint == "try 'my-server-1'");
  CHECK(check_server_name("1").error().hint == "try 'survival-1'");
  REQUIRE(rc::check("every suggestion obeys the rule", [](const std::string& name) {
    auto checked = check_server_name(name);
    if (checked) return;
    auto hint = checked.error().hint;
    auto from = hint.find('\'');
    RC_ASSERT(check_server_name(hint.substr(from + 1, hint.size() - from - 2)).has_value());
  }));
}

TEST_CASE("names: an error never carries control characters of the input", "[unit][messages]") {
  REQUIRE(rc::check("messages are printable", [](const std::string& text) {
    for (const auto& checked : {check_server_name(text), check_agent_name(text), check_env_key(text)})
      if (!checked)
        for (char c : checked.error().message) RC_ASSERT(static_cast<unsigned char>(c) >= 0x20);
  }));
}

TEST_CASE("names: an agent may have the name of its host", "[unit][messages]") {
  for (const char* good : {"a", "host-1", "Host_1", "node1.example.org", "10.0.0.1"}) CHECK(check_agent_name(good));
  for (const char* bad : {"", "-host", ".host", "a/b", "a b", "host\n"}) {
    auto checked = check_agent_name(bad);
    REQUIRE_FALSE(checked);
    CHECK(holds(checked.error().message, "breaks the rule"));
  }
  CHECK(check_agent_name(std::string(63, 'a')));
  CHECK_FALSE(check_agent_name(std::string(64, 'a')));
}

TEST_CASE("names: environment keys and values are those a process can receive", "[unit][messages]") {
  for (const char* good : {"A", "_x", "SERVER_NAME", "discovery.type", "a-b"}) CHECK(check_env_key(good));
  for (const char* bad : {"", "1A", "A=B", "A B", "A\n", "="}) CHECK_FALSE(check_env_key(bad));
  CHECK(check_env_value("A", "any = text\n"));
  CHECK_FALSE(check_env_value("A", std::string_view("a\0b", 3)));
  auto secret = std::string(env_value_bytes_max, 's') + "x";
  auto checked = check_env_value("PASSWORD", secret);
  REQUIRE_FALSE(checked);
  CHECK(checked.error().code == ec::too_large);
  CHECK_FALSE(holds(checked.error().message, "sss"));
}

TEST_CASE("names: a data path is an absolute folder outside the system's", "[unit][messages][fc-45]") {
  for (const char* good :
       {"/var/lib/zedops/servers", "/srv/zedops", "/mnt/disk1/", "/data", "/variant", "/home/a//b"}) {
    CAPTURE(good);
    CHECK(check_data_path(good));
  }
  for (const char* bad : {"",
                          "srv",
                          "./srv",
                          "/",
                          "//",
                          "/etc",
                          "/etc/zedops",
                          "/var",
                          "/var/lib",
                          "/var/lib/zedops",
                          "/var/lib/zedops/",
                          "/var/lib/zedops-agent/x",
                          "/var/lib/zedops/../docker",
                          "/usr/local/x",
                          "/proc/1",
                          "/dev/shm",
                          "//etc/x",
                          "/srv/../etc",
                          "/srv/.",
                          "/srv/a:b",
                          "/srv/a\nb"}) {
    CAPTURE(bad);
    auto checked = check_data_path(bad);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().code == ec::bad_request);
    CHECK(holds(checked.error().hint, "/var/lib/zedops/servers"));
  }
  CHECK_FALSE(check_data_path("/" + std::string(path_bytes_max, 'a')));
}

TEST_CASE("names: image references are split as the Engine does it", "[unit][messages]") {
  auto digest = "sha256:" + std::string(64, 'a');
  CHECK(parse_image_ref("alpine") == image_ref{"alpine", "", ""});
  CHECK(parse_image_ref("alpine:3.19") == image_ref{"alpine", "3.19", ""});
  CHECK(parse_image_ref("localhost:5000/a/b:c") == image_ref{"localhost:5000/a/b", "c", ""});
  CHECK(parse_image_ref("localhost:5000/a") == image_ref{"localhost:5000/a", "", ""});
  CHECK(parse_image_ref("ghcr.io/o/i@" + digest) == image_ref{"ghcr.io/o/i", "", digest});
  CHECK(parse_image_ref("Reg.Example.org/o__p/i-x:V1@" + digest) ==
        image_ref{"Reg.Example.org/o__p/i-x", "V1", digest});
  for (auto bad : {"", ":tag", "a:", "A", "a//b", "/a", "a/", "a..b", "a___b", "-a", "a b", "a:-x", "a@sha256:12",
                   "reg:port/x", "a:b:c", "a:"}) {
    CAPTURE(bad);
    auto parsed = parse_image_ref(bad);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == ec::bad_request);
    CHECK_FALSE(parsed.error().hint.empty());
  }
  CHECK_FALSE(check_image_repository("a:tag"));
  CHECK(check_image_tag("latest"));
  CHECK_FALSE(check_image_tag("a:b"));
  CHECK_FALSE(check_image_tag(std::string(129, 'a')));
}

TEST_CASE("names: a typo is recognised, an unrelated word is not", "[unit][messages]") {
  const std::vector<std::string> verbs = {"start", "stop", "restart", "rebuild", "status", "ls", "get"};
  CHECK(closest("strat", verbs) == "start");     // two letters swapped
  CHECK(closest("stoop", verbs) == "stop");      // one too many
  CHECK(closest("rebild", verbs) == "rebuild");  // one too few
  CHECK(closest("STATSU", verbs) == "status");
  CHECK(closest("reb", verbs) == "rebuild");  // the beginning of a word
  CHECK(closest("xyzzy", verbs) == std::nullopt);
  CHECK(closest("a", verbs) == std::nullopt);
  CHECK(closest("", verbs) == std::nullopt);
  CHECK(closest(std::string(1000, 's'), verbs) == std::nullopt);
  CHECK(did_you_mean("stpo", verbs) == "did you mean 'stop'?");
  CHECK(did_you_mean("xyzzy", verbs).empty());
  REQUIRE(rc::check("a word of the list is its own closest", [&] {
    auto word = *rc::gen::elementOf(verbs);
    RC_ASSERT(closest(word, verbs) == word);
  }));
}

TEST_CASE("names: sizes and ages are short and readable", "[unit][messages]") {
  CHECK(format_bytes(0) == "0 B");
  CHECK(format_bytes(1023) == "1023 B");
  CHECK(format_bytes(1024) == "1.0 KiB");
  CHECK(format_bytes(4'509'715'660) == "4.2 GiB");
  CHECK(format_bytes(107ull << 20) == "107 MiB");
  CHECK(format_bytes((1ull << 20) - 1) == "1.0 MiB");  // never "1024 KiB"
  CHECK(format_bytes(UINT64_MAX) == "16.0 EiB");
  using namespace std::chrono_literals;
  CHECK(format_age(-5s) == "0s");
  CHECK(format_age(999ms) == "0s");
  CHECK(format_age(59s) == "59s");
  CHECK(format_age(60s) == "1m");
  CHECK(format_age(250s) == "4m10s");
  CHECK(format_age(2h + 5min + 9s) == "2h5m");
  CHECK(format_age(76h) == "3d4h");
  CHECK(format_age(24h * 400) == "400d");
}

TEST_CASE("git: addresses of other hosts are accepted, but no file, helper or secret", "[unit][messages][hostile]") {
  for (const auto* good : {"https://example.org/shop.git", "http://example.org:8080/x", "git://127.0.0.1:9418/shop",
                           "ssh://git@example.org/shop.git", "git@example.org:owner/shop.git"}) {
    INFO(good);
    CHECK(check_git_url(good));
  }
  for (const auto* bad : {"", "-x", "--upload-pack=id", "/etc", "./x", "file:///etc", "ext::sh -c id", "ext::id",
                          "fd::1", "https://user:secret@example.org/x", "https://token@example.org/x", "https:///x",
                          "ssh://-oProxyCommand=id/x", "https://exa mple.org/x", "a\nb", "x:y"}) {
    INFO(bad);
    CHECK_FALSE(check_git_url(bad));
  }
  for (const auto* good : {"", "main", "v1.2", "feature/x", "9fceb02d0ae598e95dc970b74767f19372d61af8"})
    CHECK(check_git_revision(good));
  for (const auto* bad : {"-x", "--exec=id", "a..b", "a b", "a~1", "a^", "a:b", "refs/*"}) {
    INFO(bad);
    CHECK_FALSE(check_git_revision(bad));
  }
  for (const auto* good : {"", "public", "docs/public", "a b"}) CHECK(check_source_folder(good));
  for (const auto* bad : {"/etc", "..", "a/../b", "a//b", "a/", "./a", "a\nb"}) {
    INFO(bad);
    CHECK_FALSE(check_source_folder(bad));
  }
}
