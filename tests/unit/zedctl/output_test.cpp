// Output: tables, colours, formats.
#include <fmt/format.h>

#include "tests/support/catch.hpp"
#include "tests/unit/zedctl/bench.hpp"
#include "tools/zedctl/output/facts_text.hpp"
#include "tools/zedctl/output/format.hpp"
#include "tools/zedctl/output/progress.hpp"
#include "tools/zedctl/output/table.hpp"
#include "tools/zedctl/verbs/verbs.hpp"

using namespace zedops;
using namespace zedops::ctl;
using namespace zedops::ctl::test;
using Catch::Matchers::Contains;
using msg::op_kind;
using msg::server_status;

namespace {

const look plain{.now = noon};

msg::server_view in_state(server_status status, msg::data_state data = msg::data_state::present) {
  auto v = pz1();
  v.status = status;
  v.data_state = data;
  return v;
}

}  // namespace

TEST_CASE("status: each state has its own text", "[unit][zedctl][acc-69]") {
  using enum server_status;
  using data = msg::data_state;
  CHECK(status_phrase(in_state(running), plain).text == "running");
  CHECK(status_phrase(in_state(stopped), plain).text == "stopped");
  CHECK(status_phrase(in_state(missing), plain).text == "missing (data)");
  CHECK(status_phrase(in_state(missing, data::absent), plain).text == "missing (no data)");
  CHECK(status_phrase(in_state(missing, data::empty), plain).text == "missing (no data)");
  CHECK(status_phrase(in_state(missing, data::unknown), plain).text == "missing (data unknown)");
  CHECK(status_phrase(in_state(failed), plain).text == "failed");
  CHECK(status_phrase(in_state(deleted), plain).text == "deleted");
}

TEST_CASE("status: glyphs and colours distinguish the same states", "[unit][zedctl][acc-69]") {
  using enum server_status;
  look rich{.colour = true, .glyphs = true, .now = noon};
  CHECK(status_phrase(in_state(running), rich).text == "● running");
  CHECK(status_phrase(in_state(running), rich).how == style::good);
  CHECK(status_phrase(in_state(stopped), rich).text == "○ stopped");
  CHECK(status_phrase(in_state(missing), rich).text == "▲ missing (data)");
  CHECK(status_phrase(in_state(missing), rich).how == style::warn);
  auto orphaned = status_phrase(in_state(missing, msg::data_state::absent), rich);
  CHECK(orphaned.text == "✖ missing (no data)");
  CHECK(orphaned.how == style::bad);
  CHECK(status_phrase(in_state(deleted), rich).text == "⌫ deleted");
}

TEST_CASE("status: an agent that is away is shown beside the last known status", "[unit][zedctl][acc-34]") {
  auto v = in_state(server_status::running);
  v.agent_status = msg::agent_status::unreachable;
  CHECK(status_phrase(v, plain).text == "running (agent unreachable)");
  CHECK(status_phrase(v, plain).how == style::warn);
  v = in_state(server_status::missing);
  v.agent_status = msg::agent_status::unreachable;
  CHECK(status_phrase(v, plain).text == "missing (data, agent unreachable)");
}

TEST_CASE("status: an open operation shows beside the last status", "[unit][zedctl]") {
  auto v = in_state(server_status::creating);
  v.operation = operation(op_kind::create, msg::op_status::running, "pulling", 40);
  CHECK(status_phrase(v, plain).text == "creating: pulling 40%");
  v = in_state(server_status::running);
  v.operation = operation(op_kind::stop, msg::op_status::running, "waiting_for_agent");
  CHECK(status_phrase(v, plain).text == "running, stop: waiting for agent");
}

TEST_CASE("status: a condition is shown first", "[unit][zedctl][fc-9]") {
  using msg::condition;
  auto v = in_state(server_status::running);
  v.condition = {condition::ok};
  CHECK(status_phrase(v, plain).text == "running");
  v.condition = {condition::restarting};
  CHECK(status_phrase(v, plain).text == "running (restarting)");
  v.restarts = 7;
  v.restarting_since = noon - std::chrono::minutes(3);
  CHECK(status_phrase(v, plain).text == "running (restarting: 7 times in 3m)");
  CHECK(status_phrase(v, plain).how == style::warn);
  v.condition = {condition::unhealthy, condition::pending_rebuild};
  CHECK(status_phrase(v, plain).text == "running (unhealthy, pending rebuild)");
  v.condition = {condition::pending_rebuild};
  CHECK(status_phrase(v, plain).how == style::good);
}

