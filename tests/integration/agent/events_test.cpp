#include "tests/integration/agent/rig.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::test;

TEST_CASE_METHOD(rig, "agent: manual changes are observed at once", "[integration][agent][acc-23][acc-24][acc-32]") {
  auto plan = busybox("hand", {"sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done"});
  plan.container.restart = restart_rule::unless_stopped;
  welcome();
  auto id = run(command(command_kind::run, "hand", plan)).after.view.id;
  auto seen = [&](size_t from, auto holds) {
    return heard<observed>([&](const observed& o) { return o.what.server == server("hand") && holds(o.what); }, from,
                           5s);
  };
  auto is = [](container_state s) { return [s](const observation& o) { return o.view.state == s; }; };

  auto m = mark();
  docker("stop " + id);
  seen(m, is(container_state::exited));
  m = mark();
  docker("start " + id);
  seen(m, is(container_state::running));
  m = mark();
  docker("pause " + id);
  seen(m, is(container_state::paused));
  m = mark();
  docker("unpause " + id);
  seen(m, is(container_state::running));
  m = mark();
  docker("rename " + id + " other-" + manager_id());
  auto renamed = seen(m, [](const observation& o) { return !o.drift.empty(); });
  CHECK(renamed.what.drift == "renamed to other-" + manager_id());
  CHECK(renamed.what.view.id == id);
  m = mark();
  docker("kill " + id);
  seen(m, is(container_state::exited));
  m = mark();
  docker("rm -f " + id);
  auto away = seen(m, [](const observation& o) { return o.container == presence::absent; });
  CHECK(away.hint == "destroy");
  CHECK(away.what.data == data_state::empty);
}

TEST_CASE_METHOD(
    rig, "agent: the inventory names every known server, unknown ones of this manager, and no container of others",
    "[integration][agent][acc-21][acc-31][fc-7]") {
  auto plan = busybox("inv", {"sleep", "1000"});
  auto ours = [&](const std::string& name) {
    auto id = docker("run -d --name " + name + "-" + manager_id() +
                     " --label zedops.managed=true --label zedops.manager=" + manager_id() +
                     " --label zedops.server.id=" + server(name).value + " zedops/busybox:test sleep 1000");
    id.pop_back();
    return id;
  };
  auto first = ours("inv"),
       second = docker("run -d --label zedops.managed=true --label zedops.manager=" + manager_id() +
                       " --label zedops.server.id=" + server("inv").value + " zedops/busybox:test sleep 1000");
  second.pop_back();
  auto stranger = ours("stranger");
  auto foreign =
      docker("run -d --label zedops.managed=true --label zedops.manager=somebody-else zedops/busybox:test sleep 1000");
  foreign.pop_back();
  auto missing = busybox("missing", {});
  auto i = welcome({known("inv", plan, first), known("missing", missing, "feedbeef")});
  docker("rm -f " + foreign);
  REQUIRE(i.servers.size() == 2);
  for (const auto& o : i.servers) {
    if (o.server == server("inv")) {
      CHECK(o.container == presence::present);
      CHECK(o.view.id == first);
      CHECK(o.rivals == std::vector<std::string>{second});
    } else {
      CHECK(o.container == presence::absent);
    }
  }
  REQUIRE(i.unclaimed.size() == 1);
  CHECK(i.unclaimed[0].id == stranger);
}

