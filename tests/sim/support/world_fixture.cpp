#include "tests/sim/support/world_fixture.hpp"

#include <algorithm>
#include <stdexcept>

#include "config/logging/logging.hpp"
#include "tests/sim/support/agents/real_agent.hpp"

namespace zedops::sim {

using namespace msg;

namespace {
void hush() {
  static const bool once = [] {
    config::log_options o;
    const char* wanted = std::getenv("ZEDOPS_SIM_LOG");
    o.level = wanted ? log_level::info : log_level::error;
    if (!wanted) o.write = [](std::string_view) {};
    config::start_logging(o);
    return true;
  }();
  (void)once;
}
}  // namespace

manager::policy sim_policy() {
  manager::policy p;
  p.retention = 10min;
  p.sync_interval = 10s;
  p.clock_trust = 0s;
  p.time_max.fill(duration(30s));
  return p;
}

create_server a_server(const std::string& name, const std::string& on) {
  create_server c;
  c.name = name;
  c.agent = on;
  c.template_name = "project-zomboid";
  c.image = "registry.example/pz";
  c.image_tag = "41";
  c.config = {{"SERVER_NAME", name}, {"RCON_PASSWORD", "secret-of-" + name}};
  return c;
}

void shorten_stops(server_template& t) {
  t.stop_steps.clear();
  t.spec.stop_signal.reset();
  t.spec.stop_grace = std::chrono::seconds(1);
}

container_spec a_stranger(const std::string& name, uint16_t port) {
  const auto next = static_cast<uint16_t>(port + 1);
  container_spec c;
  c.name = name;
  c.image = "registry.example/pz:41";
  c.env = {{"SERVER_DEFAULT_PORT", std::to_string(port)}, {"SERVER_UDP_PORT", std::to_string(next)}, {"MOTD", "hello"}};
  c.ports = {{port, port, protocol::udp, {}}, {next, next, protocol::udp, {}}};
  c.mounts = {{"/srv/old/bin", "/home/steam/zomboid-dedicated", false},
              {"/srv/old/data", "/home/steam/Zomboid", false}};
  c.networks = {"zomboid-servers", "zomboid-backend"};
  return c;
}

adopt_server an_adoption(const std::string& container, const std::string& name, const std::string& on) {
  adopt_server r;
  r.name = name;
  r.agent = on;
  r.container = container;
  r.template_name = "project-zomboid";
  return r;
}

world::world(uint64_t s, manager::policy p) : seed(s), chance(s), rules(std::move(p)) {
  hush();
  random_ = std::make_unique<seeded_randomness>(s ^ 0x5eed);
  net.on_send = [this](const std::string&, const to_agent& what) {
    if (const auto* c = std::get_if<run_command>(&what)) audit.on_command(*c);
  };
  net.to_manager = [this](rt::agent_said said) {
    if (manager) manager->node().said(std::move(said));
  };
  net.to_manager_lost = [this](rt::peer_lost lost) {
    if (manager) manager->node().lost(std::move(lost));
  };
}

world::~world() {
  if (manager) crash_manager();
}

void world::boot() {
  if (manager) return;
  constexpr int starts_max = 10;  // the commit that fails or crashes may be that of the start itself
  crash_after_jobs = 0;
  for (int i = 0; i < starts_max && !manager; ++i) try {
      db.restart();
      manager = std::make_unique<manager_process>(
          manager_parts{db, wall, *random_, clients, net, events, rules, templates, time, commit_takes, more_kinds});
    } catch (const std::runtime_error&) {
    }
  if (!manager) return audit.say("the manager cannot start");
  ++incarnation;
  audit.manager_started();
  clients.up = events.up = true;
  net.manager_up();
}

void world::stop_manager() {
  if (!manager) return;
  manager->node().stop();
  look();
  clients.up = events.up = false;
  manager.reset();
  net.manager_gone();
}

void world::crash_manager() {
  if (!manager) return;
  ++crashes;
  clients.up = events.up = false;
  net.manager_gone();
  db.crash();
  manager.reset();
  db.restart();
  crash_after_jobs = 0;
}

struct world::backup {
  std::shared_ptr<const store::memory_store::image> store;
  auditor::memory known;
};

std::shared_ptr<const world::backup> world::back_up() {
  look();
  return std::make_shared<const backup>(backup{db.copy(), audit.remember()});
}

void world::restore(const backup& from) {
  if (manager) look();
  if (manager) crash_manager();
  db.crash();
  db.put_back(*from.store);
  db.restart();
  audit.go_back(from.known);
}

void world::equip(const std::string& name) {
  if (hosts.contains(name)) return;
  hosts[name] = std::make_unique<host>(name);
  hosts[name]->images = {"registry.example/pz:41"};
  hosts[name]->on_data_removed = [this, h = hosts[name].get()](const std::string& server_name) {
    audit.on_data_removed(*h, server_name);
  };
}

agent& world::add_host(const std::string& name, agent_options options) {
  if (options.name.empty()) options.name = name;
  equip(name);
  agents[name] = std::make_unique<agent>(time, chance, net, *hosts[name], std::move(options));
  agents[name]->start();
  return at(name);
}

agent_process& world::add_real_host(const std::string& name, bool one_lane) {
  equip(name);
  auto made = std::make_unique<real_agent>(time, chance, net, *hosts[name]);
  made->one_lane = one_lane;
  agents[name] = std::move(made);
  agents[name]->start();
  return *agents[name];
}

void world::job_done() {
  ++steps;
  if (crash_after_jobs > 0 && --crash_after_jobs == 0) return crash_manager();
  if (store_may_crash && !db.begin_read()) return crash_manager();
  if (!manager->core_lost().empty()) {
    if (!core_loss_is_a_crash) audit.say("a core actor has ended by itself: " + manager->core_lost());
    crash_manager();
  }
}

bool world::work() {
  auto* order = any_order ? &chance : nullptr;
  bool worked = false;
  if (manager && manager->run_one(order)) {
    worked = true;
    job_done();
  }
  for (auto& [name, a] : agents)
    if (a->work(order)) {
      worked = true;
      ++steps;
    }
  return worked;
}

void world::settle() {
  for (bool worked = true; worked;) {
    worked = false;
    while (work()) worked = true;
    if (time.do_one()) {
      worked = true;
      ++steps;
    }
  }
}

void world::look() {
  audit.read_log(manager ? &manager->world().records : nullptr);
  for (auto& [name, h] : hosts) audit.look_at(*h, h->manager_id);
  audit.look_at_doors();
}

void world::advance(duration d) {
  settle();
  const auto end = time.now() + d;
  while (time.now() < end) {
    auto t = std::min(end, time.now() + 100ms);
    if (auto next = time.next()) t = std::min(t, std::max(*next, time.now()));
    const auto step = t - time.now();
    time.move_to(t);
    if (manager && step > 0ms) manager->advance(step);
    if (step > 0ms)
      for (auto& [name, a] : agents) a->pass(step);
    settle();
    look();
  }
}

bool world::until(const std::function<bool()>& true_now, duration at_most) {
  settle();
  look();
  const auto end = time.now() + at_most;
  while (!true_now()) {
    if (time.now() >= end) return false;
    advance(50ms);
  }
  return true;
}

std::string world::send_bytes(const std::string& verb, std::string body, const call_options& o) {
  const auto request = "r" + std::to_string(++requests_);
  request_options options;
  options.actor = o.actor;
  options.dry_run = o.dry_run;
  options.wait = o.wait;
  auto& r = clients.requests[request];
  r.verb = verb;
  r.incarnation = incarnation;
  r.asked = time.now();
  r.dry_run = o.dry_run;
  r.waits = o.wait || verb == "op.wait";
  if (!manager) return request;
  rt::client_call call;
  call.who = {&clients, "c-" + o.actor + std::to_string(requests_ % 3), request};
  call.by = o.by ? o.by : std::make_shared<const msg::principal>(msg::local_principal());
  call.verb = verb;
  call.idempotency_key = o.key;
  call.deadline = o.deadline;
  call.options = pack_map(options);
  call.body = std::move(body);
  manager->node().request(std::move(call));
  return request;
}

size_t world::progress_of(const std::string& request) const {
  const auto& all = clients.requests.at(request).replies;
  return static_cast<size_t>(
      std::count_if(all.begin(), all.end(), [](const auto& r) { return r.kind == rt::answer::progress; }));
}

msg::server world::server(const std::string& name) const {
  const msg::server* found = nullptr;
  for (const auto& [id, s] : audit.servers())
    if (s.name == name && (!found || s.created_at >= found->created_at)) found = &s;
  return found ? *found : msg::server{};
}

msg::agent_status world::agent_status(const std::string& name) const {
  for (const auto& [id, a] : audit.agents())
    if (a.name == name) return a.status;
  return msg::agent_status::pending;
}

std::string world::report() const {
  std::string out;
  for (const auto& b : audit.broken()) out += b + "\n";
  return out.empty() ? out : "seed " + std::to_string(seed) + ":\n" + out;
}

}  // namespace zedops::sim
