#include "integration/docker/http/streams.hpp"

#include <rapidcheck.h>

#include <utility>

#include "integration/docker/http/http_client.hpp"
#include "integration/docker/http/target.hpp"
#include "tests/support/catch.hpp"

using namespace zedops;
using namespace zedops::docker;

namespace {

std::string frame(int stream, const std::string& payload) {
  std::string out(8, '\0');
  out[0] = static_cast<char>(stream);
  for (int i = 0; i < 4; ++i) out[4 + static_cast<std::size_t>(i)] = static_cast<char>(payload.size() >> (8 * (3 - i)));
  return out + payload;
}

using lines = std::vector<std::pair<output, std::string>>;

}  // namespace

TEST_CASE("log demux: frames that are split anywhere give the same lines", "[unit][docker]") {
  auto stream = frame(1, "hello\nwor") + frame(2, "oops\r\n") + frame(1, "ld\n") + frame(1, "") + frame(1, "tail");
  REQUIRE(rc::check("any split", [&] {
    lines got;
    log_reader reader{log_reader::format::frames, [&](output o, std::string_view l) { got.emplace_back(o, l); }};
    for (std::size_t at = 0; at < stream.size();) {
      auto n = *rc::gen::inRange<std::size_t>(1, 12);
      RC_ASSERT(reader.feed(std::string_view{stream}.substr(at, n)));
      at += n;
    }
    reader.finish();
    RC_ASSERT(got ==
              (lines{{output::out, "hello"}, {output::err, "oops"}, {output::out, "world"}, {output::out, "tail"}}));
  }));
}

TEST_CASE("log demux: a frame that claims 4 GiB costs no memory and passes what has come", "[unit][docker]") {
  log_demux demux;
  std::string got;
  auto sink = [&](output, std::string_view s) { got += s; };
  CHECK(demux.feed(std::string("\x01\0\0\0\xff\xff\xff\xff", 8) + "abc", sink));
  CHECK(got == "abc");
}

TEST_CASE("log demux: bytes that are no frames are refused", "[unit][docker]") {
  auto sink = [](output, std::string_view) {};
  CHECK_FALSE(log_demux{}.feed("plain text of a terminal", sink));
  CHECK_FALSE(log_demux{}.feed(std::string("\x01\0\x07\0\0\0\0\x01x", 9), sink));
}

TEST_CASE("log reader: the log of a terminal is taken raw", "[unit][docker]") {
  lines got;
  log_reader reader{log_reader::format::raw, [&](output o, std::string_view l) { got.emplace_back(o, l); }};
  CHECK(reader.feed("one\r\ntw"));
  CHECK(reader.feed("o\r\n"));
  CHECK(got == lines{{output::out, "one"}, {output::out, "two"}});
}

TEST_CASE("lines: a log line that is too long arrives in pieces, an event that is too long is refused",
          "[unit][docker]") {
  std::vector<std::size_t> sizes;
  auto sink = [&](std::string_view l) { sizes.push_back(l.size()); };
  line_splitter pieces{10, line_splitter::overflow::pass_on_in_pieces};
  CHECK(pieces.feed(std::string(25, 'x') + "\n", sink));
  CHECK(sizes == std::vector<std::size_t>{10, 10, 5});
  line_splitter strict{10, line_splitter::overflow::refuse};
  CHECK(strict.feed(std::string(10, 'x') + "\n", sink));
  CHECK_FALSE(strict.feed(std::string(11, 'x'), sink));
}

TEST_CASE("pull progress: the fraction never falls and ends at one", "[unit][docker]") {
  const char* script[] = {R"({"status":"Pulling from zedops/x","id":"1"})",
                          R"({"status":"Pulling fs layer","progressDetail":{},"id":"aa"})",
                          R"({"status":"Pulling fs layer","progressDetail":{},"id":"bb"})",
                          R"({"status":"Downloading","progressDetail":{"current":50,"total":100},"id":"aa"})",
                          R"({"status":"Downloading","progressDetail":{"current":10,"total":1000},"id":"bb"})",
                          R"({"status":"Download complete","progressDetail":{},"id":"aa"})",
                          R"({"status":"Extracting","progressDetail":{"current":50,"total":100},"id":"aa"})",
                          R"({"status":"Downloading","progressDetail":{"current":1000,"total":1000},"id":"bb"})",
                          R"({"status":"Pull complete","progressDetail":{},"id":"aa"})",
                          R"({"status":"Already exists","progressDetail":{},"id":"bb"})",
                          R"({"status":"Digest: sha256:0"})",
                          R"({"status":"Status: Downloaded newer image for x"})"};
  pull_progress p;
  double last = 0;
  for (auto line : script) {
    p.feed(line);
    CHECK(p.state().fraction >= last);
    last = p.state().fraction;
  }
  CHECK(p.state().fraction == Approx(1.0));
  CHECK(p.state().done_bytes == 1100);
  CHECK(p.state().total_bytes == 1100);
  CHECK(p.state().status == "Status: Downloaded newer image for x");
  CHECK(p.failure().empty());
}

