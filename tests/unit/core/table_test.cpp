// Every state with every input: nothing crashes and no rule is broken; and the outcome of each request and each
// observation as readable tables.
#include <functional>
#include <sstream>

#include "tests/support/catch.hpp"
#include "tests/unit/core/support/rules.hpp"

using namespace zedops::core;
using namespace zedops::core::testing;

namespace {

template <class E>
std::vector<E> all() {
  std::vector<E> out;
  for (size_t i = 0; i < enum_names<E>::list.size(); ++i) out.push_back(static_cast<E>(i));
  return out;
}

std::vector<server_request> every_request() {
  purge_server keep{"pz-one", true, true, false};
  purge_server remove{"pz-one", true, false, true};
  purge_server unconfirmed{"pz-one", false, true, false};
  purge_server both{"pz-one", true, true, true};
  edit_server outdated;
  outdated.revision = 1;
  edit_server edit;
  edit.image_tag = "42";
  return {create_server{},
          start_server{"pz-one", false},
          start_server{"pz-one", true},
          stop_server{},
          restart_server{},
          rebuild_server{},
          recreate_server{"pz-one", false},
          recreate_server{"pz-one", true},
          edit,
          outdated,
          remove_server{},
          restore_server{"pz-one", false},
          restore_server{"pz-one", true},
          keep,
          remove,
          unconfirmed,
          both,
          move_server{"pz-one", "/mnt/new"},
          move_server{"pz-one", "/etc"},
          adopt_server{}};
}

std::vector<observation> every_observation() {
  std::vector<observation> out;
  for (auto data : all<data_state>()) {
    for (auto state : all<container_state>()) {
      out.push_back(saw(state, data));
      out.push_back(saw(state, data, "another"));
    }
    out.push_back(saw_nothing(data));
    auto unknown = could_not_look();
    unknown.data = data;
    out.push_back(unknown);
  }
  auto crashed = saw(container_state::exited);
  crashed.view.exit_code = 137;
  crashed.rivals = {"rival"};
  out.push_back(crashed);
  return out;
}

std::vector<input> every_input(const server& s) {
  std::vector<input> out;
  uint64_t n = 0;
  for (auto& r : every_request()) out.push_back(requested{r, {{"new-" + std::to_string(++n)}, "bob", {}, n}});
  if (s.op)
    for (uint64_t hash : {s.op->request_hash, s.op->request_hash + 1})
      out.push_back(requested{start_server{}, {s.op->id, "bob", {}, hash}});
  out.push_back(created{record(server_status::creating), {{"new-create"}, "bob", {}, 1}});
  for (const auto& o : every_observation()) {
    out.push_back(seen{o, cause_kind::container_event, "die"});
    for (const auto& op : {s.op ? s.op->id : operation_id{"ended-long-ago"}, operation_id{"late"}}) {
      out.push_back(reported{result_of(op, o)});
      out.push_back(reported{result_of(op, o, trouble())});
      out.push_back(reported{result_of(op, o, trouble(ec::no_data))});
    }
  }
  for (const auto& op : {s.op ? s.op->id : operation_id{"ended-long-ago"}, operation_id{"late"}}) {
    out.push_back(cancel_requested{op, "bob"});
    command_progress p;
    p.op = op;
    p.step = "pulling";
    p.progress = 250;
    out.push_back(progressed{p});
    for (const auto& o : every_observation()) {
      p.step = std::string(step_proving);
      p.seen = o;
      out.push_back(progressed{p});
    }
    p.attempt = 9;
    out.push_back(progressed{p});
  }
  out.push_back(unseen{trouble()});
  for (auto kind : all<incident_kind>()) {
    incident i;
    i.seq = 1;
    i.kind = kind;
    out.push_back(acted{{i}});
  }
  out.push_back(given_up{"bob", "host1"});
  out.push_back(agent_ready{});
  out.push_back(tick{});
  return out;
}

// What a server can have open: its requests are the first kinds, those of projects and services follow.
std::vector<op_kind> every_kind() {
  auto out = all<op_kind>();
  out.resize(std::variant_size_v<server_request>);
  return out;
}

std::vector<server> every_state() {
  std::vector<server> out{blank()};
  for (auto status : all<server_status>()) {
    auto s = record(status);
    out.push_back(s);
    s.desired = desired_state::running;
    s.recovery = recovery_policy::automatic;
    s.last_error = trouble();
    s.has_run = false;
    s.stale = true;
    out.push_back(s);
    for (auto kind : every_kind())
      for (bool waiting : {false, true}) {
        s = record(status);
        s.op = open_operation(s, kind, waiting);
        out.push_back(s);
      }
  }
  return out;
}

// Does this status ever occur with this open operation? Elsewhere nothing may crash, but the rules promise nothing.
bool occurs(const server& s) {
  if (s.id.empty()) return true;
  if (!s.op) return s.status != server_status::creating;
  switch (s.op->kind) {
    case op_kind::create:  // shown as running while it proves itself
      return s.status == server_status::creating || s.status == server_status::running;
    case op_kind::adopt: return s.status == server_status::creating;
    case op_kind::remove:
    case op_kind::purge: return s.status == server_status::deleting;
    case op_kind::restore: return s.status == server_status::missing || s.status == server_status::running;
    case op_kind::edit:  // done at once
    case op_kind::create_project:
    case op_kind::edit_project:
    case op_kind::remove_project:
    case op_kind::create_service:
    case op_kind::edit_service:
    case op_kind::remove_service:
    case op_kind::deploy:
    case op_kind::start_service:
    case op_kind::stop_service:
    case op_kind::rollback: return false;
    case op_kind::start:
    case op_kind::stop:
    case op_kind::restart:
    case op_kind::rebuild:
    case op_kind::move:
    case op_kind::recreate: break;
  }
  return contains(row_of(s.op->kind).allowed, s.status);
}

}  // namespace

