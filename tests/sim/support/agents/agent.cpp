#include "tests/sim/support/agents/agent.hpp"

#include "actors/core/overload.hpp"
#include "actors/core/plan/blueprint.hpp"
#include "tests/sim/support/virtual_wall.hpp"

namespace zedops::sim {

using namespace msg;

namespace {
constexpr duration beat_every{1'000};
constexpr duration silence_max{6'000};  // then the connection is taken for dead
}  // namespace

agent::agent(agenda& time, dice& chance, network& net, host& on, agent_options options)
    : time_(time), chance_(chance), net_(net), host_(on), options_(std::move(options)) {}

void agent::later(duration wait, std::function<void()> what) {
  time_.in(wait, [this, life = life_, what = std::move(what)] {
    if (life == life_) what();
  });
}

void agent::start() {
  if (running() || refused_) return;
  life_ = ++lives_;
  instance_ = options_.name + "-" + std::to_string(chance_.bits());
  if (host_.agent.empty()) host_.agent.value = id_text('a', chance_.bits(), chance_.bits());
  host_.on_event = [this](const container& c, const char* hint) { notice(c.server(), hint); };
  dial();
  beat();
}

void agent::crash() {
  if (!running()) return;
  life_ = 0;
  session_ = 0;
  if (!wire_.empty()) net_.hang_up(wire_);
  wire_.clear();
  known_.clear();
  lanes_.clear();
}

void agent::disconnect() {
  if (!wire_.empty()) net_.hang_up(wire_);
}

void agent::out_of_session() {
  session_ = 0;
  ++greetings_;
}

void agent::dial() {
  out_of_session();
  last_heard_ = time_.now();
  wire_ = net_.dial(*this);
  if (wire_.empty()) later(chance_.between(duration{100}, duration{500}), [this] { dial(); });
  else hello();
}

void agent::hello() {
  msg::hello h;
  h.id = host_.agent;
  h.name = options_.name;
  h.instance = instance_;
  h.hostname = host_.name;
  h.data_path = "/srv/" + host_.name;
  h.software = "sim";
  h.engine_version = "25";
  h.engine_ok = host_.engine_answers;
  h.manager_id = host_.manager_id;
  h.term = host_.term;
  h.greeting = greetings_;
  say(std::move(h));
}

void agent::beat() {
  later(beat_every, [this] { beat(); });
  if (wire_.empty()) return;
  if (time_.now() - last_heard_ > silence_max) {
    net_.hang_up(wire_);
    return;
  }
  if (session_ == 0) hello();
  else say(heartbeat{0, host_.engine_answers, host_.engine_answers ? "" : "it does not answer"});
}

void agent::say(from_agent what) {
  if (!wire_.empty()) net_.say(wire_, std::move(what));
}

void agent::hung_up(const std::string& wire) {
  if (!running() || wire != wire_) return;
  wire_.clear();
  out_of_session();
  later(chance_.between(duration{50}, duration{400}), [this] { dial(); });
}

void agent::receive(const std::string& wire, uint64_t, const to_agent& what) {
  if (!running() || wire != wire_) return;
  last_heard_ = time_.now();
  std::visit(core::overload{
                 [&](const welcome& m) {
                   if (m.term < host_.term) {
                     say(welcome_refused{m.session, host_.term, {ec::not_leader, "a higher term was obeyed", {}, {}}});
                     return;
                   }
                   host_.manager_id = m.manager_id;
                   host_.agent = m.id;
                   host_.term = m.term;
                   session_ = m.session;
                   known_.clear();
                   for (const auto& k : m.servers) known_[k.id] = k;
                   later(chance_.between(options_.look_min, options_.look_max), [this] { inventory(0); });
                 },
                 [&](const refused& m) {
                   if (!m.final) return;
                   refused_ = true;
                   crash();
                 },
                 [&](const ping& m) {
                   if (session_ != 0) say(heartbeat{m.nonce, host_.engine_answers, {}});
                 },
                 [&](const run_command& m) { on_command(m); },
                 [&](const cancel_command& m) { withdraw([&](const run_command& c) { return c.op == m.op; }); },
                 [&](const watch_servers& m) {
                   for (const auto& k : m.servers) known_[k.id] = k;
                   for (const auto& id : m.forget) known_.erase(id);
                 },
                 [&](const sync_query& m) {
                   later(chance_.between(options_.look_min, options_.look_max),
                         [this, n = m.request] { inventory(n); });
                 },
                 [&](const data_query& m) {
                   data_answer a;
                   a.request = m.request;
                   for (const auto& k : m.servers) {
                     data_row row;
                     row.id = k.id;
                     row.state = row.data = row.bin = host_.data_of(k.data.name);
                     if (m.sizes && row.state == data_state::present) row.bytes = 1'000;
                     a.rows.push_back(row);
                   }
                   say(std::move(a));
                 },
                 [&](const port_query& m) {
                   port_answer a;
                   a.request = m.request;
                   for (const auto& p : m.ports) a.rows.push_back({p.number, p.proto, port_owner::free, {}});
                   say(std::move(a));
                 },
                 [&](const container_query& m) { say(describe(m)); },
                 [&](const watch_usage&) {},
                 [&](const upload_piece&) {},
                 [&](const stray_query& m) { say(stray_answer{m.request, {}, {}}); },
                 [&](const layer_query& m) {
                   say(layer_answer{m.request, {1, 10, {{"/opt", 1}}}, {}});
                 },
                 [&](const logs_query& m) {
                   say(logs_answer{m.request, {{"stdout", "hello"}}, {}});
                 },
                 [&](const goodbye&) { out_of_session(); },  // it says hello again
                 [&](const incidents_taken& m) { incidents_taken_upto = m.upto; },
             },
             what);
}

// ---- what it sees ----
namespace {
bool replaces(command_kind k) { return k == command_kind::replace || k == command_kind::move; }
}  // namespace

observation agent::look(const known_server& k) const {
  observation o;
  o.server = k.id;
  o.observed_at = sim_start + time_.now() + host_.clock_skew;
  o.data = host_.data_of(k.data.name);
  if (o.data == data_state::present) o.data_bytes = 1'000;
  if (!host_.engine_answers) return o;
  auto& engine = host_;
  const auto lane = lanes_.find(k.id);
  const bool replacing = lane != lanes_.end() && !lane->second.empty() && replaces(lane->second.front().cmd.kind);
  const auto set_aside = [](const container& x) { return x.view.name.find(".old-") != std::string::npos; };
  container* c = k.container_id.empty() ? nullptr : engine.find(k.container_id);
  for (auto* other : engine.of_server(k.id.value, host_.manager_id)) {
    if (!c) c = other;
    if (other->view.id == c->view.id) continue;
    if (set_aside(*c) && !set_aside(*other)) std::swap(c, other);
    if (set_aside(*other) && replacing) continue;  // an old one that is being replaced is no rival
    o.rivals.push_back(other->view.id);
  }
  o.container = c ? presence::present : presence::absent;
  if (c) o.view = c->view;
  return o;
}

void agent::notice(const std::string& server, const char* hint) {
  if (!running() || events_cut || session_ == 0) return;
  later(chance_.between(options_.look_min, options_.look_max), [this, server, hint] {
    auto k = known_.find(server_id{server});
    if (session_ == 0 || k == known_.end() || !host_.engine_answers) return;
    say(observed{look(k->second), hint});
  });
}

void agent::inventory(uint64_t request) {
  if (session_ == 0) return;
  msg::inventory inv;
  inv.request = request;
  inv.took = duration{7};
  if (!host_.engine_answers) inv.failure = error{ec::engine_error, "the Engine does not answer", "start it", {}};
  else
    for (const auto& [id, k] : known_) inv.servers.push_back(look(k));
  if (!inv.failure)
    for (const auto& [id, c] : host_.containers)
      if (c.manager() == host_.manager_id && !known_.contains(server_id{c.server()})) inv.unclaimed.push_back(c.view);
  ++syncs_answered;
  say(std::move(inv));
}

// ---- commands ----
namespace {
std::vector<std::string> steps_of(command_kind k) {
  switch (k) {
    case command_kind::run: return {"preparing", "pulling", "creating", "starting", "verifying"};
    case command_kind::stop: return {"saving", "stopping"};
    case command_kind::restart: return {"saving", "stopping", "starting", "verifying"};
    case command_kind::replace:
      return {"pulling", "stopping", "renaming", "creating", "starting", "proving", "removing_old"};
    case command_kind::move:
      return {"preparing", "stopping", "copying", "renaming", "creating", "starting", "proving", "removing_old"};
    case command_kind::drop_source: return {"cleaning"};
    case command_kind::adopt:
      return {"preparing", "pulling",  "stopping", "copying",   "renaming",
              "creating",  "starting", "proving",  "switching", "removing_old"};
    case command_kind::remove: return {"stopping", "removing", "verifying_gone"};
    case command_kind::purge: return {"stopping", "removing", "removing_data", "verifying_gone"};
    case command_kind::deploy: return {"working"};
  }
  return {};
}
}  // namespace

void agent::on_command(const run_command& c) {
  ++commands_received_;
  command_result r;
  r.op = c.op;
  r.attempt = c.attempt;
  r.server = c.server;
  r.after.server = c.server;
  r.term = c.term;
  if (c.term < host_.term) {
    r.refusal = agent_refusal::outdated;
    r.failure = error{ec::not_leader, "an older manager has no say", "", {}};
    say(std::move(r));
    return;
  }
  host_.term = c.term;
  auto& lane = lanes_[c.server];
  for (const auto& j : lane)
    if (j.cmd.op == c.op && j.cmd.attempt == c.attempt) return;  // its report is still to come
  auto& entry = host_.journal[{c.op.value, c.attempt}];
  if (entry.done) {
    say(entry.result);
    return;
  }
  withdraw([&](const run_command& other) { return other.server == c.server && other.op != c.op; });
  if (c.kind != command_kind::deploy)
    known_[c.server] = {c.server, c.container_id, c.plan.container.name, c.plan.data};
  job j;
  j.cmd = c;
  j.steps = steps_of(c.kind);
  lane.push_back(std::move(j));
  if (lane.size() == 1) pump(c.server);
}

// What waits never begins; what runs ends before its next step.
void agent::withdraw(const std::function<bool(const run_command&)>& which) {
  for (auto& [server, lane] : lanes_)
    for (auto& j : lane)
      if (which(j.cmd)) j.withdrawn = true;
}

void agent::pump(const server_id& server) {
  auto& lane = lanes_[server];
  if (lane.empty()) return;
  lane.front().begun = time_.now();
  later(chance_.between(options_.step_min, options_.step_max), [this, server] { advance(server); });
}

void agent::advance(const server_id& server) {
  auto& lane = lanes_[server];
  if (lane.empty()) return;
  auto& j = lane.front();
  if (gives_up && time_.now() - j.begun > j.cmd.time_max) {
    finish(server, error{ec::timeout, "it took too long", "", {}});
    return;
  }
  if (host_.engine_hangs) {
    later(duration{500}, [this, server] { advance(server); });
    return;
  }
  if (j.next == j.steps.size()) {
    finish(server, std::nullopt);
    return;
  }
  if (j.withdrawn) {
    undo(j);
    finish(server, error{ec::cancelled, "withdrawn before " + j.steps[j.next], "", {}});
    return;
  }
  const auto step = j.steps[j.next];
  if (crash_before && *crash_before == step) {
    crash_before.reset();
    crash();
    return;
  }
  if (dies_here()) return;
  command_progress p;
  p.op = j.cmd.op;
  p.attempt = j.cmd.attempt;
  p.server = server;
  p.step = step;
  p.progress = static_cast<uint32_t>(100 * j.next / j.steps.size());
  say(std::move(p));
  result<void> done;
  if (!host_.engine_answers) done = fail(ec::engine_error, "the Engine does not answer", "start it");
  else if ((fail_step && *fail_step == step) || chance_.per_mille(fail_per_mille)) {
    fail_step.reset();
    done = fail(ec::engine_error, "step " + step + " failed", "");
  } else {
    done = perform(j, step);
  }
  if (dies_here()) return;
  if (!done) {
    undo(j);
    finish(server, done.error());
    return;
  }
  ++j.next;
  later(chance_.between(options_.step_min, options_.step_max), [this, server] { advance(server); });
}

void agent::undo(job& j) {
  if (j.cmd.kind == command_kind::adopt) give_back(j);
  else if (replaces(j.cmd.kind)) put_back(j);
}

bool agent::dies_here() {
  if (effects_left_ == 0 || --effects_left_ > 0) return false;
  crash();
  time_.in(duration{500}, [this] { start(); });  // by its supervisor
  return true;
}

}  // namespace zedops::sim
