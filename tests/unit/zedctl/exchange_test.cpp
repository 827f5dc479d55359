// Waiting, retrying, giving up.
#include "tools/zedctl/exchange.hpp"

#include <algorithm>
#include <ctime>
#include <set>
#include <utility>

#include "tests/support/catch.hpp"
#include "tests/unit/zedctl/bench.hpp"

using namespace zedops;
using namespace zedops::ctl::test;
using Catch::Matchers::Contains;
using msg::op_kind;
using msg::op_status;

namespace {

msg::operation_reply accepted(op_kind kind) {
  msg::operation_reply r;
  r.operation = operation(kind, op_status::accepted);
  return r;
}

// Answers the newest request first, and each twice.
struct last_first final : ctl::transport {
  std::vector<std::string> open, keys;
  std::optional<std::string> repeat;
  size_t most_open = 0;

  msg::result<std::string> post(const std::string&, std::string, bus::send_options options) override {
    keys.push_back(options.idempotency_key);
    open.push_back(std::to_string(keys.size()));
    most_open = std::max(most_open, open.size());
    return open.back();
  }
  msg::result<std::optional<bus::reply>> receive(milliseconds) override {
    if (repeat) return bus::reply{bus::reply_kind::result, *std::exchange(repeat, std::nullopt), "again"};
    if (open.empty()) return std::nullopt;
    repeat = open.back();
    open.pop_back();
    return bus::reply{bus::reply_kind::result, *repeat, "answer to " + *repeat};
  }
  msg::result<std::unique_ptr<ctl::event_source>> events(const ctl::event_query&) override {
    return msg::fail(msg::ec::internal, "no events", "");
  }
};

}  // namespace

TEST_CASE("wait: without a terminal, one line per change of step", "[unit][zedctl][acc-15]") {
  bench b;
  b.manager["server.rebuild"] = [](const seen_request&) {
    auto pulling = [](uint32_t n) {
      auto op = operation(op_kind::rebuild, op_status::running, "pulling", n);
      op.note = "120 MiB of 300 MiB";
      return progress_of(op);
    };
    return answers{accepted_of(accepted(op_kind::rebuild)),
                   pulling(10),
                   pulling(40),
                   pulling(90),
                   progress_of(operation(op_kind::rebuild, op_status::running, "starting")),
                   result_of(succeeded(op_kind::rebuild))};
  };
  REQUIRE(b.run({"server", "rebuild", "pz1"}) == 0);
  CHECK(b.err.str() == "pz1: accepted\npz1: pulling (120 MiB of 300 MiB)\npz1: starting\n");
  CHECK(b.out.str() == "Rebuilt pz1: running after 12s\n");
}

TEST_CASE("wait: a note about what deviated is shown even after success", "[unit][zedctl][acc-15]") {
  bench b;
  auto r = succeeded(op_kind::rebuild);
  r.operation.note = "registry unreachable, used local image";
  b.says("server.rebuild", r);
  REQUIRE(b.run({"server", "rebuild", "pz1"}) == 0);
  CHECK(b.err.str() == "pz1: registry unreachable, used local image\n");
}

TEST_CASE("wait: on a terminal, bars that are removed at the end", "[unit][zedctl]") {
  bench b;
  b.w.err_tty = true;
  b.w.env["NO_COLOR"] = "1";
  b.manager["server.rebuild"] = [](const seen_request&) {
    auto op = operation(op_kind::rebuild, op_status::running, "pulling", 40);
    op.note = "120 MiB of 300 MiB";
    return answers{accepted_of(accepted(op_kind::rebuild)), progress_of(op), result_of(succeeded(op_kind::rebuild))};
  };
  REQUIRE(b.run({"server", "rebuild", "pz1"}) == 0);
  CHECK_THAT(b.err.str(), Contains("pz1  pulling  [========>           ]  40%  120 MiB of 300 MiB  0s\n"));
  auto text = b.err.str();
  CHECK(text.substr(text.size() - 8) == "\x1b[1A\r\x1b[J");
}

TEST_CASE("wait: with JSON, stderr stays silent", "[unit][zedctl]") {
  bench b;
  b.manager["server.stop"] = [](const seen_request&) {
    return answers{accepted_of(accepted(op_kind::stop)),
                   progress_of(operation(op_kind::stop, op_status::running, "saving")),
                   result_of(succeeded(op_kind::stop))};
  };
  REQUIRE(b.run({"stop", "pz1", "-o", "json"}) == 0);
  CHECK(b.err.str().empty());
  CHECK_THAT(b.out.str(), Contains("\"operation\": {") && Contains("\"status\": \"succeeded\""));
}

