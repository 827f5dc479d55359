#include "actors/manager/records/records.hpp"

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <tuple>
#include <utility>

#include "actors/runtime/ports.hpp"
#include "config/logging/logging.hpp"
#include "messages/wire/codec.hpp"

namespace zedops::manager {

using namespace msg;
using store::direction;
using store::table;

std::string log_key(uint64_t n) {
  std::string key(8, '\0');
  for (int i = 7; i >= 0; --i, n >>= 8) key[static_cast<size_t>(i)] = static_cast<char>(n & 0xff);
  return key;
}

uint64_t log_number(std::string_view key) {
  uint64_t n = 0;
  for (char c : key.substr(0, 8)) n = n << 8 | static_cast<unsigned char>(c);
  return n;
}

namespace {

// Puts records into the catalog while its owner decodes further ones: both take about as long, so the start-up of a
// hundred thousand servers takes half the time.
class background_indexer {
 public:
  explicit background_indexer(catalog& into) : into_(into), thread_([this] { run(); }) {}
  ~background_indexer() {
    hand_over();
    {
      std::lock_guard lock(mutex_);
      over_ = true;
    }
    work_.notify_one();
    thread_.join();
  }
  background_indexer(const background_indexer&) = delete;
  background_indexer& operator=(const background_indexer&) = delete;

  void add(rt::any_record s) {
    if (next_.empty()) next_.reserve(batch_max);
    next_.push_back(std::move(s));
    if (next_.size() == batch_max) hand_over();
  }

 private:
  using batch = std::vector<rt::any_record>;
  static constexpr size_t batch_max = 1'024;

  void hand_over() {
    if (next_.empty()) return;
    {
      std::lock_guard lock(mutex_);
      ready_.push_back(std::exchange(next_, {}));
    }
    work_.notify_one();
  }
  void run() {
    for (;;) {
      std::vector<batch> mine;
      {
        std::unique_lock lock(mutex_);
        work_.wait(lock, [this] { return over_ || !ready_.empty(); });
        if (ready_.empty()) return;
        mine.swap(ready_);
      }
      for (const auto& b : mine) into_.put(b);
    }
  }

  catalog& into_;
  batch next_;
  std::mutex mutex_;
  std::condition_variable work_;
  std::vector<batch> ready_;
  bool over_ = false;
  std::thread thread_;  // last: it uses all of the above
};

uint64_t number_in(const std::optional<std::string>& text) {
  uint64_t n = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), n);
  return n;
}

uint64_t last_fact_of(const log_entry& e) { return e.first_seq + (e.facts.empty() ? 0 : e.facts.size() - 1); }

result<void> load_log_end(store::writer& w, recovered& out) {
  // How many facts it had is not known, and no number may be given twice: subscribers see a gap, which it is.
  constexpr uint64_t facts_of_one_entry = 256;
  const auto lost = [&](std::string_view key) {
    ++out.damaged;
    out.last_seq = std::max(out.last_seq, log_number(key) + facts_of_one_entry);
    return true;
  };
  return w.scan(
      table::log, {}, direction::backward,
      [&](std::string_view key, std::string_view value) {
        auto e = unpack<log_entry>(value);
        if (!e) return lost(key);
        out.last_seq = std::max(out.last_seq, last_fact_of(*e));
        out.last_time = e->time;
        return false;
      },
      [&](const store::corrupt_record& bad) { (void)lost(bad.key); });
}

result<void> load(store::writer& w, const kind_row& kind, background_indexer& index, recovered& out,
                  store::corrupt_visitor damaged) {
  return w.scan(
      kind.where, {}, direction::forward,
      [&](std::string_view key, std::string_view value) {
        auto record = kind.of->unpack(value);
        if (!record) {
          damaged({kind.where, std::string(key), record.error().message, {}});
          return true;
        }
        ++out.records[kind.of->name];
        out.last_time = std::max(out.last_time, kind.of->updated_at(record->get()));
        index.add(std::move(*record));
        return true;
      },
      damaged);
}

}  // namespace

