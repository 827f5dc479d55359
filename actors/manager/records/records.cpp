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

uint64_t last_fact_of(const log_entry& e) { return e.first_seq + (e.facts.empty() ? 0 : e.facts.size() - 1); }

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

result<void> load_log_end(store::writer& w, recovered& out) {
  // How many facts a damaged entry had is not known, and no number may be used twice: subscribers see a gap.
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
    if (bad.where == table::services || bad.where == table::projects) {
      into.lose_service();
      config::log_event(log_level::error, "stray.removal-off",
                        {{"id", bad.key},
                         {"reason", "its record is damaged, and its container would be taken for a stray"},
                         {"hint", "restore a backup of the store: zedctl store restore"}});
    }
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

}  // namespace zedops::manager