TEST_CASE("no-wait: it prints the operation id and how to follow it", "[unit][zedctl]") {
  bench b;
  b.manager["server.stop"] = [](const seen_request&) { return answers{accepted_of(accepted(op_kind::stop))}; };
  REQUIRE(b.run({"stop", "pz1", "--no-wait"}) == 0);
  CHECK(b.out.str() == "o1aaaaaaaaaaaaa\n");
  CHECK_THAT(b.err.str(), Contains("zedctl op wait o1aaaaaaaaaaaaa"));
}

TEST_CASE("Ctrl-C: it ends the watching, says how to resume it, and exits 130", "[unit][zedctl]") {
  bench b;
  b.manager["server.start"] = [](const seen_request&) { return answers{accepted_of(accepted(op_kind::start))}; };
  b.on_wait = [&](milliseconds now) { b.ctrl_c = now > 3s; };
  CHECK(b.run({"start", "pz1"}) == 130);
  CHECK_THAT(b.err.str(),
             Contains("stopped watching; the operation goes on") && Contains("zedctl op wait o1aaaaaaaaaaaaa"));
  CHECK(b.out.str().empty());
}

TEST_CASE("timeout: it exits 7 and says how to resume", "[unit][zedctl]") {
  bench b;
  b.manager["server.start"] = [](const seen_request&) { return answers{accepted_of(accepted(op_kind::start))}; };
  CHECK(b.run({"start", "pz1", "--timeout", "5s"}) == 7);
  CHECK(b.clock >= 5s);
  CHECK(b.clock < 6s);
  CHECK_THAT(b.err.str(), Contains("zedctl op wait o1aaaaaaaaaaaaa"));
  CHECK(b.asked("server.start").front().deadline == 5s);
}

TEST_CASE("timeout: as JSON it is an error with the operation's id", "[unit][zedctl]") {
  bench b;
  b.manager["server.start"] = [](const seen_request&) { return answers{accepted_of(accepted(op_kind::start))}; };
  CHECK(b.run({"start", "pz1", "--timeout", "5s", "-o", "json"}) == 7);
  CHECK_THAT(b.err.str(), Contains(R"("code":"timeout")") && Contains(R"("operation":"o1aaaaaaaaaaaaa")"));
}

TEST_CASE("a lost answer: the same key is sent again, a bounded number of times", "[unit][zedctl]") {
  bench b;  // the manager does not answer server.stop
  CHECK(b.run({"stop", "pz1"}) == 7);
  auto asked = b.asked("server.stop");
  REQUIRE(asked.size() == ctl::attempts_max);
  for (const auto& r : asked) CHECK(r.key == asked.front().key);
  CHECK(b.clock < 40s);
  CHECK_THAT(b.err.str(), Contains("did not answer 3 requests"));
}

TEST_CASE("a lost answer: the second try succeeds", "[unit][zedctl]") {
  bench b;
  b.manager["server.stop"] = [&](const seen_request&) {
    return b.asked("server.stop").size() == 1 ? answers{} : answers{result_of(succeeded(op_kind::stop))};
  };
  CHECK(b.run({"stop", "pz1"}) == 0);
  CHECK(b.asked("server.stop").size() == 2);
}

TEST_CASE("an operation in progress may be silent for any time", "[unit][zedctl]") {
  bench b;
  b.manager["server.rebuild"] = [](const seen_request&) { return answers{accepted_of(accepted(op_kind::rebuild))}; };
  b.on_wait = [&](milliseconds now) {
    if (now > 10min && b.waiting.empty() && !b.ctrl_c)
      b.waiting.push_back({bus::reply_kind::result, "2", msg::pack_map(succeeded(op_kind::rebuild))});
  };
  CHECK(b.run({"server", "rebuild", "pz1"}) == 0);
  CHECK(b.asked("server.rebuild").size() == 1);
}

TEST_CASE("the manager restarts meanwhile: waiting goes on under the same key", "[unit][zedctl]") {
  bench b;
  b.manager["server.start"] = [&](const seen_request&) {
    if (b.asked("server.start").size() == 1) {
      b.on_wait = [&](milliseconds now) {
        if (now < 1s) return;
        b.with.break_next_receive = true;
        b.with.posts_that_fail = 4;
        b.on_wait = nullptr;
      };
      return answers{accepted_of(accepted(op_kind::start))};
    }
    return answers{result_of(succeeded(op_kind::start))};
  };
  CHECK(b.run({"start", "pz1"}) == 0);
  auto asked = b.asked("server.start");
  REQUIRE(asked.size() == 2);
  CHECK(asked[0].key == asked[1].key);
  CHECK_THAT(b.err.str(), Contains("connection to the manager lost") && Contains("connected again"));
}