TEST_CASE("image: if the container was made from another one, that is shown", "[unit][zedctl]") {
  auto v = pz1();
  v.container_id = "c0ffee";
  v.container_image = "steam-zomboid:41.78";
  CHECK(image_text(v) == "steam-zomboid:41.78");
  v.container_image = "steam-zomboid:41.70";
  CHECK(image_text(v) == "steam-zomboid:41.78 (runs steam-zomboid:41.70)");
  v.container_image = "sha256:0123";
  CHECK(image_text(v) == "steam-zomboid:41.78");
  v.image_tag = "sha256:abc";
  CHECK(image_text(v) == "steam-zomboid@sha256:abc");
}

TEST_CASE("ls: sorted by agent and name, or by any column with equal rows in that order", "[unit][zedctl]") {
  std::vector<msg::server_view> list{pz1(), pz1(), pz1(), pz1()};
  const std::array<std::pair<const char*, const char*>, 4> who{{{"b", "y"}, {"a", "z"}, {"b", "x"}, {"a", "y"}}};
  for (size_t i = 0; i < list.size(); ++i) {
    list[i].agent = who[i].first;
    list[i].name = who[i].second;
    list[i].priority = i == 2 ? 5 : 0;
  }
  const auto order = [&] {
    std::string out;
    for (const auto& v : list) out += v.agent + v.name + ' ';
    return out;
  };
  REQUIRE(sort_servers(list, {}));
  CHECK(order() == "ay az bx by ");
  REQUIRE(sort_servers(list, "priority"));
  CHECK(order() == "bx ay az by ");
  REQUIRE(sort_servers(list, "name"));
  CHECK(order() == "bx ay by az ");
  for (const auto& column : sort_columns()) CHECK(sort_servers(list, column));
  const auto wrong = sort_servers(list, "colour");
  REQUIRE_FALSE(wrong);
  CHECK_THAT(wrong.error().hint, Contains("--sort") && Contains("priority"));
}

TEST_CASE("ports: neighbours are one range, udp first", "[unit][zedctl]") {
  CHECK(ports_text(pz1()) == "16261-16262/udp 27015/tcp");
  auto v = pz1();
  v.ports = {{msg::port_role::game, msg::protocol::tcp, 80}, {msg::port_role::udp, msg::protocol::udp, 80}};
  CHECK(ports_text(v) == "80/udp 80/tcp");
  v.ports.clear();
  CHECK(ports_text(v) == "-");
}

TEST_CASE("ls: a table with capitals and no borders", "[unit][zedctl][acc-3]") {
  bench b;
  msg::server_list list;
  list.servers = {pz1(), in_state(server_status::missing, msg::data_state::absent)};
  list.servers[1].name = "a-longer-name";
  list.servers[1].data_bytes.reset();
  list.hidden = 2;
  b.says("server.ls", list);
  REQUIRE(b.run({"ps"}) == 0);
  CHECK(
      b.out.str() ==
      "NAME           AGENT  STATUS             DATA             IMAGE                PORTS                      AGE\n"
      "a-longer-name  host1  missing (no data)  absent           steam-zomboid:41.78  16261-16262/udp 27015/tcp  3d4h\n"
      "pz1            host1  running            present 4.2 GiB  steam-zomboid:41.78  16261-16262/udp 27015/tcp  "
      "3d4h\n");
  CHECK(b.err.str() == "2 deleted servers not shown; --all shows them\n");
}

TEST_CASE("ls: lines are cut to a terminal's width, and only there", "[unit][zedctl]") {
  bench b;
  msg::server_list list;
  list.servers = {pz1()};
  b.says("server.ls", list);
  b.w.width = [] { return 38u; };
  REQUIRE(b.run({"ps", "--no-headers"}) == 0);
  CHECK(b.out.str().size() > 80);
  b.out.str("");
  b.w.out_tty = true;
  b.w.env["TERM"] = "dumb";
  b.w.env["LANG"] = "C.UTF-8";
  REQUIRE(b.run({"ps", "--no-headers"}) == 0);
  CHECK(b.out.str() == "pz1   host1  ● running  present 4.2 G…\n");
}