TEST_CASE("server machine: every state takes every input and breaks no rule", "[unit][core][acc-6][acc-7][acc-28]") {
  size_t steps = 0;
  for (const auto& before : every_state()) {
    const auto inputs = every_input(before);
    const bool judged = occurs(before);
    for (bool online : {true, false})
      for (auto now : {noon, noon + 10min, noon + 30 * 24h})
        for (const auto& in : inputs) {
          // The many observations use the time only to note it; and one time is enough to find a crash.
          const bool look = std::holds_alternative<seen>(in) || std::holds_alternative<reported>(in) ||
                            std::holds_alternative<progressed>(in);
          if (now != noon && (look || !judged)) continue;
          context cx;
          cx.now = now;
          cx.agent_online = online;
          auto after = before;
          const auto d = decide(before, in, cx);
          apply(after, entry_of(before, d, now, 1000));
          (void)plan_text(before, d);
          ++steps;
          auto broken = judged ? broken_rule({before, in, cx, d, after}) : std::nullopt;
          if (broken) {
            INFO(text_of(before, in) << (online ? "" : " (agent away)"));
            FAIL(*broken);
          }
        }
  }
  REQUIRE(steps > 100'000);
}

namespace {

// A table as it is written: a head of column names, then rows that begin with a name.
struct table {
  std::vector<std::string> columns;
  std::vector<std::pair<std::string, std::vector<std::string>>> rows;

  explicit table(const char* text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::vector<std::string> cells;
      for (std::string w; words >> w;) cells.push_back(w);
      if (cells.empty()) continue;
      if (columns.empty()) {
        columns = cells;
        continue;
      }
      auto name = cells.front();
      cells.erase(cells.begin());
      REQUIRE(cells.size() == columns.size());
      rows.emplace_back(name, cells);
    }
  }
};

server_request request_named(const std::string& name) {
  if (name == "start") return start_server{};
  if (name == "start-fresh") return start_server{"", true};
  if (name == "stop") return stop_server{};
  if (name == "restart") return restart_server{};
  if (name == "rebuild") return rebuild_server{};
  if (name == "recreate") return recreate_server{};
  if (name == "recreate-fresh") return recreate_server{"", true};
  if (name == "edit") {
    edit_server e;
    e.config["TZ"] = "UTC";
    return e;
  }
  if (name == "rm") return remove_server{};
  if (name == "restore") return restore_server{};
  if (name == "restore-fresh") return restore_server{"", true};
  if (name == "purge") return purge_server{"", true, true, false};
  if (name == "move") return move_server{"", "/mnt/new"};
  if (name == "adopt") return adopt_server{};
  REQUIRE(name == "create");
  return create_server{};
}

// The outcome of a request in one word: the refusal's code, or the status after it, with "+" while its operation is
// open and "~" while that waits for the agent.
std::string outcome(fixture& x, const server_request& r) {
  const auto d = x.ask(r);
  if (d.refusal) return std::string(name_of(d.refusal->code));
  std::string out(name_of(x.s.status));
  if (x.s.op) out += x.s.op->step == step_waiting ? "~" : "+";
  return out;
}

server with_status(const std::string& name) {
  if (name == "unborn") {  // its create failed: it never ran
    auto s = record(server_status::failed);
    s.has_run = false;
    s.data = data_state::unknown;
    return s;
  }
  return record(enum_from_name<server_status>(name).value());
}

void check_requests(const table& t, bool online, const std::function<void(server&)>& prepare = {}) {
  for (const auto& [verb, cells] : t.rows)
    for (size_t i = 0; i < cells.size(); ++i) {
      auto s = with_status(t.columns[i]);
      if (prepare) prepare(s);
      fixture x(std::move(s), online);
      INFO(verb << " on " << t.columns[i]);
      CHECK(outcome(x, request_named(verb)) == cells[i]);
    }
}

}  // namespace

