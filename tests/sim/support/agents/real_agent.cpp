#include "tests/sim/support/agents/real_agent.hpp"

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include "actors/agent/engine/engine_watcher.hpp"
#include "actors/agent/session/agent_core.hpp"
#include "tests/sim/support/hosts/sim_ports.hpp"
#include "tests/sim/support/virtual_wall.hpp"

namespace zedops::sim {

using namespace msg;

namespace {

constexpr duration beat_every{1'000};
constexpr duration silence_max{6'000};  // then the connection is taken for dead, as the transport's heartbeats would
constexpr duration start_again{500};    // by its supervisor

struct testing_config : caf::actor_system_config {
  testing_config() { set("scheduler.policy", caf::atom("testing")); }
};

}  // namespace

struct real_agent::link final : agent::link_port {
  real_agent& me;
  explicit link(real_agent& a) : me(a) {}
  bool send(const from_agent& m, uint64_t) override {
    if (me.wire_.empty()) return false;
    me.net_.say(me.wire_, m);
    return true;
  }
};
struct real_agent::lane final : agent::worker_port {
  real_agent& me;
  explicit lane(real_agent& a) : me(a) {}
  void run(std::function<void()> work) override { me.begin_job(std::move(work)); }
};
struct real_agent::helper final : agent::worker_port {
  real_agent& me;
  explicit helper(real_agent& a) : me(a) {}
  void run(std::function<void()> work) override {
    me.in_this_life(me.chance_.between(duration{0}, duration{5}), std::move(work));
  }
};

// Everything the actors use outlives them: they end with the system, which is the last member but for their handles.
struct real_agent::parts {
  parts(real_agent& of, std::unique_ptr<agent::agent_state> s)
      : me(of),
        state(std::move(s)),
        wire(me),
        lanes(me),
        others(me),
        engine(me, me.host_),
        files(me, me.host_),
        console(me) {
    const auto steady = [&me = me] { return std::chrono::steady_clock::time_point(me.time_.now()); };
    agent::clocks clock{[&me = me] { return sim_start + me.time_.now() + me.host_.clock_skew; }, steady,
                        [&me = me](auto d) { me.wait(std::chrono::duration_cast<duration>(d)); }};
    env.emplace(agent::step_env{engine, files, console, *state, std::move(clock), {}});
    auto deps = std::make_shared<agent::core_deps>(
        agent::core_deps{wire, *env, {lanes, lanes, others, others, others}, {}, {}, {}, {}, {}});
    deps->options.name = me.host_.name;
    deps->options.instance = me.host_.name + "-" + std::to_string(me.chance_.bits());
    deps->options.hostname = me.host_.name;
    deps->options.data_path = "/srv/" + me.host_.name;
    deps->options.software = "sim";
    if (me.one_lane) deps->options.lanes = {1, 1};
    deps->engine_listens = [&me = me] { return me.host_.engine_answers; };
    deps->on_final = [&me = me](const error&) { me.refused_ = true; };
    deps->on_live = [&me = me] { me.live_ = true; };
    deps->on_manager = [this](std::string id) {
      if (watcher) caf::anon_send(watcher, std::move(id));
    };
    system = std::make_unique<caf::actor_system>(config);
    scheduler = &dynamic_cast<caf::scheduler::test_coordinator&>(system->scheduler());
    core = agent::spawn_core(*system, deps);
    watcher = agent::spawn_watcher(*system, engine, core);
    if (auto id = state->manager_id(); !id.empty()) caf::anon_send(watcher, std::move(id));
  }
  ~parts() {
    caf::anon_send_exit(watcher, caf::exit_reason::kill);
    caf::anon_send_exit(core, caf::exit_reason::kill);
    scheduler->run();
    watcher = nullptr;
    core = nullptr;
    engine.close();
    me.jobs_.clear();  // those that the dying actors began
    me.planned_.clear();
  }
  real_agent& me;
  std::unique_ptr<agent::agent_state> state;
  link wire;
  lane lanes;
  helper others;
  sim_engine engine;
  sim_disk files;
  sim_console console;
  std::optional<agent::step_env> env;
  testing_config config;
  std::unique_ptr<caf::actor_system> system;
  caf::scheduler::test_coordinator* scheduler = nullptr;
  agent::watcher_actor watcher;
  agent::core_actor core;
};

real_agent::real_agent(agenda& time, dice& chance, network& net, host& on)
    : time_(time), chance_(chance), net_(net), host_(on) {}

real_agent::~real_agent() { crash(); }

void real_agent::start() {
  if (running() || refused_) return;
  db_.restart();
  const auto high = chance_.bits();
  auto state = agent::agent_state::open(db_, high, chance_.bits());
  if (!state) return time_.in(start_again, [this] { start(); });
  host_.agent = (*state)->id();
  ++life_;
  dying_ = live_ = false;
  parts_ = std::make_unique<parts>(*this, std::move(*state));
  dial();
  beat();
}

// Doors shut, store dead, jobs interrupted, actors ended; what they had planned is forgotten.
void real_agent::crash() {
  if (!running()) return;
  if (sim_job::current()) {  // its own death: the stage cleans up after it
    dying_ = true;
    throw process_died{};
  }
  ++life_;
  const auto wire = std::exchange(wire_, {});
  if (!wire.empty()) net_.hang_up(wire);
  db_.crash();
  effects_left_ = 0;
  jobs_.clear();
  planned_.clear();
  parts_.reset();
  dying_ = live_ = false;
  db_.restart();
}

void real_agent::bury() {
  if (!running() || (!dying_ && !store_is_dead() && !refused_)) return;
  crash();
  if (!refused_) time_.in(start_again, [this] { start(); });
}

void real_agent::in_this_life(duration d, std::function<void()> what) {
  const auto n = ++numbers_;
  planned_[n] = std::move(what);
  time_.in(d, [this, n] {
    auto i = planned_.find(n);
    if (i == planned_.end()) return;
    auto todo = std::move(i->second);
    planned_.erase(i);
    todo();
    todo = nullptr;
    bury();
  });
}
void real_agent::later(duration d, std::function<void()> what) { in_this_life(d, std::move(what)); }

void real_agent::begin_job(std::function<void()> work) {
  const auto n = ++numbers_;
  jobs_[n] = std::make_unique<sim_job>(std::move(work));
  in_this_life(chance_.between(duration{0}, duration{3}), [this, n] { go_on(n); });
}

void real_agent::go_on(uint64_t n) {
  auto i = jobs_.find(n);
  if (i == jobs_.end()) return;
  running_job_ = n;
  if (!i->second->go_on()) jobs_.erase(n);
}

void real_agent::wait(duration d) {
  auto* me = sim_job::current();
  if (!me) return;
  in_this_life(d, [this, n = running_job_] { go_on(n); });
  me->pause();
}

void real_agent::boundary() {
  const bool struck = effects_left_ > 0 && --effects_left_ == 0;
  if (struck) ++deaths_;
  if (!struck && !store_is_dead()) return;
  dying_ = true;
  throw process_died{};
}

bool real_agent::work(dice* any_order) {
  if (!running()) return false;
  auto& jobs = parts_->scheduler->jobs;
  if (jobs.empty()) return false;
  if (any_order && jobs.size() > 1) std::swap(jobs.front(), jobs[any_order->below(jobs.size())]);
  parts_->scheduler->run_once();
  bury();
  return true;
}

void real_agent::pass(duration d) {
  if (running()) parts_->scheduler->advance_time(d);
}

// ---- faults of its state folder ----
void real_agent::die_in_write(uint64_t nth, bool kept) {
  db_.crash_in_commit(nth, kept ? store::crash_keeps::everything : store::crash_keeps::nothing);
}
void real_agent::fail_write(uint64_t nth) { db_.fail_commit(nth, {ec::internal, "the disk says no", "", {}}); }
void real_agent::fill_disk(bool full) { db_.set_disk(full ? store::disk::is_full : store::disk::has_room); }
void real_agent::fair_weather() {
  effects_left_ = 0;
  fill_disk(false);
}

// ---- its connection ----
void real_agent::dial() {
  last_heard_ = time_.now();
  wire_ = net_.dial(*this);
  if (wire_.empty()) return in_this_life(chance_.between(duration{100}, duration{500}), [this] { dial(); });
  caf::anon_send(parts_->core, agent::link_input{agent::link_up{}});
}

void real_agent::beat() {
  in_this_life(beat_every, [this] {
    beat();
    if (!wire_.empty() && time_.now() - last_heard_ > silence_max) net_.hang_up(wire_);
  });
}

void real_agent::disconnect() {
  if (!wire_.empty()) net_.hang_up(wire_);
}

void real_agent::hung_up(const std::string& wire) {
  if (!running() || wire != wire_) return;
  wire_.clear();
  live_ = false;
  caf::anon_send(parts_->core, agent::link_input{agent::link_down{}});
  in_this_life(chance_.between(duration{50}, duration{400}), [this] { dial(); });
}

void real_agent::receive(const std::string& wire, uint64_t session, const to_agent& what) {
  if (!running() || wire != wire_) return;
  last_heard_ = time_.now();
  if (const auto* w = std::get_if<welcome>(&what)) host_.manager_id = w->manager_id;
  if (std::holds_alternative<welcome>(what) || std::holds_alternative<refused>(what)) session = 0;
  caf::anon_send(parts_->core, agent::link_input{agent::manager_said{what, session, {}}});
}

}  // namespace zedops::sim
