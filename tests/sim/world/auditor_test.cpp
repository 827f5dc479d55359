// A check that cannot fail is no check: each rule of the auditor meets a world that breaks it.
#include "tests/sim/support/auditor.hpp"

#include <functional>

#include "actors/core/agent/agent_machine.hpp"
#include "messages/wire/codec.hpp"
#include "tests/sim/support/virtual_wall.hpp"
#include "tests/support/catch.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::sim;

namespace {

// A small truthful world, written entry by entry; each test tells one lie in it.
struct ledger {
  store::memory_store db;
  client_door clients;
  event_board events;
  auditor audit{db, clients, events};
  host alpha{"alpha"};
  manager::catalog catalog;
  std::map<std::string, server> servers;
  uint64_t last = 0;

  ledger() {
    alpha.agent = {"a1"};
    alpha.manager_id = "m1";
    clients.up = events.up = true;
  }

  void put(store::table t, const std::string& key, const std::string& bytes) {
    auto w = db.begin_write();
    REQUIRE(w.has_value());
    REQUIRE((*w)->put(t, key, bytes).has_value());
    REQUIRE((*w)->commit().has_value());
  }
  void write(const log_entry& e, std::optional<uint64_t> under = {}) {
    put(store::table::log, manager::log_key(under.value_or(e.first_seq)), pack(e));
    last = e.first_seq + e.facts.size() - 1;
  }
  // The next entry of a server, as the journal would write it; `lie` may change it before it is stored.
  void happens(const std::string& id, std::vector<fact> facts, const std::function<void(log_entry&)>& lie = {}) {
    auto& s = servers[id];
    log_entry e{id, s.log_head, last + 1, sim_start, {}, core::number(s, std::move(facts))};
    if (lie) lie(e);
    core::apply(s, e);
    write(e);
    keep(s);
  }
  void keep(const server& s) {
    put(store::table::servers, s.id.value, pack(s));
    catalog.put(std::make_shared<const server>(s));
  }
  void look() {
    audit.read_log(&catalog);
    audit.look_at(alpha, "m1");
    audit.look_at_doors();
  }