TEST_CASE("server machine: what each request leads to in each state",
          "[unit][core][acc-7][acc-44][acc-46][acc-50][acc-56]") {
  check_requests(table(R"(
               creating        running         stopped         missing         failed          unborn          deleting        deleted         purged
    create     already_exists  already_exists  already_exists  already_exists  already_exists  already_exists  already_exists  already_exists  not_found
    start      wrong_state     wrong_state     stopped+        missing+        failed+         failed+         wrong_state     wrong_state     not_found
    stop       wrong_state     running+        wrong_state     wrong_state     wrong_state     wrong_state     wrong_state     wrong_state     not_found
    restart    wrong_state     running+        wrong_state     wrong_state     wrong_state     wrong_state     wrong_state     wrong_state     not_found
    rebuild    wrong_state     running+        stopped+        missing+        failed+         failed+         wrong_state     wrong_state     not_found
    recreate   wrong_state     running+        stopped+        missing+        failed+         failed+         wrong_state     wrong_state     not_found
    edit       wrong_state     running         stopped         missing         failed          failed          wrong_state     wrong_state     not_found
    move       wrong_state     running+        stopped+        missing+        failed+         data_unknown    wrong_state     wrong_state     not_found
    rm         wrong_state     deleting+       deleting+       deleting+       deleting+       deleting+       wrong_state     wrong_state     not_found
    restore    wrong_state     wrong_state     wrong_state     wrong_state     wrong_state     wrong_state     wrong_state     missing+        not_found
    purge      wrong_state     deleting+       deleting+       deleting+       deleting+       deleting+       deleting+       deleting+       not_found
  )"),
                 true);
}

TEST_CASE("server machine: what each request leads to while the agent is away",
          "[unit][core][acc-51][acc-55][acc-60][fc-26][fc-28][fc-33]") {
  check_requests(table(R"(
               running            stopped            missing            failed             deleting     deleted
    start      wrong_state        agent_unreachable  agent_unreachable  agent_unreachable  wrong_state  wrong_state
    stop       running~           wrong_state        wrong_state        wrong_state        wrong_state  wrong_state
    restart    agent_unreachable  wrong_state        wrong_state        wrong_state        wrong_state  wrong_state
    rebuild    agent_unreachable  agent_unreachable  agent_unreachable  agent_unreachable  wrong_state  wrong_state
    recreate   agent_unreachable  agent_unreachable  agent_unreachable  agent_unreachable  wrong_state  wrong_state
    edit       running            stopped            missing            failed             wrong_state  wrong_state
    move       agent_unreachable  agent_unreachable  agent_unreachable  agent_unreachable  wrong_state  wrong_state
    rm         deleting~          deleting~          deleting~          deleting~          wrong_state  wrong_state
    restore    wrong_state        wrong_state        wrong_state        wrong_state        wrong_state  missing~
    purge      deleting~          deleting~          deleting~          deleting~          deleting~    deleting~
  )"),
                 false);
}

