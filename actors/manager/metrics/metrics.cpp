#include "actors/manager/metrics/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <unordered_map>

#include "actors/manager/deps.hpp"
#include "messages/records/condition.hpp"

namespace zedops::manager {

using namespace msg;

namespace {

constexpr size_t operations_timed_max = 10'000;  // open ones whose start is remembered

double seconds(duration d) { return std::chrono::duration<double>(d).count(); }
double seconds_of_us(uint64_t us) { return static_cast<double>(us) / 1e6; }

template <class E>
std::string text_of(E e) {
  return std::string(name_of(e));
}

using family_list = std::vector<prometheus::MetricFamily>;
using label_list = std::vector<prometheus::ClientMetric::Label>;

// A family whose values are looked up.
class looked_up {
 public:
  looked_up(family_list& out, std::string name, std::string help, prometheus::MetricType type)
      : family_{std::move(name), std::move(help), type, {}}, out_(out) {}
  ~looked_up() { out_.push_back(std::move(family_)); }
  looked_up(const looked_up&) = delete;
  looked_up& operator=(const looked_up&) = delete;
  looked_up& add(double value, label_list labels = {}) {
    prometheus::ClientMetric m;
    m.label = std::move(labels);
    if (family_.type == prometheus::MetricType::Counter) m.counter.value = value;
    else m.gauge.value = value;
    family_.metric.push_back(std::move(m));
    return *this;
  }
  looked_up& add(uint64_t value, label_list labels = {}) { return add(static_cast<double>(value), std::move(labels)); }