result<recovered> recover(store::store& s, const kind_list& kinds, catalog& into, rt::randomness& random) {
  recovered out;
  // Essential: a manager whose disk is full has to start all the same, for reads and stops.
  auto w = s.begin_write(store::write_kind::essential);
  if (!w) return fail(w.error());
  auto manager_id = (*w)->get(table::meta, meta_manager_id);
  if (!manager_id) return fail(manager_id.error());
  out.manager_id = manager_id->value_or(random.id('m'));
  auto term = (*w)->get(table::meta, meta_term);
  auto last = (*w)->get(table::meta, meta_last_seq);
  if (!term) return fail(term.error());
  if (!last) return fail(last.error());
  out.term = number_in(*term) + 1;
  out.last_seq = number_in(*last);
  if (auto ok = load_log_end(**w, out); !ok) return fail(ok.error());

  const auto damaged = [&](const store::corrupt_record& bad) {
    ++out.damaged;
    config::log_event(log_level::error, "store.record-damaged",
                      {{"table", std::string(store::name_of(bad.where))}, {"key", bad.key}, {"reason", bad.reason}});
    if (bad.where == table::servers) into.put_damaged(bad.key, bad.reason);
  };
  {
    background_indexer index(into);
    for (const auto& kind : kinds)
      if (auto ok = load(**w, kind, index, out, damaged); !ok) return fail(ok.error());
  }

  if (auto ok = (*w)->put(table::meta, meta_manager_id, out.manager_id); !ok) return fail(ok.error());
  if (auto ok = (*w)->put(table::meta, meta_term, std::to_string(out.term)); !ok) return fail(ok.error());
  if (auto ok = (*w)->commit(); !ok) return fail(ok.error());
  s.release_memory();  // every page was read once; from now on few are
  return out;
}

event event_of(const std::string& epoch, const log_entry& entry, size_t index) {
  const auto& f = entry.facts[index];
  return {epoch, entry.first_seq + index, f.subject, f.subject_seq, entry.time, entry.why, f.what};
}

uint64_t history::oldest_seq() const {
  uint64_t oldest = 0;
  auto r = store_.begin_read();
  if (!r) return 0;
  (void)(*r)->scan(
      table::log, {}, direction::forward,
      [&](std::string_view key, std::string_view) {
        oldest = log_number(key);
        return false;
      },
      [&](const store::corrupt_record& bad) {
        if (oldest == 0) oldest = log_number(bad.key);
      });
  return oldest;
}