TEST_CASE_METHOD(rig, "agent: questions are answered: data, ports, logs, sync",
                 "[integration][agent][acc-11][acc-67]") {
  auto plan = busybox("ask", {"sh", "-c", "echo one; echo two >&2; sleep 1000"});
  const auto port = free_port();
  plan.container.ports = {{port, 80, protocol::tcp, {}}};
  welcome();
  auto id = run(command(command_kind::run, "ask", plan)).after.view.id;
  shell("echo 123 > " + data_root() + "/ask/data/world");
  say(data_query{11, {known("ask", plan), known("nobody", busybox("nobody", {}))}, true, {}});
  auto data = heard<data_answer>([](auto& a) { return a.request == 11; });
  REQUIRE(data.rows.size() == 2);
  CHECK(data.rows[0].state == data_state::present);
  CHECK(data.rows[0].data == data_state::present);
  CHECK(data.rows[0].bytes == 4u);
  CHECK(data.rows[1].state == data_state::absent);

  const auto idle = free_port();
  say(port_query{12, {{port, protocol::tcp}, {idle, protocol::udp}}});
  auto ports = heard<port_answer>([](auto& a) { return a.request == 12; });
  REQUIRE(ports.rows.size() == 2);
  CHECK(ports.rows[0].taken_by == port_owner::container);
  CHECK(ports.rows[0].detail == "container " + plan.container.name);
  CHECK(ports.rows[1].taken_by == port_owner::free);

  say(logs_query{13, id, 10});
  auto logs = heard<logs_answer>([](auto& a) { return a.request == 13; });
  CHECK_FALSE(logs.failure);
  REQUIRE(logs.lines.size() == 2);
  CHECK_FALSE(logs.cut);
  // From the second one on, and nothing before it.
  say(logs_query{16, id, 10, logs.lines[1].at});
  auto later = heard<logs_answer>([](auto& a) { return a.request == 16; });
  REQUIRE(later.lines.size() == 1);
  CHECK(later.lines[0].text == logs.lines[1].text);
  CHECK(later.lines[0].at == logs.lines[1].at);
  say(logs_query{17, id, 10, "yesterday"});
  CHECK(heard<logs_answer>([](auto& a) { return a.request == 17; }).failure->code == ec::bad_request);
  // More than fits into one answer: a tail gets the newest lines, a query by time the oldest.
  const auto much = docker("run -d --label zedops.managed=true --label zedops.manager=" + manager_id() +
                           " zedops/busybox:test sh -c 'seq 1 6000; exec sleep 1000'");
  const auto noisy = much.substr(0, much.find('\n'));
  const auto patience = std::chrono::steady_clock::now() + 20s;
  while (docker("logs --tail 1 " + noisy) != "6000\n") REQUIRE(std::chrono::steady_clock::now() < patience);
  say(sync_query{18, false, {}, {}});
  heard<inventory>([](auto& a) { return a.request == 18; });
  say(logs_query{19, noisy, 10'000});
  auto newest = heard<logs_answer>([](auto& a) { return a.request == 19; });
  CHECK(newest.lines.size() == 5'000);
  CHECK(newest.lines.back().text == "6000");
  say(logs_query{20, noisy, 10, "2020-01-01T00:00:00Z"});
  auto oldest = heard<logs_answer>([](auto& a) { return a.request == 20; });
  CHECK(oldest.cut);
  REQUIRE(oldest.lines.size() == 5'000);
  CHECK(oldest.lines.front().text == "1");
  docker("rm -f " + noisy);

  say(logs_query{14, "0123456789ab", 10});
  CHECK(heard<logs_answer>([](auto& a) { return a.request == 14; }).failure->code == ec::not_found);

  docker("kill " + id);
  say(sync_query{15, false, {}, {}});
  auto i = heard<inventory>([](auto& a) { return a.request == 15; });
  REQUIRE(i.servers.size() == 1);
  CHECK(i.servers[0].view.state == container_state::exited);
}

TEST_CASE_METHOD(rig, "agent: an observation follows the Engine's event within about one inspection",
                 "[integration][agent][acc-23]") {
  auto plan = busybox("fast", {"sleep", "1000"});
  welcome({known("fast", plan)});
  using clock = std::chrono::steady_clock;
  watched<std::vector<clock::time_point>> events;
  watched<bool> open;
  docker::event_options options;
  options.labels = {{"zedops.manager", manager_id()}};
  options.types = {"container"};
  options.on_open = [&] { open.change([](bool& b) { b = true; }); };
  auto stream = engine().events(
      options, [&](const docker::event&) { events.change([](auto& v) { v.push_back(clock::now()); }); }, [](auto) {});
  REQUIRE(open.wait([](bool b) { return b; }));
  // Inspecting a container takes the Engine as long as it holds that container's lock, which we cannot change: a
  // creation measures that path, a removal needs no inspection and measures our own part alone.
  std::map<std::string, std::vector<double>> took;
  for (int i = 0; i < 40; ++i) {
    auto from = mark();
    const size_t seen = events.value().size();
    const std::string hint = i % 2 == 0 ? "create" : "destroy";
    docker(i % 2 == 0 ? "create --name " + plan.container.name +
                            " --label zedops.managed=true --label zedops.manager=" + manager_id() +
                            " --label zedops.server.id=" + server("fast").value + " zedops/busybox:test sleep 1000"
                      : "rm " + plan.container.name);
    heard<observed>([&](auto& o) { return o.hint == hint; }, from);
    REQUIRE(events.wait([&](auto& v) { return v.size() > seen; }));
    took[hint].push_back(std::chrono::duration<double, std::milli>(observed_at(from) - events.value().back()).count());
  }
  for (auto& [hint, all] : took) {
    std::sort(all.begin(), all.end());
    WARN(hint << " -> observed: median " << all[all.size() / 2] << " ms, worst " << all.back() << " ms");
    CHECK(all[all.size() / 2] < 20);  // far above what is measured on an idle machine: a busy one must not fail it
  }
}
