#include "config/logging/logging.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <thread>

#include "messages/base/ids.hpp"
#include "tests/support/catch.hpp"

using namespace zedops;
using namespace zedops::config;
using namespace std::chrono_literals;

namespace {
const msg::time_point t0{msg::duration{1'700'000'000'123}};

std::string text_line(log_fields fields) {
  return format_log_line(msg::log_format::text, log_prefix::plain, t0, msg::log_level::info, "a.b", fields);
}

struct captured {
  std::vector<std::string> lines;
  explicit captured(log_options options) {
    options.write = [this](std::string_view line) { lines.emplace_back(line); };
    start_logging(options);
  }
  ~captured() { start_logging({}); }
};
}  // namespace

TEST_CASE("logging: a text line has time, level, id and fields", "[unit][config]") {
  REQUIRE(text_line({{"server", msg::server_id{"s1"}}, {"wait", 3s}, {"n", 4}, {"ok", true}}) ==
          "2023-11-14T22:13:20.123Z info  a.b server=s1 wait=3s n=4 ok=true");
}

TEST_CASE("logging: no value can forge a line", "[unit][config]") {
  REQUIRE(text_line({{"x", "a\n2023 info  b.c"}}) == "2023-11-14T22:13:20.123Z info  a.b x=\"a\\n2023 info  b.c\"");
  REQUIRE(text_line({{"x", "q\" y=1 \x1b[0m\r"}}) ==
          "2023-11-14T22:13:20.123Z info  a.b x=\"q\\\" y=1 \\x1b[0m\\x0d\"");
  REQUIRE(text_line({{"x", ""}}) == "2023-11-14T22:13:20.123Z info  a.b x=\"\"");
  auto json = format_log_line(msg::log_format::json, log_prefix::plain, t0, msg::log_level::warn, "a.b",
                              {{"x", "line\n\"\xff"}});
  REQUIRE(
      json ==
      "{\"time\":\"2023-11-14T22:13:20.123Z\",\"level\":\"warn\",\"event\":\"a.b\",\"x\":\"line\\n\\\"\xef\xbf\xbd\"}");
}

TEST_CASE("logging: long values are cut and secrets are never written", "[unit][config]") {
  REQUIRE(text_line({{"x", std::string(1'000'000, 'x')}}).size() < log_value_bytes_max + 100);
  for (auto key : {"password", "RCON_PASSWORD", "token", "client_secret"})
    REQUIRE(text_line({{key, "hunter2"}}).find("hunter2") == std::string::npos);
  REQUIRE_FALSE(is_secret_name("server"));
}

TEST_CASE("logging: the lines of a batch are written at once, each whole", "[unit][config]") {
  captured out{{}};
  {
    log_batch batch;
    batch.add("a.b", {{"n", 1}});
    batch.add("c.d", {{"x", "two\nlines"}});
    CHECK(out.lines.empty());
  }
  REQUIRE(out.lines.size() == 1);
  const auto& text = out.lines.front();
  REQUIRE(std::count(text.begin(), text.end(), '\n') == 1);
  CHECK(text.substr(0, text.find('\n')).ends_with("info  a.b n=1"));
  CHECK(text.ends_with("info  c.d x=\"two\\nlines\""));
}

