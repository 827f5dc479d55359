#include "actors/agent/observe/usage_sampler.hpp"

#include <algorithm>
#include <utility>

namespace zedops::agent {

using namespace msg;

namespace {

// Counters begin anew with a container's process: one that fell counts as zero.
uint64_t per_second(uint64_t before, uint64_t after, double seconds) {
  return after > before && seconds > 0 ? static_cast<uint64_t>(static_cast<double>(after - before) / seconds) : 0;
}

}  // namespace

usage_sample used_between(const docker::container_stats& before, const docker::container_stats& after,
                          std::chrono::nanoseconds apart) {
  const auto seconds = std::chrono::duration<double>(apart).count();
  usage_sample out;
  out.cpu_millis = static_cast<uint32_t>(per_second(before.cpu_total_ns, after.cpu_total_ns, seconds) / 1'000'000);
  out.memory_bytes = after.memory_bytes;
  out.memory_max = after.memory_max;
  out.received = per_second(before.received_bytes, after.received_bytes, seconds);
  out.sent = per_second(before.sent_bytes, after.sent_bytes, seconds);
  out.read = per_second(before.read_bytes, after.read_bytes, seconds);
  out.written = per_second(before.written_bytes, after.written_bytes, seconds);
  return out;
}

void usage_sampler::every(duration period) {
  every_ = period > duration{} ? std::max(period, usage_every_min) : duration{};
  next_ = p_.now();
  watched_.clear();
  round_.reset();
}

void usage_sampler::watch(const watch_usage& w) {
  if (every_ == duration{}) return;
  const auto now = p_.now();
  const auto lasting = std::clamp(w.lasting, duration{}, usage_watch_max);
  for (const auto& id : w.servers)
    if (p_.view.server(id)) watched_[id] = {std::max(w.every, usage_every_min), now + lasting};
  if (w.servers.empty()) watched_[server_id{}] = {std::max(w.every, usage_every_min), now + lasting};  // the host
}

void usage_sampler::tick() {
  if (every_ == duration{}) return;
  const auto now = p_.now();
  if (round_) {
    if (now >= round_->until) end();
    return;
  }
  std::erase_if(watched_, [&](const auto& w) { return w.second.until <= now; });
  if (now >= next_) {
    next_ = now + every_;
    return begin(nullptr);
  }
  if (watched_.empty() || now < next_watched_) return;
  std::set<server_id> only;
  auto soonest = every_;
  for (const auto& [id, w] : watched_) {
    only.insert(id);
    soonest = std::min(soonest, w.every);
  }
  next_watched_ = now + soonest;
  begin(&only);
}

void usage_sampler::begin(const std::set<server_id>* only) {
  auto& r = round_.emplace();
  r.serial = ++serial_;
  r.until = p_.now() + usage_round_max;
  for (const auto& [id, s] : p_.view.servers()) {
    if (only && !only->contains(id)) continue;
    const auto seen = p_.view.observe(id);
    if (seen.container == presence::present && seen.view.state == container_state::running)
      r.to_ask.emplace_back(id, seen.view.id);
  }
  if (!only) {  // containers that do not run any more are forgotten
    std::set<std::string> there;
    for (const auto& [id, container] : r.to_ask) there.insert(container);
    std::erase_if(before_, [&](const auto& b) { return !there.contains(b.first); });
  }
  if (std::exchange(machine_open_, true)) return pump();
  ++r.open;
  p_.disks.run_for("usage", [this, serial = r.serial, look = p_.machine, post = p_.post] {
    post([this, serial, seen = look()] {
      machine_open_ = false;
      if (!round_ || round_->serial != serial) return;
      round_->out.host = host_sample(seen);
      --round_->open;
      pump();
    });
  });
  pump();
}

void usage_sampler::pump() {
  auto& r = *round_;
  while (r.open < usage_asks_max && !r.to_ask.empty()) {
    auto [server, container] = std::move(r.to_ask.front());
    r.to_ask.pop_front();
    ++r.open;
    p_.engine.container_stats_once(container, {usage_deadline},
                                   [this, post = p_.post, serial = r.serial, server, container](auto seen) {
                                     post([this, serial, server, container, seen = std::move(seen)] {
                                       if (!round_ || round_->serial != serial) return;
                                       on_stats(server, container, seen);
                                       --round_->open;
                                       pump();
                                     });
                                   });
  }
  if (r.open == 0 && r.to_ask.empty()) end();
}

void usage_sampler::end() {
  auto done = std::move(round_->out);
  round_.reset();
  p_.tell(std::move(done));
}

void usage_sampler::on_stats(const server_id& server, const std::string& container,
                             const result<docker::container_stats>& s) {
  if (!s) return;  // it has ended meanwhile, or the Engine is busy: a gap
  const auto now = p_.now();
  auto [i, is_new] = before_.try_emplace(container);
  if (!is_new) round_->out.servers.push_back({server, used_between(i->second.seen, *s, now - i->second.at)});
  i->second = {*s, now};
}

usage_sample usage_sampler::host_sample(const host::machine_usage& m) {
  usage_sample out;
  const auto before = std::exchange(cpu_before_, m.cpu);
  if (before.all == 0) return out;
  out.cpu_max = m.cores * 1000;
  if (m.cpu.all > before.all && m.cpu.busy >= before.busy)
    out.cpu_millis = static_cast<uint32_t>((m.cpu.busy - before.busy) * out.cpu_max / (m.cpu.all - before.all));
  out.memory_bytes = m.memory_bytes;
  out.memory_max = m.memory_max;
  out.load_millis = m.load_millis;
  out.disk_bytes = m.disk_bytes;
  out.disk_max = m.disk_max;
  return out;
}

}  // namespace zedops::agent