TEST_CASE("server machine: a container is made only with data that was seen, or without data on request",
          "[unit][core][acc-38][acc-39][acc-54][fc-2][fc-3]") {
  const auto with_data = [](data_state data, bool stale) {
    return [=](server& s) {
      s.data = data;
      s.stale = stale;
    };
  };
  const table present(R"(
                    stopped   missing   failed
    start           stopped+  missing+  failed+
    start-fresh     stopped+  missing+  failed+
    recreate        stopped+  missing+  failed+
    recreate-fresh  stopped+  missing+  failed+
    rebuild         stopped+  missing+  failed+
  )");
  const table none(R"(
                    stopped   missing   failed   unborn
    start           stopped+  no_data   no_data  failed+
    start-fresh     stopped+  missing+  failed+  failed+
    recreate        stopped+  no_data   no_data  failed+
    recreate-fresh  stopped+  missing+  failed+  failed+
    rebuild         stopped+  no_data   no_data  failed+
  )");
  const table unknown(R"(
                    stopped   missing       failed        unborn
    start           stopped+  data_unknown  data_unknown  failed+
    start-fresh     stopped+  data_unknown  data_unknown  failed+
    recreate        stopped+  data_unknown  data_unknown  failed+
    recreate-fresh  stopped+  data_unknown  data_unknown  failed+
    rebuild         stopped+  data_unknown  data_unknown  failed+
  )");
  check_requests(present, true, with_data(data_state::present, false));
  check_requests(none, true, with_data(data_state::absent, false));
  check_requests(none, true, with_data(data_state::empty, false));
  check_requests(unknown, true, with_data(data_state::unknown, false));
  check_requests(unknown, true, with_data(data_state::present, true));
  check_requests(unknown, true, with_data(data_state::absent, true));
  const table restore_none(R"(
                    deleted
    restore         missing
    restore-fresh   missing+
  )");
  const table restore_unknown(R"(
                    deleted
    restore         missing+
  )");
  check_requests(restore_none, true, with_data(data_state::absent, false));
  check_requests(restore_none, true, with_data(data_state::empty, false));
  check_requests(restore_unknown, true, with_data(data_state::unknown, false));
  check_requests(restore_unknown, true, with_data(data_state::absent, true));
}

TEST_CASE("server machine: while an operation is open every other request is busy and names it",
          "[unit][core][acc-6][fc-13]") {
  for (auto status : all<server_status>()) {
    if (status == server_status::purged) continue;
    for (auto kind : every_kind())
      for (const auto& r : every_request()) {
        auto s = record(status);
        s.op = open_operation(s, kind);
        fixture x(s);
        const auto d = x.ask(r);
        INFO(row_of(static_cast<op_kind>(r.index())).word() << " during " << name_of(kind));
        REQUIRE(d.refusal);
        CHECK(d.refusal->code == ec::busy);
        CHECK(d.refusal->operation == s.op->id.value);
        CHECK(d.refusal->message.find(std::string(name_of(kind))) != std::string::npos);
        CHECK(x.s.op == s.op);
      }
  }
}

TEST_CASE("server machine: what each observation leads to in each state", "[unit][core][acc-25][acc-28][fc-8][fc-16]") {
  const table t(R"(
                running   stopped   missing   failed    unborn    deleting   deleted
    created     stopped   stopped   stopped   stopped   failed    deleting+  deleting+
    running     running   running   running   running   running   deleting+  deleting+
    paused      running   running   running   running   running   deleting+  deleting+
    restarting  running   running   running   running   running   deleting+  deleting+
    removing    running   stopped   missing   failed    failed    deleting+  deleting+
    exited      stopped   stopped   stopped   stopped   failed    deleting+  deleting+
    dead        stopped   stopped   stopped   stopped   failed    deleting+  deleting+
    absent      missing   missing   missing   failed    failed    deleted    deleted
    unknown     running   stopped   missing   failed    failed    deleting   deleted
  )");
  for (const auto& [what, cells] : t.rows)
    for (size_t i = 0; i < cells.size(); ++i)
      for (auto data : all<data_state>()) {
        fixture x(with_status(t.columns[i]));
        auto o = what == "absent" ? saw_nothing(data) : could_not_look();
        o.data = data;
        if (auto state = enum_from_name<container_state>(what)) o = saw(*state, data);
        x.see(o);
        INFO(what << " seen of a server that is " << t.columns[i] << ", data " << name_of(data));
        CHECK(std::string(name_of(x.s.status)) + (x.s.op ? "+" : "") == cells[i]);
      }
}
