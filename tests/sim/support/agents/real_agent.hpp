// An agent process made of the real shells: core, observer, lanes with their command jobs, engine watcher, and a state
// folder that outlives it. Commands run as jobs, so the process can die between any two effects.
#pragma once
#include <map>
#include <memory>
#include <set>

#include "persistence/memory_store.hpp"
#include "tests/sim/support/agents/agent_process.hpp"
#include "tests/sim/support/agents/sim_job.hpp"
#include "tests/sim/support/hosts/sim_engine.hpp"

namespace zedops::sim {

class real_agent final : public agent_process, private process_time {
 public:
  real_agent(agenda& time, dice& chance, network& net, host& on);
  ~real_agent() override;

  void start() override;
  void crash() override;
  bool running() const override { return parts_ != nullptr; }
  bool in_session() const override { return running() && live_; }
  void disconnect() override;
  bool final_refusal() const override { return refused_; }
  host& on() override { return host_; }
  const std::string& name() const override { return host_.name; }
  bool work(dice* any_order) override;
  void pass(duration d) override;

  void die_at_effect(uint64_t nth) override { effects_left_ = nth; }
  void die_in_write(uint64_t nth, bool kept) override;
  void fail_write(uint64_t nth) override;
  void fill_disk(bool full) override;
  void fair_weather() override;

  void receive(const std::string& wire, uint64_t session, const msg::to_agent& what) override;
  void hung_up(const std::string& wire) override;

  bool one_lane = false;  // from its next start on: one slow and one quick command at a time

  uint64_t state_writes() const { return db_.attempts(); }
  uint64_t deaths_at_effects() const { return deaths_; }

 private:
  struct parts;
  struct link;
  struct lane;
  struct helper;

  // process_time
  void wait(duration d) override;
  void boundary() override;
  void later(duration d, std::function<void()> what) override;
  dice& luck() override { return chance_; }
  duration now() const override { return time_.now(); }
  bool hears_events() const override { return !events_cut; }
  bool call_fails() override { return chance_.per_mille(fail_per_mille); }

  void in_this_life(duration d, std::function<void()> what);
  void begin_job(std::function<void()> work);
  void go_on(uint64_t job_number);
  void bury();  // ends the process if it has died meanwhile
  void dial();
  void beat();
  bool store_is_dead() const { return !db_.begin_read().has_value(); }

  agenda& time_;
  dice& chance_;
  network& net_;
  host& host_;
  store::memory_store db_;
  std::unique_ptr<parts> parts_;
  std::map<uint64_t, std::function<void()>> planned_;  // of this life: they may hold its actors
  std::map<uint64_t, std::unique_ptr<sim_job>> jobs_;
  uint64_t life_ = 0, numbers_ = 0, effects_left_ = 0, deaths_ = 0;
  uint64_t running_job_ = 0;
  std::string wire_;
  duration last_heard_{};
  bool dying_ = false, live_ = false, refused_ = false;
};

}  // namespace zedops::sim
