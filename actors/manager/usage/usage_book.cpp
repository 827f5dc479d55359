#include "actors/manager/usage/usage_book.hpp"

#include <algorithm>

#include "messages/wire/codec.hpp"

namespace zedops::manager {

using namespace msg;
using store::table;

namespace {

constexpr size_t writes_at_once = 5'000;  // in one transaction
// Transactions of one tier in a row: whoever stops the manager waits for them. More than a round can add, so that what
// is left for the next round becomes less.
constexpr size_t trims_max = 2 * usage_waiting_max / writes_at_once;
constexpr duration usage_newest_max{60'000};
constexpr char made_until = '\xff';  // before the number of a tier: key of the time up to which its averages are made

// Tier, time, entity: samples of one time are adjacent, and the oldest come first.
std::string key_of(size_t tier, time_point at, const std::string& entity = {}) {
  std::string key(1, static_cast<char>(tier));
  const auto ms = static_cast<uint64_t>(std::max<int64_t>(0, at.time_since_epoch().count()));
  for (int shift = 56; shift >= 0; shift -= 8) key += static_cast<char>(ms >> shift);
  return key + entity;
}
constexpr size_t entity_at = 9;
time_point time_of(std::string_view key) {
  uint64_t ms = 0;
  for (const char c : key.substr(1, 8)) ms = ms << 8 | static_cast<unsigned char>(c);
  return time_point{duration{static_cast<int64_t>(ms)}};
}

time_point floor_to(time_point t, duration step) { return t - t.time_since_epoch() % step; }

// The mean of each figure.
class average_of {
 public:
  void add(const usage_sample& s) {
    size_t i = 0;
    usage_sample::each_field(s, [&](const char*, const auto& n) { sums_[i++] += n; });
    ++count_;
  }
  usage_sample made() const {
    usage_sample out;
    size_t i = 0;
    usage_sample::each_field(out, [&](const char*, auto& n) {
      n = static_cast<std::remove_reference_t<decltype(n)>>(sums_[i++] / std::max<uint64_t>(count_, 1));
    });
    return out;
  }

 private:
  std::array<uint64_t, usage_sample::field_count> sums_{};
  uint64_t count_ = 0;
};

constexpr auto ignore = [](const store::corrupt_record&) {};

}  // namespace

result<void> usage_book::open() {
  auto made = how_();
  if (!made) return fail(made.error());
  owned_ = std::move(*made);
  store_ = owned_.get();
  return {};
}

void usage_book::take(const agent_id& from, const usage& used, time_point now) {
  const auto at = floor_to(now, usage_tiers.front().every);
  std::lock_guard lock(mutex_);
  auto& newest = newest_[from];
  const bool known = used.host != usage_sample{};
  if (known) newest = {now, used.host};
  if (waiting_.size() + used.servers.size() >= usage_waiting_max) return;
  if (known) waiting_[key_of(0, at, from.value)] = pack(used.host);
  for (const auto& row : used.servers) waiting_[key_of(0, at, row.server.value)] = pack(row.used);
}

bool usage_book::tells(const agent_id& agent) const {
  std::lock_guard lock(mutex_);
  return newest_.contains(agent);
}

std::optional<usage_sample> usage_book::newest(const agent_id& host, time_point now) const {
  std::lock_guard lock(mutex_);
  const auto i = newest_.find(host);
  if (i == newest_.end() || now - i->second.first > usage_newest_max) return std::nullopt;
  return i->second.second;
}

result<void> usage_book::commit(time_point now) {
  if (!store_) return {};
  // First of all, whatever becomes of the rest: when the store is full, this makes room.
  for (size_t tier = 0; tier < usage_tiers.size(); ++tier)
    if (auto ok = trim(tier, now); !ok) return ok;
  if (auto ok = write_waiting(now); !ok) return ok;
  for (size_t tier = 1; tier < usage_tiers.size(); ++tier)
    if (auto ok = average(tier, now); !ok) return ok;
  return {};
}

// What is written waits no longer, even when the rest finds no room.
result<void> usage_book::write_waiting(time_point now) {
  std::map<std::string, std::string> rows;
  {
    std::lock_guard lock(mutex_);
    waiting_.erase(waiting_.begin(), waiting_.lower_bound(key_of(0, now - usage_tiers.front().kept)));
  }
  do {
    {
      std::lock_guard lock(mutex_);
      for (const auto& [key, value] : rows)
        if (auto i = waiting_.find(key); i != waiting_.end() && i->second == value) waiting_.erase(i);
      const auto n = static_cast<std::ptrdiff_t>(std::min(waiting_.size(), writes_at_once));
      rows.clear();
      rows.insert(waiting_.begin(), std::next(waiting_.begin(), n));
    }
    if (auto ok = write(rows); !ok) return ok;
  } while (!rows.empty());
  return {};
}

result<void> usage_book::write(const std::map<std::string, std::string>& rows) {
  for (auto i = rows.begin(); i != rows.end();) {
    auto w = store_.load()->begin_write();
    if (!w) return fail(w.error());
    for (size_t n = 0; n < writes_at_once && i != rows.end(); ++n, ++i)
      if (auto ok = (*w)->put(table::usage, i->first, i->second); !ok) return ok;
    if (auto ok = (*w)->commit(); !ok) return ok;
  }
  return {};
}

// All averages that are due, also of a time in which this manager did not run: the samples are in the store.
result<void> usage_book::average(size_t tier, time_point now) {
  const auto every = usage_tiers[tier].every;
  const std::string mark{made_until, static_cast<char>(tier)};
  auto r = store_.load()->begin_read();
  if (!r) return fail(r.error());
  auto until = (*r)->get(table::usage, mark);
  if (!until) return fail(until.error());
  auto from = floor_to(now - usage_tiers[tier - 1].kept, every);
  // A mark in the future was made by a clock that has been corrected since.
  if (*until && (*until)->size() == entity_at && time_of(**until) <= now) from = std::max(from, time_of(**until));
  if (from + every > now) return {};
  std::map<std::string, std::string> rows;
  for (; from + every <= now; from += every) {
    std::map<std::string, average_of> means;
    const auto end = key_of(tier - 1, from + every);
    auto ok = (*r)->scan(
        table::usage, key_of(tier - 1, from), store::direction::forward,
        [&](std::string_view key, std::string_view value) {
          if (key >= end) return false;
          if (auto s = unpack<usage_sample>(value)) means[std::string(key.substr(entity_at))].add(*s);
          return true;
        },
        ignore);
    if (!ok) return ok;
    for (const auto& [entity, mean] : means) rows[key_of(tier, from, entity)] = pack(mean.made());
  }
  (*r).reset();
  rows[mark] = key_of(tier, from);
  return write(rows);
}

// Until nothing is due.
result<void> usage_book::trim(size_t tier, time_point now) {
  // What the averages of the next tier may still be made from stays.
  const auto whole = usage_tiers[std::min(tier + 1, usage_tiers.size() - 1)].every;
  const auto end = floor_to(now - usage_tiers[tier].kept - usage_tiers[tier].every, whole);
  for (size_t n = 0; n < trims_max; ++n) {
    auto dropped = drop_before(tier, end);
    if (!dropped) return fail(dropped.error());
    if (*dropped < writes_at_once) break;
  }
  return {};
}

// At most writes_at_once of them; returns how many.
result<size_t> usage_book::drop_before(size_t tier, time_point t) {
  std::vector<std::string> old;
  {
    auto r = store_.load()->begin_read();
    if (!r) return fail(r.error());
    const auto end = key_of(tier, t);
    auto ok = (*r)->scan(
        table::usage, key_of(tier, never), store::direction::forward,
        [&](std::string_view key, std::string_view) {
          if (key >= end || old.size() == writes_at_once) return false;
          old.emplace_back(key);
          return true;
        },
        ignore);
    if (!ok) return fail(ok.error());
  }
  if (old.empty()) return 0;
  auto w = store_.load()->begin_write(store::write_kind::essential);
  if (!w) return fail(w.error());
  for (const auto& key : old)
    if (auto ok = (*w)->erase(table::usage, key); !ok) return fail(ok.error());
  if (auto ok = (*w)->commit(); !ok) return fail(ok.error());
  return old.size();
}

const usage_tier& usage_book::tier_for(duration last) {
  const auto fits = std::ranges::find_if(usage_tiers, [&](const auto& t) { return t.kept >= last; });
  return fits == usage_tiers.end() ? usage_tiers.back() : *fits;
}

result<std::vector<usage_point>> usage_book::points(const std::string& entity, const usage_tier& of, duration last,
                                                    time_point now) const {
  const auto tier = static_cast<size_t>(&of - usage_tiers.data());
  std::vector<usage_point> out;
  // `last` comes unchecked from the client: each step of the loop below is a look into the store.
  const auto first = floor_to(now - std::clamp(last, duration{0}, of.kept), of.every);
  // Before the snapshot: what is written meanwhile is in one of the two.
  std::map<std::string, std::string> fresh;
  if (tier == 0) {
    std::lock_guard lock(mutex_);
    for (auto i = waiting_.lower_bound(key_of(0, first)); i != waiting_.end(); ++i)
      if (std::string_view(i->first).substr(entity_at) == entity) fresh.insert(*i);
  }
  std::unique_ptr<store::reader> on_disk;
  if (auto* on = store_.load()) {
    auto r = on->begin_read();
    if (!r) return fail(r.error());
    on_disk = std::move(*r);
  }
  for (auto at = first; at <= now; at += of.every) {
    const auto key = key_of(tier, at, entity);
    std::optional<std::string> value;
    if (auto i = fresh.find(key); i != fresh.end()) value = i->second;
    else if (!on_disk) continue;
    else if (auto found = on_disk->get(table::usage, key)) value = std::move(*found);  // else it is damaged: a gap
    if (!value) continue;
    if (auto s = unpack<usage_sample>(*value)) out.push_back({shown(at), *s});
  }
  return out;
}

}  // namespace zedops::manager