 private:
  prometheus::MetricFamily family_;
  family_list& out_;
};

void look_up_hosts(family_list& out, const shared& w) {
  const auto gauge = [&](const char* name, const char* help) {
    return looked_up(out, std::string("zedops_host_") + name, help, prometheus::MetricType::Gauge);
  };
  auto cpu = gauge("cpu_cores", "CPU cores in use"), cpus = gauge("cpu_cores_max", "CPU cores in all");
  auto memory = gauge("memory_bytes", "Memory in use"), memories = gauge("memory_bytes_max", "Memory in all");
  auto disk = gauge("disk_bytes", "Disk space in use where the host keeps its data");
  auto disks = gauge("disk_bytes_max", "Disk space in all where the host keeps its data");
  auto load = gauge("load1", "Load average of one minute");
  const auto now = w.clock.now();
  for (const auto& a : w.records.agents()) {
    const auto u = w.usage->newest(a->id, now);
    if (!u) continue;
    const label_list who{{"agent", a->name}};
    cpu.add(u->cpu_millis / 1000.0, who), cpus.add(u->cpu_max / 1000.0, who);
    memory.add(u->memory_bytes, who), memories.add(u->memory_max, who);
    disk.add(u->disk_bytes, who), disks.add(u->disk_max, who);
    load.add(u->load_millis / 1000.0, who);
  }
}

void look_up(family_list& out, const shared& w) {
  const auto gauge = [&](const char* name, const char* help) {
    return looked_up(out, std::string("zedops_") + name, help, prometheus::MetricType::Gauge);
  };
  const auto counter = [&](const char* name, const char* help) {
    return looked_up(out, std::string("zedops_") + name, help, prometheus::MetricType::Counter);
  };
  gauge("build_info", "Version of the manager").add(1.0, {{"version", ZEDOPS_VERSION}});
  gauge("start_time_seconds", "When the manager started, since the epoch")
      .add(seconds(w.started_at.time_since_epoch()));
  gauge("term", "Term of the manager: higher after each start").add(w.term.load());
  const auto n = w.records.count();
  {
    auto g = gauge("servers", "Servers by status");
    for (size_t i = 0; i < enum_names<server_status>::list.size(); ++i) {
      const auto s = static_cast<server_status>(i);
      const auto found = n.by_status.find(s);
      g.add(found == n.by_status.end() ? 0.0 : static_cast<double>(found->second), {{"status", text_of(s)}});
    }
  }
  {
    std::map<agent_status, uint64_t> by_status;
    auto last = gauge("agent_last_sync_timestamp_seconds", "When the agent's servers were last compared with records");
    auto took = gauge("agent_sync_seconds", "How long the agent's last inventory took");
    auto diverged = gauge("agent_divergence", "Servers that the last comparison found in another state than shown");
    auto strays = gauge("agent_unclaimed_containers", "Containers with zedops labels that no server claims");
    for (const auto& a : w.records.agents()) {
      ++by_status[a->status];
      const auto t = w.records.touched(a->id);
      if (t.last_sync == never) continue;
      last.add(seconds(t.last_sync.time_since_epoch()), {{"agent", a->name}});
      took.add(seconds(t.sync_took), {{"agent", a->name}});
      strays.add(t.unclaimed, {{"agent", a->name}});
      diverged.add(t.diverged, {{"agent", a->name}});
    }
    auto g = gauge("agents", "Agents by status");
    for (size_t i = 0; i < enum_names<agent_status>::list.size(); ++i)
      g.add(by_status[static_cast<agent_status>(i)], {{"status", text_of(static_cast<agent_status>(i))}});
  }
  {
    std::array<uint64_t, enum_names<service_health>::list.size()> by_health{};
    for (const auto& s : w.records.services()) ++by_health[static_cast<size_t>(s->health)];
    auto g = gauge("services", "Services of projects by health");
    for (size_t i = 0; i < by_health.size(); ++i)
      g.add(by_health[i], {{"health", text_of(static_cast<service_health>(i))}});
  }
  gauge("operations_open", "Operations that have not ended").add(n.open_operations);
  gauge("store_bytes", "Size of the store's file").add(w.store.statistics().file_bytes);
  gauge("events_last_sequence", "Number of the newest event").add(w.last_seq.load());
  gauge("events_oldest_sequence", "Number of the oldest event that is kept").add(w.history.oldest_seq());
  counter("requests_refused_total", "Requests that were refused").add(w.refused.load());
  counter("agent_commands_total", "Commands sent to agents").add(w.commands.load());
  counter("actor_restarts_total", "Actors that were restarted after a failure").add(w.actor_restarts.load());
  counter("journal_commits_total", "Transactions of the journal").add(w.commits.load());
  counter("journal_entries_total", "Decisions written by the journal").add(w.load.entries.load());
  counter("journal_commit_seconds_total", "Time spent in transactions")
      .add(seconds_of_us(w.load.commit_us_total.load()));
  gauge("journal_commit_seconds_max", "The longest transaction since the start")
      .add(seconds_of_us(w.load.commit_us_max.load()));
  gauge("journal_batch_max", "Most decisions in one transaction since the start").add(w.load.batch_max.load());
  counter("decisions_total", "Decisions of servers' actors").add(w.load.decisions.load());
  counter("decision_seconds_total", "Time spent in decisions").add(seconds_of_us(w.load.decision_us_total.load()));
  gauge("decision_seconds_max", "The longest decision since the start")
      .add(seconds_of_us(w.load.decision_us_max.load()));
  gauge("clients_waiting", "Clients that wait for the end of an operation").add(w.load.clients_waiting.load());
  gauge("journal_waiting", "Decisions that wait for the next transaction").add(w.load.waiting.load());
  gauge("sweep_late_seconds_max", "How late a look for deadlines was made at most, since the start")
      .add(seconds_of_us(w.load.sweep_late_us_max.load()));
  {
    auto g = gauge("queue_messages", "Messages on their way to an actor");
    g.add(w.load.gateway.now.load(), {{"queue", "gateway"}});
    g.add(w.load.reader.now.load(), {{"queue", "reader"}});
    g.add(w.load.agents.now.load(), {{"queue", "agents"}});
  }
  {
    auto g = gauge("queue_messages_max", "Most messages on their way to an actor since the start");
    g.add(w.load.gateway.max.load(), {{"queue", "gateway"}});
    g.add(w.load.reader.max.load(), {{"queue", "reader"}});
    g.add(w.load.agents.max.load(), {{"queue", "agents"}});
  }
  if (w.usage) look_up_hosts(out, w);
  if (w.door_counters) {
    auto g = gauge("door", "Counters of the doors: bus_ for ZeroMQ, web_ for HTTP");
    for (const auto& [name, value] : w.door_counters()) g.add(value, {{"figure", name}});
  }
}

}  // namespace

struct metrics::impl {
  template <class T>
  prometheus::Family<T>& family(const char* name, const char* help) {
    if constexpr (std::is_same_v<T, prometheus::Counter>)
      return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
    else return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
  }

  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& transitions =
      family<prometheus::Counter>("zedops_server_transitions_total", "Changes of servers' status");
  prometheus::Family<prometheus::Counter>& repairs =
      family<prometheus::Counter>("zedops_service_repairs_total", "Links of static services that agents have repaired");
  prometheus::Family<prometheus::Counter>& corrections = family<prometheus::Counter>(
      "zedops_sync_corrections_total", "Changes of status that a comparison found and no event had reported");
  prometheus::Family<prometheus::Counter>& operations =
      family<prometheus::Counter>("zedops_operations_total", "Operations that have ended");
  prometheus::Family<prometheus::Counter>& refused =
      family<prometheus::Counter>("zedops_operations_refused_total", "Operations that were refused");
  prometheus::Family<prometheus::Histogram>& took =
      family<prometheus::Histogram>("zedops_operation_duration_seconds", "From the request of an operation to its end");
  prometheus::Histogram& detection =
      family<prometheus::Histogram>("zedops_detection_seconds",
                                    "From what happened to a container, by its host's clock, to the published change")
          .Add({}, prometheus::Histogram::BucketBoundaries{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30});
  prometheus::Family<prometheus::Counter>& acted =
      family<prometheus::Counter>("zedops_agent_actions_total", "What agents noticed or did by themselves: restarts");
  std::unordered_map<std::string, std::pair<op_kind, time_point>> begun;  // by operation; on the hub's thread
};

metrics::metrics() : impl_(std::make_unique<impl>()) {}
metrics::~metrics() = default;

void metrics::count(const log_entry& e, time_point now) {
  time_point seen = never;
  bool changed = false;
  for (const auto& n : e.facts) {
    if (const auto* x = std::get_if<status_changed>(&n.what)) {
      changed = true;
      impl_->transitions.Add({{"from", text_of(x->from)}, {"to", text_of(x->to)}}).Increment();
      if (e.why.kind == cause_kind::sync) impl_->corrections.Add({}).Increment();
    } else if (const auto* o = std::get_if<server_observed>(&n.what)) {
      // When the container started or ended; a removed one has no time of its own.
      seen = o->container == container_state::running ? o->started_at : o->finished_at;
      if (seen == never || !o->container) seen = o->observed_at;
    } else if (const auto* i = std::get_if<agent_acted>(&n.what)) {
      impl_->acted.Add({{"kind", text_of(i->what.kind)}}).Increment();
    } else if (const auto* p = std::get_if<service_repaired>(&n.what)) {
      impl_->repairs.Add({}).Increment(static_cast<double>(p->repairs.size()));
    } else if (const auto* a = std::get_if<operation_accepted>(&n.what)) {
      if (impl_->begun.size() < operations_timed_max)
        impl_->begun.emplace(a->op->id.value, std::pair(a->op->kind, a->op->started_at));
    } else if (const auto* r = std::get_if<operation_refused>(&n.what)) {
      impl_->refused.Add({{"kind", text_of(r->op->kind)}}).Increment();
    } else if (const auto* x2 = std::get_if<operation_ended>(&n.what)) {
      const auto begun = impl_->begun.find(x2->id.value);
      const bool known = begun != impl_->begun.end();  // not one that was open when the manager started
      const std::string kind = known ? text_of(begun->second.first) : "unknown";
      impl_->operations.Add({{"kind", kind}, {"status", text_of(x2->status)}}).Increment();
      if (!known) continue;
      impl_->took
          .Add({{"kind", kind}},
               prometheus::Histogram::BucketBoundaries{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 7200})
          .Observe(seconds(x2->ended_at - begun->second.second));
      impl_->begun.erase(begun);
    }
  }
  if (changed && seen != never && e.why.kind == cause_kind::container_event && now >= seen)
    impl_->detection.Observe(seconds(now - seen));
}

std::string metrics::text(const shared& world) const {
  auto families = impl_->registry.Collect();
  look_up(families, world);
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace zedops::manager
