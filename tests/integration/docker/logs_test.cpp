#include "tests/integration/docker/docker_test.hpp"

using namespace zedops;
using namespace zedops::test;

namespace {

using lines = std::vector<std::pair<output, std::string>>;

struct reading {
  watched<lines> got;
  awaited<void> end;
  line_handler on_line() {
    return [this](output o, std::string_view l) { got.change([&](auto& v) { v.emplace_back(o, std::string{l}); }); };
  }
};

}  // namespace

TEST_CASE_METHOD(docker_fixture, "docker: logs come as lines with their stream, and end well",
                 "[integration][docker]") {
  auto id = started(spec({"sh", "-c", "echo one; echo two >&2; printf 'no newline'"}));
  // To its end first: following while a container ends may miss its last lines, with the Engine's own client too.
  REQUIRE(has_ended(id));
  reading r;
  auto handle = engine.logs(id, {.follow = true}, r.on_line(), r.end.handler());
  REQUIRE(r.end.get());
  auto got = r.got.value();
  REQUIRE(got.size() == 3);
  CHECK(std::count(got.begin(), got.end(), lines::value_type{output::out, "one"}) == 1);
  CHECK(std::count(got.begin(), got.end(), lines::value_type{output::err, "two"}) == 1);
  CHECK(std::count(got.begin(), got.end(), lines::value_type{output::out, "no newline"}) == 1);
  reading tail;
  auto last = engine.logs(id, {.tail = 1, .timestamps = true}, tail.on_line(), tail.end.handler());
  REQUIRE(tail.end.get());
  REQUIRE(tail.got.value().size() == 1);
  CHECK(tail.got.value().front().second.find("T") == 10);
}

TEST_CASE_METHOD(docker_fixture, "docker: the log of a container with a terminal is raw", "[integration][docker]") {
  auto s = spec({"sh", "-c", "echo one; echo two >&2"});
  s.tty = true;
  auto id = started(s);
  reading r;
  auto handle = engine.logs(id, {.follow = true}, r.on_line(), r.end.handler());
  REQUIRE(r.end.get());
  CHECK(r.got.value() == lines{{output::out, "one"}, {output::out, "two"}});
}

TEST_CASE_METHOD(docker_fixture, "docker: a followed log ends when its reader cancels", "[integration][docker]") {
  auto id = started(spec({"sh", "-c", "echo ready; sleep 1000"}));
  reading r;
  auto handle = engine.logs(id, {.follow = true}, r.on_line(), r.end.handler());
  REQUIRE(r.got.wait([](auto& v) { return v.size() == 1; }));
  handle.cancel();
  auto end = r.end.get();
  REQUIRE_FALSE(end);
  CHECK(end.error().code == msg::ec::cancelled);
}

TEST_CASE_METHOD(docker_fixture, "docker: logs of an absent container are not found", "[integration][docker]") {
  reading r;
  auto handle = engine.logs("no-such-container", {}, r.on_line(), r.end.handler());
  CHECK(r.end.get().error().code == msg::ec::not_found);
}
