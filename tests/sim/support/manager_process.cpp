#include "tests/sim/support/manager_process.hpp"

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <stdexcept>

#include "config/template_file.hpp"

namespace zedops::sim {

namespace {
struct testing_config : caf::actor_system_config {
  testing_config() { set("scheduler.policy", caf::atom("testing")); }
};

}  // namespace

const manager::template_set& sim_templates() {
  static const auto all = [] {
    manager::template_set out;
    auto files = config::load_templates({});
    if (!files) throw std::runtime_error(files.error().message);
    for (auto& t : *files) out.emplace(t.name, t);
    return out;
  }();
  return all;
}

// Declared in this order on purpose: whatever actors use outlives the system, and so every actor.
struct manager_process::parts {
  explicit parts(const manager_parts& m, std::string& core_lost)
      : world{.records = {},
              .store = m.db,
              .past = manager::history(m.db, std::to_string(m.db.epoch())),
              .rules = m.rules,
              .templates = m.templates,
              .manager_id = {},
              .epoch = std::to_string(m.db.epoch()),
              .clock = m.wall,
              .random = m.random,
              .clients = m.clients,
              .agents = m.agents,
              .events = m.events} {
    auto found = manager::recover(m.db, world.records, m.random);
    if (!found) throw std::runtime_error("recover: " + found.error().message);
    m.wall.reset(found->last_time);
    world.manager_id = found->manager_id;
    world.term = found->term;
    world.last_seq.store(found->last_seq);
    world.started_at = m.wall.now();
    system = std::make_unique<caf::actor_system>(config);
    scheduler = &dynamic_cast<caf::scheduler::test_coordinator&>(system->scheduler());
    node = std::make_unique<manager::node>(
        *system, world, rt::spawn_mode::pooled, [&core_lost](const std::string& name) { core_lost = name; },
        [s = scheduler] { s->run(); });
  }
  manager::shared world;
  testing_config config;
  std::unique_ptr<caf::actor_system> system;
  caf::scheduler::test_coordinator* scheduler = nullptr;
  std::unique_ptr<manager::node> node;
};

manager_process::manager_process(const manager_parts& m) : p_(std::make_unique<parts>(m, core_lost_)) {}

manager_process::~manager_process() {
  p_->node->stop();
  p_->scheduler->run();
}

manager::node& manager_process::node() { return *p_->node; }
manager::shared& manager_process::world() { return p_->world; }

bool manager_process::run_one(dice* any_order) {
  auto& jobs = p_->scheduler->jobs;
  if (jobs.empty()) return false;
  if (any_order && jobs.size() > 1) std::swap(jobs.front(), jobs[any_order->below(jobs.size())]);
  p_->scheduler->run_once();
  return true;
}

void manager_process::advance(duration d) { p_->scheduler->advance_time(d); }

}  // namespace zedops::sim