  static operation op(const std::string& id, op_kind kind = op_kind::create) {
    operation o;
    o.id = {id};
    o.kind = kind;
    o.started_at = sim_start;
    o.deadline = sim_start + std::chrono::seconds(30);
    return o;
  }
  static run_command command(uint64_t term, const std::string& operation) {
    run_command c;
    c.term = term;
    c.op = {operation};
    return c;
  }
  static server record(const std::string& id, const std::string& name, uint16_t port) {
    server s;
    s.id = {id};
    s.name = name;
    s.agent = {"a1"};
    s.ports = {{port_role::game, protocol::udp, port}};
    return s;
  }
  void born(const std::string& id, const std::string& name, uint16_t port) {
    happens(id, {server_created{record(id, name, port)}, operation_accepted{op("o-" + id)}});
  }
  void runs(const std::string& id) {
    happens(id, {status_changed{server_status::creating, server_status::running, "created"},
                 operation_ended{{"o-" + id}, op_status::succeeded, {}, {}, sim_start}});
  }
  void purged(const std::string& id) {
    happens(id, {operation_accepted{op("p-" + id, op_kind::purge)}});
    happens(id, {operation_ended{{"p-" + id}, op_status::succeeded, {}, {}, sim_start}, server_purged{}});
  }
  std::string container_of(const std::string& id) {
    container_spec spec;
    spec.name = "box-" + id + std::to_string(alpha.containers.size());
    spec.labels = {{"zedops.manager", "m1"}, {"zedops.server.id", id}};
    return alpha.create(spec);
  }
  void answer(const std::string& request, const std::string& operation) {
    auto& r = clients.requests[request];
    r.verb = "server.stop";
    operation_reply told;
    told.operation.id = {operation};
    clients.reply({&clients, "c", request}, rt::answer::result, pack_map(told));
  }
  std::string found() const {
    std::string out;
    for (const auto& b : audit.broken()) out += b + "\n";
    return out;
  }
};

void with_agent(ledger& x, bool truthful) {
  msg::agent a;
  a.id = {"a1"};
  a.name = "alpha";
  log_entry e{"a1", 0, x.last + 1, sim_start, {}, core::number(msg::agent{}, {agent_registered{a}})};
  msg::agent now;
  core::apply(now, e);
  if (!truthful) now.hostname = "elsewhere";
  x.write(e);
  x.put(store::table::agents, "a1", pack(now));
}

struct lie {
  const char* says;  // what the auditor has to report
  std::function<void(ledger&)> told;
};

const std::vector<lie> lies = {
    {"events are not gapless",
     [](ledger& x) {
       ++x.last;
       x.runs("s1");
     }},
    {"lies under another number",
     [](ledger& x) {
       log_entry e{"s1", 0, x.last + 1, sim_start, {}, {}};
       x.put(store::table::log, manager::log_key(x.last + 2), pack(e));
     }},
    {"cannot be read", [](ledger& x) { x.put(store::table::log, manager::log_key(x.last + 1), "rubbish"); }},
    {"without facts", [](ledger& x) { x.happens("s1", {}); }},
    {"are not consecutive",
     [](ledger& x) {
       x.happens("s1", {desired_changed{desired_state::stopped}}, [](log_entry& e) { ++e.facts[0].subject_seq; });
     }},
    {"was accepted twice",
     [](ledger& x) {
       x.runs("s1");
       x.happens("s1", {operation_accepted{ledger::op("o-s1")}});
     }},
    {"ended twice",
     [](ledger& x) {
       x.runs("s1");
       x.happens("s1", {operation_ended{{"o-s1"}, op_status::failed, {}, {}, sim_start}});
     }},
    {"was never accepted",
     [](ledger& x) {
       x.happens("s1", {operation_ended{{"o-new"}, op_status::failed, {}, {}, sim_start}});
     }},
    {"the chain of server",
     [](ledger& x) { x.happens("s1", {desired_changed{desired_state::stopped}}, [](log_entry& e) { e.prev = 77; }); }},
    {"came back",
     [](ledger& x) {
       x.runs("s1");
       x.purged("s1");
       x.happens("s1", {status_changed{server_status::purged, server_status::running, "a miracle"}});
     }},
    {"two open operations", [](ledger& x) { x.happens("s1", {operation_accepted{ledger::op("o-more")}}); }},
    {"port/a1/udp/16261 belongs to s1 and was given to s2", [](ledger& x) { x.born("s2", "two", 16261); }},
    {"name/a1/one belongs to s1 and was given to s2", [](ledger& x) { x.born("s2", "one", 20000); }},
    {"facts and no snapshot",
     [](ledger& x) {
       const auto s = ledger::record("s2", "two", 20000);
       x.write({"s2",
                0,
                x.last + 1,
                sim_start,
                {},
                core::number(server{}, {server_created{s}, operation_accepted{ledger::op("o-s2")}})});
     }},
    {"is not the sum of its facts",
     [](ledger& x) {
       x.happens("s1", {desired_changed{desired_state::stopped}});
       auto s = x.servers["s1"];
       s.restarts = 3;
       x.put(store::table::servers, "s1", pack(s));
     }},
    {"the catalog does not know server",
     [](ledger& x) {
       x.happens("s1", {desired_changed{desired_state::stopped}});
       auto s = x.servers["s1"];
       s.restarts = 3;
       x.catalog.put(std::make_shared<const server>(s));
     }},
    {"has no deadline",
     [](ledger& x) {
       x.runs("s1");
       auto o = ledger::op("o-endless", op_kind::stop);
       o.deadline = never;
       x.happens("s1", {operation_accepted{o}});
     }},
    {"is creating without an operation",
     [](ledger& x) {
       x.happens("s1", {operation_ended{{"o-s1"}, op_status::failed, {}, {}, sim_start}});
     }},
    {"purged server s1 has an open operation", [](ledger& x) { x.happens("s1", {server_purged{}}); }},
    {"will never be purged",
     [](ledger& x) {
       x.runs("s1");
       x.happens("s1", {status_changed{server_status::running, server_status::deleted, "rm"}});
     }},
    {"the snapshot of agent", [](ledger& x) { with_agent(x, false); }},
    {"left before its operation was durable", [](ledger& x) { x.audit.on_command(ledger::command(1, "o-unknown")); }},
    {"carries an old term",
     [](ledger& x) {
       x.audit.on_command(ledger::command(5, "o-s1"));
       x.audit.on_command(ledger::command(4, "o-s1"));
     }},
    {"no open operation wanted it", [](ledger& x) { x.audit.on_data_removed(x.alpha, "one"); }},
    {"has a container",
     [](ledger& x) {
       x.runs("s1");
       x.purged("s1");
       x.container_of("s1");
     }},
    {"2 running containers",
     [](ledger& x) {
       x.runs("s1");
       x.alpha.start(x.container_of("s1"));
       x.alpha.start(x.container_of("s1"));
     }},
    {"was answered again",
     [](ledger& x) {
       x.answer("r1", "o-s1");
       x.answer("r1", "o-s1");
     }},
    {"which is not in the log", [](ledger& x) { x.answer("r1", "o-imagined"); }},
    {"was acknowledged and never ended",
     [](ledger& x) {
       x.answer("r1", "o-s1");
       x.look();
       x.audit.look_at_promises();
     }},
    {"was next",
     [](ledger& x) {
       x.events.publish({"t", 1, {}});
       x.events.publish({"t", 3, {}});
     }},
    {"was published before it was durable",
     [](ledger& x) {
       x.events.publish({"t", x.last + 1, {}});
     }},
};

}  // namespace

TEST_CASE("the auditor finds nothing in a truthful world", "[sim][auditor]") {
  ledger x;
  with_agent(x, true);
  x.born("s1", "one", 16261);
  x.look();
  x.audit.on_command(ledger::command(1, "o-s1"));
  x.answer("r1", "o-s1");
  x.alpha.start(x.container_of("s1"));
  x.runs("s1");
  x.look();
  x.audit.look_at_promises();
  for (uint64_t seq = 1; seq <= x.last; ++seq) x.events.publish({"t", seq, {}});
  auto purge = ledger::op("p-s1", op_kind::purge);
  purge.remove_data = true;
  x.happens("s1", {operation_accepted{purge}});
  x.audit.on_data_removed(x.alpha, "one");
  x.alpha.remove(x.alpha.containers.begin()->first);
  x.happens("s1", {operation_ended{{"p-s1"}, op_status::succeeded, {}, {}, sim_start}, server_purged{}});
  x.born("s2", "one", 16261);  // name and port are free again
  x.look();
  CHECK(x.found() == "");
}

TEST_CASE("the auditor reports every broken rule by its name", "[sim][auditor]") {
  for (const auto& l : lies) {
    ledger x;
    x.born("s1", "one", 16261);
    x.look();
    REQUIRE(x.found() == "");
    l.told(x);
    x.look();
    INFO("the lie: " << l.says << "\nfound: " << x.found());
    CHECK(x.found().find(l.says) != std::string::npos);
  }
}
