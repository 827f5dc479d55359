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

// Declared in this order on purpose: everything the actors use outlives the system, and so every actor.
struct manager_process::parts {
  explicit parts(const manager_parts& m, std::string& core_lost)
      : time(m.time),
        commit_takes(m.commit_takes),
        world{.records = manager::catalog(records_of(m.kinds)),
              .kinds = manager::kind_list(rows_of(m.kinds)),
              .store = m.db,
              .history = {m.db, m.db.epoch()},
              .rules = m.rules,
              .templates = m.templates,
              .manager_id = {},
              .clock = m.wall,
              .random = m.random,
              .agents = m.agents,
              .events = m.events} {
    auto found = manager::recover(m.db, world.kinds, world.records, m.random);
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
  static std::vector<std::unique_ptr<manager::any_records>> records_of(const std::vector<extra_kind>& kinds) {
    std::vector<std::unique_ptr<manager::any_records>> out;
    for (const auto& k : kinds) out.push_back(k.records());
    return out;
  }
  static std::vector<manager::kind_row> rows_of(const std::vector<extra_kind>& kinds) {
    std::vector<manager::kind_row> out;
    for (const auto& k : kinds) out.push_back(k.row);
    return out;
  }
  // The delay is drawn when the journal is about to write, and the batch is held until the disk would be done: from
  // outside this equals a slow commit, and no thread has to block.
  bool disk_is_busy(caf::resumable& job) {
    auto* actor = dynamic_cast<caf::scheduled_actor*>(&job);
    if (!actor || std::string_view(actor->name()) != "journal") return false;
    auto* next = actor->peek_at_next_mailbox_element();
    if (!next || !next->content().match_elements<rt::flush_atom, uint64_t>()) return false;
    if (!written_at) {
      written_at = time.now() + commit_takes();
      if (*written_at > time.now()) time.at(*written_at, [] {});  // so that the stage does not skip it
    }
    if (*written_at > time.now()) return true;
    written_at.reset();
    return false;
  }
  agenda& time;
  const std::function<duration()>& commit_takes;
  std::optional<duration> written_at;

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
  std::vector<caf::resumable*> held;
  while (!jobs.empty()) {
    if (any_order && jobs.size() > 1) std::swap(jobs.front(), jobs[any_order->below(jobs.size())]);
    if (!p_->commit_takes || !p_->disk_is_busy(*jobs.front())) break;
    held.push_back(jobs.front());
    jobs.pop_front();
  }
  const bool worked = !jobs.empty();
  if (worked) p_->scheduler->run_once();
  for (auto* job : held) jobs.push_front(job);
  return worked;
}

void manager_process::advance(duration d) { p_->scheduler->advance_time(d); }

}  // namespace zedops::sim