TEST_CASE("ls: an empty list says so on stderr and exits 0", "[unit][zedctl]") {
  bench b;
  b.says("server.ls", msg::server_list{});
  CHECK(b.run({"ps"}) == 0);
  CHECK(b.out.str().empty());
  CHECK_THAT(b.err.str(), Contains("No servers. Create one with: zedctl server create"));
  b.err.str("");
  CHECK(b.run({"ps", "-o", "json"}) == 0);
  CHECK_THAT(b.out.str(), Contains("\"servers\": []"));
  CHECK(b.err.str().empty());
}

TEST_CASE("ls: -q gives ids, -o name gives names, -o wide more columns", "[unit][zedctl]") {
  bench b;
  msg::server_list list;
  list.servers = {pz1()};
  list.servers[0].crash_policy = msg::crash_policy::on_failure;
  list.servers[0].priority = 7;
  b.says("server.ls", list);
  b.run({"ps", "-q"});
  b.run({"ps", "-o", "name"});
  CHECK(b.out.str() == "s1aaaaaaaaaaaaa\npz1\n");
  b.out.str("");
  b.run({"ps", "-o", "wide"});
  CHECK_THAT(b.out.str(), Contains("CONTAINER") && Contains("CRASH") && Contains("  on-failure  7         present") &&
                              Contains("4f2a9c1d7b3e ") && Contains("/var/lib/zedops/servers "));
}

TEST_CASE("get: one name is an object, several are an array", "[unit][zedctl]") {
  bench b;
  b.says("server.get", pz1());
  b.run({"server", "get", "pz1", "-o", "json"});
  auto one = msg::from_json<msg::server_view>(b.out.str());
  REQUIRE(one);
  CHECK(one->name == "pz1");
  b.out.str("");
  b.run({"server", "get", "pz1", "pz1", "-o", "json"});
  CHECK(b.out.str().front() == '[');
  b.out.str("");
  b.run({"server", "get", "pz1", "-o", "yaml"});
  CHECK_THAT(b.out.str(), Contains("name: pz1\n") && Contains("config:\n  MAX_PLAYERS: \"16\"\n") &&
                              Contains("created_at: \"2024-04-28T08:00:00.000Z\"\n"));
}

TEST_CASE("colour: only on a terminal, and the usual variables and the flag decide", "[unit][zedctl]") {
  msg::server_list list;
  list.servers = {pz1()};
  auto coloured = [&](bool tty, std::map<std::string, std::string> env, std::vector<std::string> extra) {
    bench b;
    b.says("server.ls", list);
    b.w.out_tty = tty;
    b.w.width = [] { return 200u; };
    for (auto& [key, value] : env) b.w.env[key] = value;
    extra.insert(extra.begin(), "ps");
    b.run(extra);
    return b.out.str().find("\x1b[") != std::string::npos;
  };
  CHECK(coloured(true, {}, {}));
  CHECK_FALSE(coloured(false, {}, {}));
  CHECK_FALSE(coloured(true, {{"TERM", "dumb"}}, {}));
  CHECK_FALSE(coloured(true, {{"NO_COLOR", "1"}}, {}));
  CHECK(coloured(true, {{"NO_COLOR", ""}}, {}));
  CHECK(coloured(false, {{"CLICOLOR_FORCE", "1"}}, {}));
  CHECK_FALSE(coloured(true, {{"CLICOLOR_FORCE", "1"}}, {"--color", "never"}));
  CHECK(coloured(false, {{"NO_COLOR", "1"}}, {"--color=always"}));
}

TEST_CASE("table: text from outside cannot move the cursor", "[unit][zedctl]") {
  table t({"A", "B"});
  t.add({{"x\x1b[2Jy\nz"}, {"b"}});
  auto text = t.render({});
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(std::count(text.begin(), text.end(), '\n') == 2);
}

TEST_CASE("until: the day of the week when near, the date when far", "[unit][zedctl]") {
  bench b;  // sets the time zone
  CHECK(until_text(noon + 26h, plain) == "Thu 14:00");
  CHECK(until_text(noon + 30 * 24h, plain) == "2024-05-31 12:00");
  CHECK(until_text(noon, {.iso_time = true, .now = noon}) == "2024-05-01T12:00:00.000Z");
}