TEST_CASE("logging: a batch says nothing below its level, and does not grow without bound", "[unit][config]") {
  {
    captured out{{.level = msg::log_level::warn}};
    log_batch{}.add("a.b", {});
    CHECK(out.lines.empty());
  }
  captured out{{}};
  {
    log_batch batch;
    for (int i = 0; i < 1'000; ++i) batch.add("a.b", {{"x", std::string(100, 'x')}});
  }
  CHECK(out.lines.size() > 1);
  for (const auto& text : out.lines) CHECK(text.size() < 64 * 1024);
}

TEST_CASE("logging: under the journal a line has its priority and no time", "[unit][config]") {
  REQUIRE(format_log_line(msg::log_format::text, log_prefix::journal, t0, msg::log_level::error, "a.b", {}) ==
          "<3>a.b");
  std::unique_ptr<FILE, int (*)(FILE*)> file{std::tmpfile(), &std::fclose};
  REQUIRE(file);
  struct stat s {};
  REQUIRE(fstat(fileno(file.get()), &s) == 0);
  auto own = std::to_string(s.st_dev) + ":" + std::to_string(s.st_ino);
  REQUIRE(is_journal_stream(fileno(file.get()), own.c_str()));
  REQUIRE_FALSE(is_journal_stream(fileno(file.get()), "1:1"));
  REQUIRE_FALSE(is_journal_stream(fileno(file.get()), nullptr));
}

TEST_CASE("logging: the level can be changed at run time", "[unit][config][acc-98]") {
  captured log{{.level = msg::log_level::warn}};
  log_event("quiet.info");
  REQUIRE(log.lines.empty());
  set_log_level(msg::log_level::debug);
  REQUIRE(would_log(msg::log_level::debug));
  log_event(msg::log_level::debug, "loud.debug", {{"percent", "100%v {}"}});
  REQUIRE(log.lines.size() == 1);
  REQUIRE(log.lines[0].find("loud.debug percent=\"100%v {}\"") != std::string::npos);
}

TEST_CASE("logging: lines that hostile input causes are limited per id and counted", "[unit][config]") {
  log_limiter limiter;
  log_limiter::clock::time_point t{};
  for (uint32_t i = 0; i < limited_burst_max; ++i) REQUIRE(limiter.admit("a", t) == 0u);
  for (int i = 0; i < 7; ++i) REQUIRE_FALSE(limiter.admit("a", t));
  REQUIRE(limiter.admit("b", t) == 0u);
  REQUIRE_FALSE(limiter.admit("a", t + limited_window - 1ns));
  REQUIRE(limiter.admit("a", t + limited_window) == 8u);
  REQUIRE(limiter.admit("a", t + limited_window) == 0u);
  for (size_t i = 0; i < 2 * limited_ids_max; ++i) limiter.admit("id" + std::to_string(i), t);
  REQUIRE_FALSE(limiter.admit("one-too-many", t));
}

TEST_CASE("logging: a flood of limited lines writes a handful", "[unit][config]") {
  captured log{{}};
  for (int i = 0; i < 10'000; ++i) log_limited(msg::log_level::warn, "bus.bad-frame", {{"peer", "x"}});
  REQUIRE(log.lines.size() == limited_burst_max);
}

TEST_CASE("logging: threads may log and change the level at the same time", "[unit][config]") {
  captured log{{}};
  std::thread other{[] {
    for (int i = 0; i < 500; ++i) log_event("other.line", {{"i", i}});
  }};
  for (int i = 0; i < 500; ++i) set_log_level(i % 2 ? msg::log_level::info : msg::log_level::debug);
  other.join();
  REQUIRE(log.lines.size() == 500);
}

TEST_CASE("logging: a log that is not read stops no writer, and its reader sees how much was lost", "[unit][config]") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const int saved = ::dup(STDERR_FILENO);
  ::dup2(ends[1], STDERR_FILENO);
  start_logging({});
  const std::string long_text(1000, 'x');
  std::thread writer([&] {
    for (int i = 0; i < 1000; ++i) log_event("test.line", {{"text", long_text}});
  });
  writer.join();  // although nothing was read: a pipe holds 64 KiB
  std::string seen(1 << 20, '\0');
  const auto read_once = [&] {
    const auto n = ::read(ends[0], seen.data(), seen.size());
    return std::string(seen.data(), n > 0 ? static_cast<size_t>(n) : 0);
  };
  auto text = read_once();
  log_event("test.last", {});
  ::dup2(saved, STDERR_FILENO);
  ::close(saved);
  ::close(ends[1]);
  for (auto more = read_once(); !more.empty(); more = read_once()) text += more;
  ::close(ends[0]);
  start_logging({});
  CHECK(text.find("log.lost") != std::string::npos);
  CHECK(text.find("test.last") != std::string::npos);
  CHECK(text.find("log.lost") < text.find("test.last"));
}