result<event_page> history::replay(uint64_t since, uint64_t last_seq, const replay_events& filter) const {
  constexpr size_t entries_max = 20'000;  // per page, so that a narrow filter cannot hold the reader for long
  const size_t limit = std::clamp<size_t>(filter.limit, 1, 10'000);
  event_page page;
  auto r = store_.begin_read();
  if (!r) return fail(r.error());
  // The entry that holds `since + 1` may begin before it.
  std::string from;
  auto back = (*r)->scan(
      table::log, log_key(since + 1), direction::backward,
      [&](std::string_view key, std::string_view) {
        from = std::string(key);
        return false;
      },
      [](const store::corrupt_record&) {});
  if (!back) return fail(back.error());
  uint64_t reached = since;
  size_t entries = 0;
  size_t bytes = 0;
  bool first = true;
  auto gap = [&](uint64_t upto) {  // events reached+1 .. upto are gone
    if (page.gap_from == 0) page.gap_from = reached + 1;
    page.gap_to = upto;
    reached = upto;
  };
  auto forward = (*r)->scan(
      table::log, from, direction::forward,
      [&](std::string_view, std::string_view value) {
        if (!page.events.empty() && bytes + value.size() > page_bytes_max) return false;
        bytes += value.size();
        auto e = unpack<log_entry>(value);
        if (!e) return true;
        if (first && e->first_seq > since + 1) gap(e->first_seq - 1);
        else if (e->first_seq > reached + 1 && last_fact_of(*e) > since) gap(e->first_seq - 1);
        first = false;
        for (size_t i = 0; i < e->facts.size(); ++i) {
          const uint64_t seq = e->first_seq + i;
          if (seq <= reached) continue;
          if (page.events.size() >= limit) return false;
          reached = seq;
          const auto& f = e->facts[i];
          if (!std::string_view(f.subject).starts_with(filter.subject) || !type_of(f.what).starts_with(filter.type))
            continue;
          page.events.push_back(event_of(epoch_, *e, i));
        }
        return ++entries < entries_max;
      },
      [](const store::corrupt_record&) {});
  if (!forward) return fail(forward.error());
  // Nothing stored after the cursor although more has happened: all of it was trimmed.
  if (entries < entries_max && page.events.size() < limit && reached < last_seq && first) gap(last_seq);
  page.cursor = cursor_text(epoch_, reached);
  page.end = reached >= last_seq;
  return page;
}

result<event_page> history::of_entity(uint64_t head, uint64_t before, size_t limit) const {
  constexpr size_t entries_max = 10'000;
  event_page page;
  auto r = store_.begin_read();
  if (!r) return fail(r.error());
  limit = std::clamp<size_t>(limit, 1, 5'000);
  size_t bytes = 0;
  const auto entry_at = [&](uint64_t number) -> result<std::optional<log_entry>> {
    auto value = (*r)->get(table::log, log_key(number));
    if (!value) return fail(value.error());
    if (!*value) return std::optional<log_entry>{};  // trimmed
    bytes += (*value)->size();
    auto e = unpack<log_entry>(**value);
    if (!e) return fail(e.error());
    return std::optional(std::move(*e));
  };
  uint64_t at = head;
  // A further page begins where the one before it ended, not at the head again.
  if (head != 0 && before != 0 && before < head) {
    auto newest = entry_at(head), last = entry_at(before);
    if (newest && last && *newest && *last && (*newest)->entity == (*last)->entity) at = (*last)->prev;
  }
  for (size_t n = 0; at != 0 && n < entries_max && page.events.size() < limit && bytes < page_bytes_max; ++n) {
    auto e = entry_at(at);
    if (!e) return fail(e.error());
    if (!*e) {
      page.gap_from = 1;
      page.gap_to = at;
      at = 0;
      break;
    }
    if (before == 0 || (*e)->first_seq < before)
      for (size_t i = (*e)->facts.size(); i-- > 0;) page.events.push_back(event_of(epoch_, **e, i));
    at = (*e)->prev;
  }
  page.end = at == 0;
  page.cursor = cursor_text(epoch_, page.events.empty() ? 0 : page.events.front().seq);
  return page;
}

result<std::optional<operation>> history::operation(const operation_id& id) const {
  auto r = store_.begin_read();
  if (!r) return fail(r.error());
  if (id.value.empty()) return std::optional<msg::operation>{};
  auto value = (*r)->get(table::operations, id.value);
  if (!value) return fail(value.error());
  if (!*value) return std::optional<msg::operation>{};
  auto op = unpack<msg::operation>(**value);
  if (!op) return fail(op.error());
  return std::optional<msg::operation>(std::move(*op));
}

result<std::vector<operation>> history::operations(size_t limit, const std::string& target, const std::string& status,
                                                   const std::optional<place>& after) const {
  const auto newer = [](const msg::operation& a, const msg::operation& b) {
    return std::tie(a.started_at, a.id) > std::tie(b.started_at, b.id);
  };
  std::vector<msg::operation> newest;  // a heap whose front is the oldest kept
  auto r = store_.begin_read();
  if (!r) return fail(r.error());
  auto ok = (*r)->scan(
      table::operations, {}, direction::forward,
      [&](std::string_view, std::string_view value) {
        auto op = unpack<msg::operation>(value);
        if (!op || (!target.empty() && op->target.value != target) ||
            (!status.empty() && name_of(op->status) != status) ||
            (after && std::tie(op->started_at, op->id.value) >= std::tie(after->started_at, after->id)))
          return true;
        newest.push_back(std::move(*op));
        std::push_heap(newest.begin(), newest.end(), newer);
        if (newest.size() > limit) {
          std::pop_heap(newest.begin(), newest.end(), newer);
          newest.pop_back();
        }
        return true;
      },
      [](const store::corrupt_record&) {});
  if (!ok) return fail(ok.error());
  std::sort_heap(newest.begin(), newest.end(), newer);
  return newest;
}

}  // namespace zedops::manager