TEST_CASE("describe: one screen with state, cause, ports, events and possible actions", "[unit][zedctl]") {
  bench b;
  auto v = in_state(server_status::missing);
  v.actions = {"start", "rm"};
  v.container_id.clear();
  v.last_error = msg::error{msg::ec::engine_error, "port is taken", "free it", {}};
  b.says("server.get", v);
  msg::event_page page;
  msg::event e;
  e.epoch = "7";
  e.seq = 9;
  e.subject = "server.s1aaaaaaaaaaaaa";
  e.time = noon - 130s;
  e.why = {msg::cause_kind::container_event, "destroy", ""};
  e.data = msg::status_changed{server_status::running, server_status::missing, "container vanished"};
  page.events = {e};
  b.says("server.history", page);
  REQUIRE(b.run({"server", "describe", "pz1"}) == 0);
  CHECK_THAT(b.out.str(), Contains("missing (data), since 2m10s ago") &&
                              Contains("running → missing (container vanished); container event destroy") &&
                              Contains("port is taken (engine_error); free it") &&
                              Contains("16261-16262/udp 27015/tcp") && Contains("zedctl server start pz1") &&
                              Contains("Last events") && Contains("none\n"));
  b.out.str("");
  REQUIRE(b.run({"server", "history", "pz1", "--time", "iso"}) == 0);
  CHECK_THAT(b.out.str(), Contains("2024-05-01T11:57:50.000Z  server.status_changed  running → missing"));
}

TEST_CASE("facts: every kind has a one-line sentence", "[unit][zedctl]") {
  auto each = []<size_t... I>(std::index_sequence<I...>) {
    return std::vector<msg::fact>{msg::fact(std::in_place_index<I>)...};
  }
  (std::make_index_sequence<std::variant_size_v<msg::fact>>{});
  for (const auto& f : each) {
    auto text = sentence(f);
    INFO(type_of(f));
    CHECK(text.size() > 5);
    CHECK(text.find('\n') == std::string::npos);
  }
  for (auto kind : {msg::cause_kind::request, msg::cause_kind::link, msg::cause_kind::timer})
    CHECK_FALSE(because({kind, "x", ""}).empty());
}

TEST_CASE("describe: a value that only looks like a secret is hidden on the screen, but not in the JSON",
          "[unit][zedctl]") {
  bench b;
  auto v = pz1();
  v.config = {{"ADMIN_PASSWORD", "hunter2"}};
  b.says("server.get", v);
  b.says("server.history", msg::event_page{});
  REQUIRE(b.run({"server", "describe", "pz1"}) == 0);
  CHECK(b.out.str().find("hunter2") == std::string::npos);
  CHECK_THAT(b.out.str(), Contains("ADMIN_PASSWORD=(hidden)"));
  REQUIRE(b.run({"server", "describe", "pz1", "-o", "json"}) == 0);
  CHECK_THAT(b.out.str(), Contains("hunter2"));
}

TEST_CASE("ls, describe: data that cannot be checked now is marked, beside its last known state", "[unit][zedctl]") {
  bench b;
  auto v = in_state(server_status::running);
  v.stale = true;
  v.data_problem = "/srv/pz1 is a symbolic link to /mnt/pz1";
  v.data_problem_since = noon - 5min;
  b.says("server.ls", msg::server_list{{v}, {}, 0});
  REQUIRE(b.run({"server", "ls"}) == 0);
  CHECK_THAT(b.out.str(), Contains("present 4.2 GiB (unchecked for 5m"));
  b.says("server.get", v);
  b.says("server.history", msg::event_page{});
  REQUIRE(b.run({"server", "describe", "pz1"}) == 0);
  CHECK_THAT(b.out.str(), Contains("present 4.2 GiB when last seen; cannot be checked since 5m10s: /srv/pz1"));
}

TEST_CASE("port check: who holds a port", "[unit][zedctl][acc-67]") {
  bench b;
  msg::ports_reply r;
  r.agent = "host1";
  r.host_checked = false;
  r.ports = {{16261, msg::protocol::udp, msg::port_owner::server, "server pz1 (missing)"},
             {80, msg::protocol::tcp, msg::port_owner::free, ""}};
  b.says("port.check", r);
  REQUIRE(b.run({"port", "check", "16261/udp", "80/tcp", "--agent", "host1"}) == 0);
  CHECK(b.out.str() ==
        "PORT       TAKEN BY  DETAIL\n"
        "16261/udp  server    server pz1 (missing)\n"
        "80/tcp     free      -\n");
  CHECK_THAT(b.err.str(), Contains("cannot see its host's ports"));
}