TEST_CASE("the manager does not come back: exit 6 after a bounded time", "[unit][zedctl]") {
  bench b;
  b.manager["server.start"] = [&](const seen_request&) {
    b.with.break_next_receive = true;
    b.with.posts_that_fail = 1'000;
    return answers{accepted_of(accepted(op_kind::start))};
  };
  CHECK(b.run({"start", "pz1"}) == 6);
  CHECK(b.clock >= ctl::reconnect_max);
  CHECK(b.clock < ctl::reconnect_max + 3s);
}

TEST_CASE("no manager: exit 6 at once, with the endpoint and its source", "[unit][zedctl]") {
  bench b;
  b.refuse_connection = true;
  CHECK(b.run({"ps"}) == 6);
  CHECK(b.clock == 0s);
  CHECK_THAT(b.err.str(), Contains("ipc:///run/user/7/zedops/clients.ipc") && Contains("default"));
}

TEST_CASE("a manager that holds its socket but is silent does not block a change for ever", "[unit][zedctl]") {
  bench b;
  b.manager.erase("status");
  CHECK(b.run({"stop", "pz1"}) == 7);
  CHECK(b.asked("server.stop").empty());
  CHECK(b.clock < 30s);
}

TEST_CASE("several names: all run at once, and those beyond the limit wait their turn", "[unit][zedctl]") {
  bench b;
  std::vector<std::string> line{"stop"};
  for (int i = 0; i < 100; ++i) line.push_back("pz" + std::to_string(i));
  b.manager["server.stop"] = [&](const seen_request&) { return answers{result_of(succeeded(op_kind::stop))}; };
  CHECK(b.run(line) == 0);
  CHECK(b.asked("server.stop").size() == 100);
  bench silent;
  silent.manager["server.stop"] = [](const seen_request&) { return answers{accepted_of(accepted(op_kind::stop))}; };
  line.insert(line.end(), {"--timeout", "1s"});
  CHECK(silent.run(line) == 7);
  CHECK(silent.asked("server.stop").size() == ctl::in_flight_max);
}

TEST_CASE("op wait: the exit status is that of the operation", "[unit][zedctl]") {
  bench b;
  auto failed = operation(op_kind::rebuild, op_status::failed);
  failed.failure = msg::error{msg::ec::wrong_state, "it is deleted", "restore it", {}};
  b.manager["op.wait"] = [&](const seen_request&) {
    return answers{progress_of(operation(op_kind::rebuild, op_status::running, "pulling")), result_of(failed)};
  };
  CHECK(b.run({"op", "wait", "o1aaaaaaaaaaaaa"}) == 4);
  CHECK_THAT(b.err.str(), Contains("pz1: pulling") && Contains("it is deleted") && Contains("restore it"));
  b.says("op.wait", operation(op_kind::rebuild, op_status::succeeded));
  CHECK(b.run({"op", "wait", "o1aaaaaaaaaaaaa"}) == 0);
  CHECK_THAT(b.out.str(), Contains("Rebuilt pz1"));
}

TEST_CASE("tens of thousands of requests: each is sent once and ends once, and a reply costs little",
          "[unit][zedctl]") {
  constexpr size_t count = 50'000;
  bench b;
  last_first manager;
  std::vector<ctl::exchange> all(count);
  size_t ended = 0;
  ctl::exchange_listener listener;
  listener.ended = [&](size_t) { ++ended; };
  const auto start = std::clock();  // of the processor: the machine may be busy with other things
  CHECK(ctl::exchanger(b.w, manager).run(all, std::nullopt, listener) == ctl::ending::done);
  const milliseconds took((std::clock() - start) * 1000 / CLOCKS_PER_SEC);
  CHECK(took <= 4s);  // about 0.1 s; a pass over all of them for each reply takes far longer
  CHECK(ended == count);
  CHECK(manager.most_open == ctl::in_flight_max);
  CHECK(std::set(manager.keys.begin(), manager.keys.end()).size() == count);
  CHECK(std::ranges::all_of(all, [](const auto& x) { return x.outcome && **x.outcome != "again"; }));
}