TEST_CASE("pull progress: an error inside the stream is kept with its text", "[unit][docker][fc-17]") {
  pull_progress p;
  p.feed(R"({"status":"Downloading","progressDetail":{"current":1,"total":2},"id":"aa"})");
  p.feed(R"({"errorDetail":{"message":"filesystem layer verification failed"},"error":"filesystem layer"})");
  p.feed(R"({"status":"Status: Downloaded newer image"})");
  CHECK(p.failure() == "filesystem layer verification failed");
}

TEST_CASE("pull progress: hostile messages neither crash nor count", "[unit][docker]") {
  pull_progress p;
  p.feed(R"({"status":"Downloading","progressDetail":{"current":18446744073709551615,"total":1},"id":"aa"})");
  p.feed(R"({"status":"Downloading","progressDetail":{"current":-5,"total":"x"},"id":"bb"})");
  CHECK(p.state().fraction <= 1);
  CHECK(p.feed("no json") == pull_progress::news::none);
  CHECK_FALSE(p.failure().empty());
}

TEST_CASE("pull progress: it is reported once per percent, not once per message", "[unit][docker]") {
  pull_progress p;
  int told = 0;
  for (int i = 0; i <= 10'000; ++i)
    told += p.feed(R"({"status":"Downloading","progressDetail":{"current":)" + std::to_string(i) +
                   R"(,"total":10000},"id":"aa"})") == pull_progress::news::progress;
  CHECK(told <= 101);
  CHECK(told > 50);
}

TEST_CASE("target: everything from outside is escaped", "[unit][docker]") {
  CHECK(target{"/containers/"}.path("a/../b?c").raw("/json").text() == "/containers/a%2F..%2Fb%3Fc/json");
  CHECK(target{"/x"}.with("a", "1&b=2").with("f", R"({"k"})").text() == "/x?a=1%26b%3D2&f=%7B%22k%22%7D");
  CHECK(target{"/images/"}.image("127.0.0.1:5000/a/b:1").raw("/json").text() == "/images/127.0.0.1:5000/a/b:1/json");
}

TEST_CASE("target: a pull without a tag means latest, not every tag", "[unit][docker]") {
  CHECK(pull_target("a/b").text() == "/images/create?fromImage=a%2Fb&tag=latest");
  CHECK(pull_target("a/b:1").text() == "/images/create?fromImage=a%2Fb&tag=1");
  CHECK(pull_target("h:5000/b").text() == "/images/create?fromImage=h%3A5000%2Fb&tag=latest");
  CHECK(pull_target("h:5000/b:2").text() == "/images/create?fromImage=h%3A5000%2Fb&tag=2");
  CHECK(pull_target("b@sha256:00").text() == "/images/create?fromImage=b%40sha256%3A00");
}

TEST_CASE("target: times keep their nanoseconds", "[unit][docker]") {
  CHECK(seconds_text(std::chrono::nanoseconds{1'795'202'106'060'196'056}) == "1795202106.060196056");
}

TEST_CASE("docker_host: unix and tcp are understood, anything else is refused with a remedy", "[unit][docker]") {
  CHECK(parse_endpoint("unix:///run/d.sock")->unix_path == "/run/d.sock");
  CHECK(parse_endpoint("tcp://10.0.0.1:2376")->port == "2376");
  CHECK(parse_endpoint("tcp://[::1]:1")->host == "::1");
  CHECK(parse_endpoint("tcp://[::1]")->port == "2375");
  CHECK(parse_endpoint("tcp://host/")->port == "2375");
  for (auto bad : {"", "ssh://host", "unix://rel", "unix://", "tcp://", "tcp://h:x", "/run/d.sock"}) {
    auto r = parse_endpoint(bad);
    REQUIRE_FALSE(r);
    CHECK(r.error().code == msg::ec::bad_request);
    CHECK_FALSE(r.error().hint.empty());
  }
  CHECK_FALSE(parse_endpoint("unix:///" + std::string(108, 'a')));
}