TEST_CASE("sync: counts, and the exit status of the agents that failed", "[unit][zedctl][acc-22]") {
  bench b;
  msg::sync_row good{"host1", 3, 3, {"s1"}, {}, {}};
  msg::sync_row bad{"host2", 0, 0, {}, {}, msg::error{msg::ec::agent_unreachable, "host2 is away", "look at it", {}}};
  b.says("server.sync", msg::sync_reply{{good, bad}});
  CHECK(b.run({"server", "sync"}) == 8);
  CHECK_THAT(b.out.str(), Contains("host1  3        3           1"));
  CHECK_THAT(b.err.str(), Contains("host2: next: look at it") && Contains("host1: changed: s1"));
}

TEST_CASE("logs -f: every line once, in order, whatever its text and however many arrive", "[unit][zedctl]") {
  bench b;
  std::vector<msg::log_line> lines;
  const auto write = [&](int64_t at, std::string text) {
    lines.push_back({"stdout", std::move(text), fmt::format("2026-01-01T00:00:00.{:09}Z", at)});
  };
  write(1, "old");
  write(2, "same");
  write(2, "same");  // in one nanosecond
  int looks = 0;
  b.manager["server.logs"] = [&](const seen_request& r) {
    const auto q = *msg::unpack_map<msg::server_logs>(r.body);
    ++looks;
    if (looks == 2) return answers{error_of(msg::ec::agent_unreachable, "host1 is away")};
    msg::logs_reply page;
    if (q.since.empty()) {
      page.lines.assign(lines.end() - std::min<std::ptrdiff_t>(q.tail, static_cast<std::ptrdiff_t>(lines.size())),
                        lines.end());
    } else {
      for (const auto& l : lines)
        if (l.at >= q.since) page.lines.push_back(l);
      page.cut = page.lines.size() > 3;  // so few that one moment fills a page
      if (page.cut) page.lines.resize(3);
    }
    if (looks == 1)
      for (int i = 0; i < 5; ++i) write(2 + i, "same");  // the first of them in the nanosecond of the last
    return answers{result_of(page)};
  };
  b.on_wait = [&](milliseconds now) { b.ctrl_c = now >= 4s; };
  CHECK(b.run({"logs", "-f", "--tail", "2", "pz1"}) == 130);
  CHECK(b.out.str() == "same\nsame\nsame\nsame\nsame\nsame\nsame\n");
  CHECK_THAT(b.err.str(), Contains("waiting: host1 is away"));
  looks = 10;
  b.ctrl_c = false;
  b.out.str("");
  b.on_wait = [&](milliseconds) { b.ctrl_c = true; };
  CHECK(b.run({"logs", "-f", "--tail", "1", "-t", "pz1"}) == 130);
  CHECK(b.out.str() == "2026-01-01T00:00:00.000000006Z same\n");
}

TEST_CASE("logs: left-out lines are reported", "[unit][zedctl]") {
  bench b;
  b.says("server.logs", msg::logs_reply{{{"stdout", "new", "2026-01-01T00:00:00.000000000Z"}}, true});
  CHECK(b.run({"logs", "pz1"}) == 0);
  CHECK(b.out.str() == "new\n");
  CHECK_THAT(b.err.str(), Contains("earlier lines were left out"));
  bench later;
  later.says("server.logs", msg::logs_reply{{{"stdout", "new", "2026-01-01T00:00:00.000000000Z"}}, true});
  CHECK(later.run({"logs", "pz1", "--since", "2026-01-01T00:00:00Z"}) == 0);
  CHECK(later.body<msg::server_logs>("server.logs").since == "2026-01-01T00:00:00.000Z");
  CHECK_THAT(later.err.str(), Contains("there are later lines"));
}

TEST_CASE("foreign texts: no control character reaches the terminal", "[unit][zedctl]") {
  std::string text =
      "a\x1b[31mb\tc\nd\xc2\x9b"
      "e\xc3\xa4\x7f";
  auto lines = text;
  make_harmless(text);
  CHECK(text == "a [31mb c d  e\xc3\xa4 ");
  make_harmless(lines, true);
  CHECK(lines == "a [31mb c\nd  e\xc3\xa4 ");
}
