#include "actors/manager/journal/journal.hpp"

#include <caf/all.hpp>

#include "actors/manager/journal/entry_stage.hpp"
#include "config/logging/logging.hpp"
#include "messages/wire/codec.hpp"

namespace zedops::manager {
namespace {

using namespace msg;
using rt::commit;
using rt::committed;
using store::table;

constexpr msg::duration group_patience{50};  // how long to wait for announced commits
constexpr uint64_t trim_batch_max = 2'000;
constexpr msg::duration commit_slow{1'000};  // slower ones are logged: everything waits for them

struct journal_state {
  static inline constexpr const char* name = "journal";
  using promise = caf::typed_response_promise<committed>;
  struct waiting {
    commit what;  // its facts and cause have gone into the entry
    promise answer;
    std::shared_ptr<log_entry> entry;
  };

  rt::journal_actor::stateful_pointer<journal_state> self = nullptr;
  shared* world = nullptr;
  rt::hub_actor hub;
  std::vector<waiting> batch;
  uint32_t failures_in_a_row = 0;
  bool flush_sent = false;
  uint32_t expected = 0;  // announced commits that have not come yet
  uint64_t flush_epoch = 0;

  ~journal_state() {
    for (auto& w : batch) w.answer.deliver(refusal(stopped()));
  }
  static error stopped() {
    return {ec::internal, "the journal has stopped", "the manager restarts; repeat the request", {}};
  }
  static committed refusal(error e) {
    committed c;
    c.failure = std::move(e);
    return c;
  }

  void park(commit c, promise p) {
    auto e = std::make_shared<log_entry>();
    e->entity = c.id;
    e->time = c.at;
    e->why = std::move(c.why);
    e->facts = std::move(c.facts);
    batch.push_back({std::move(c), std::move(p), std::move(e)});
    world->load.waiting = batch.size();
    if (expected > 0) --expected;
    if (batch.size() >= commits_per_batch_max) flush();
    else if (expected == 0) send_flush();
  }
  void send_flush() {
    if (flush_sent) return;
    flush_sent = true;
    self->send(self, rt::flush_atom::value, ++flush_epoch);
  }
  void expect(uint32_t count) {
    expected += std::min<uint32_t>(count, commits_per_batch_max);
    self->delayed_send(self, group_patience, rt::flush_atom::value, uint64_t{0});
  }
  void on_flush(uint64_t epoch) {
    if (epoch == 0) {  // patience is over
      expected = 0;
      if (!batch.empty()) flush();
      return;
    }
    flush_sent = false;
    if (expected == 0 && !batch.empty()) flush();
  }

  // Stops, deletions and reports may use the space that is kept back when the disk is full.
  static bool essential(const waiting& work) {
    for (const auto& n : work.entry->facts) {
      if (const auto* a = std::get_if<operation_accepted>(&n.what))
        return a->op->kind == op_kind::stop || a->op->kind == op_kind::remove || a->op->kind == op_kind::purge;
      if (std::holds_alternative<operation_refused>(n.what)) return false;
    }
    return !work.entry->facts.empty();
  }

  void flush() {
    auto work = std::move(batch);
    batch.clear();
    world->load.waiting = 0;
    expected = 0;
    std::vector<waiting> ordinary, vital;
    for (auto& w : work) (essential(w) ? vital : ordinary).push_back(std::move(w));
    // In one go; separately only when there is no room for the ordinary ones.
    if (ordinary.empty()) {
      write(vital, store::write_kind::essential);
      return;
    }
    for (auto& w : vital) ordinary.push_back(std::move(w));
    if (!write(ordinary, store::write_kind::ordinary)) {
      std::vector<waiting> second;
      for (auto& w : ordinary) {
        if (essential(w)) second.push_back(std::move(w));
        else w.answer.deliver(refusal(*failure));
      }
      if (!second.empty() && !write(second, store::write_kind::essential))
        for (auto& w : second) w.answer.deliver(refusal(*failure));
    }
  }

  std::optional<error> failure;  // of the last transaction
  audit_head audited;            // durable

  // In as many transactions as it takes. False: what is left of `work` was neither kept nor answered; `failure` says
  // why.
  bool write(std::vector<waiting>& work, store::write_kind kind) {
    last_try = kind == store::write_kind::ordinary;
    while (!work.empty()) {
      if (write_some(work, kind)) continue;
      // An essential one may be the first to find the disk full: only then is the space released that is kept for it.
      if (last_try) return false;
      last_try = true;
    }
    return true;
  }
  bool last_try = false;

  struct ready_request {
    size_t index;
    rt::any_record record;
  };

  // One transaction with as much from the front of `work` as fits; removes that, and what can never be kept, from it.
  bool write_some(std::vector<waiting>& work, store::write_kind kind) {
    failure.reset();
    const auto begun = std::chrono::steady_clock::now();
    auto w = world->store.begin_write(kind);
    if (!w) return give_up(work, work.size(), w.error(), kind);
    entry_stage stage(world->records, world->kinds, audited);
    auto linked = audited;
    std::vector<ready_request> ready;
    std::vector<std::pair<size_t, error>> refused;
    uint64_t seq = world->last_seq.load();
    size_t i = 0;
    for (; i < work.size(); ++i) {
      auto& e = *work[i].entry;
      e.first_seq = seq + 1;
      auto staged = stage.add(work[i].what, e);
      if (!staged) {
        refused.emplace_back(i, std::move(staged.error()));
        continue;
      }
      if (!ready.empty() && !stage.fits()) break;
      if (auto ok = put(**w, staged->writes); !ok) {  // the transaction is lost with it: the others go without it
        w->reset();
        return refuse_one(work, i, std::move(ok.error()), kind);
      }
      seq += e.facts.size();
      linked = stage.audit();
      ready.push_back({i, std::move(staged->record)});
    }
    if (!ready.empty()) {
      if (auto ok = (*w)->commit(); !ok) return give_up(work, i, ok.error(), kind);
      w->reset();
      failures_in_a_row = 0;
      world->last_seq.store(seq);
      audited = std::move(linked);
      world->commits.fetch_add(1);
      measure(ready.size(), begun);
      tell(work, ready);
    }
    for (auto& [index, e] : refused) work[index].answer.deliver(refusal(std::move(e)));
    work.erase(work.begin(), work.begin() + static_cast<ptrdiff_t>(i));
    return true;
  }

  void measure(size_t entries, std::chrono::steady_clock::time_point begun) {
    const auto took = std::chrono::steady_clock::now() - begun;
    const auto us = static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(took).count());
    auto& load = world->load;
    load.entries.fetch_add(entries);
    load.commit_us_total.fetch_add(us);
    load_gauges::raise(load.batch_max, entries);
    load_gauges::raise(load.commit_us_max, us);
    if (took > commit_slow)
      config::log_limited(log_level::warn, "journal.slow-commit", {{"microseconds", us}, {"entries", entries}});
  }

  static result<void> put(store::writer& w, const std::vector<record_write>& all) {
    for (const auto& x : all) {
      result<void> ok;
      switch (x.how) {
        case record_write::kind::put: ok = w.put(x.where, x.key, x.value); break;
        case record_write::kind::append:
          ok = w.append(x.where, x.key, x.value);
          // Something else wrote there, and this manager does not know what it says: the next start does.
          if (!ok && ok.error().code == ec::already_exists) ok.error().code = ec::internal;
          break;
        case record_write::kind::erase:
          if (auto gone = w.erase(x.where, x.key); !gone) ok = fail(std::move(gone.error()));
          break;
      }
      if (!ok) return ok;
    }
    return {};
  }

  void tell(std::vector<waiting>& work, std::vector<ready_request>& ready) {
    rt::published news;
    news.entries.reserve(ready.size());
    std::vector<rt::any_record> records;
    records.reserve(ready.size());
    for (auto& p : ready) {
      if (p.record) records.push_back(p.record);
      if (!work[p.index].entry->facts.empty()) news.entries.push_back(work[p.index].entry);
    }
    world->records.put(records);
    if (!news.entries.empty()) self->send(hub, std::move(news));
    for (auto& p : ready)
      work[p.index].answer.deliver(committed{std::nullopt, std::move(p.record), std::move(work[p.index].entry)});
  }

  // The fault of this request, or of a failing disk: a failing disk shows again with the others.
  bool refuse_one(std::vector<waiting>& work, size_t index, error e, store::write_kind kind) {
    if (e.code == ec::store_full || e.code == ec::internal) return give_up(work, work.size(), e, kind);
    config::log_limited(log_level::error, "journal.request-refused", {{"error", e.message}});
    work[index].answer.deliver(refusal(std::move(e)));
    work.erase(work.begin() + static_cast<ptrdiff_t>(index));
    return true;
  }

  bool give_up(std::vector<waiting>& work, size_t count, const error& e, store::write_kind kind) {
    failure = e;
    config::log_limited(log_level::error, "journal.commit-failed", {{"error", e.message}, {"requests", count}});
    if (e.code == ec::store_full && (kind == store::write_kind::ordinary || !last_try)) return false;
    for (size_t i = 0; i < count; ++i) work[i].answer.deliver(refusal(e));
    work.erase(work.begin(), work.begin() + static_cast<ptrdiff_t>(count));
    if (e.code == ec::internal) judge_disk();
    return true;
  }

  // A disk that failed once may work again. One that does not, and a store whose content is unknown, are left to the
  // next start: this actor's end is the orderly end of the process.
  void judge_disk() {
    const bool hopeless = ++failures_in_a_row >= commit_failures_max;
    if (!hopeless && log_ends_where_we_think()) return;
    config::log_event(log_level::error, "journal.given-up", {{"failures", failures_in_a_row}});
    self->quit(caf::make_error(caf::sec::runtime_error, "the store cannot be written"));
  }
  bool log_ends_where_we_think() const {
    auto r = world->store.begin_read();
    if (!r) return false;
    uint64_t newest = 0;
    const auto note = [&](std::string_view key) {
      newest = log_number(key);
      return false;
    };
    auto ok = (*r)->scan(
        table::log, {}, store::direction::backward, [&](std::string_view key, std::string_view) { return note(key); },
        [&](const store::corrupt_record& bad) { (void)note(bad.key); });
    return ok && newest <= world->last_seq.load();
  }

  // Durable before it is used: an agent that obeys it obeys nothing lower any more.
  committed raise_term(uint64_t above) {
    if (world->term > above) return {};
    auto w = world->store.begin_write(store::write_kind::essential);
    if (!w) return refusal(w.error());
    if (auto ok = (*w)->put(table::meta, meta_term, std::to_string(above + 1)); !ok) return refusal(ok.error());
    if (auto ok = (*w)->commit(); !ok) return refusal(ok.error());
    world->term = above + 1;
    return {};
  }

  void trim() {
    const bool more_audit = trim_audited(), more_history = trim_history();
    if (more_audit || more_history) self->send(self, rt::trim_atom::value);
  }

  // Both return true when there is more to drop.
  bool trim_audited() {
    const auto keep = world->rules().audit_max;
    if (audited.seq <= keep) return false;
    auto w = world->store.begin_write(store::write_kind::essential);
    if (!w) return false;
    auto dropped = trim_audit(**w, audited.seq, keep, trim_batch_max);
    if (!dropped || *dropped == 0) return false;
    if (auto done = (*w)->commit(); !done) {
      config::log_event(log_level::warn, "audit.trim-failed", {{"error", done.error().message}});
      return false;
    }
    return *dropped == trim_batch_max;
  }

  // Drops the oldest history, and with it the records of operations and entities that appear only in it.
  bool trim_history() {
    const auto keep = world->rules().history_max;
    const auto last = world->last_seq.load();
    if (last <= keep) return false;
    const auto end = last - keep;
    auto w = world->store.begin_write(store::write_kind::essential);
    if (!w) return false;
    uint64_t seen = 0;
    uint64_t upto = 0;
    std::vector<std::pair<table, std::string>> gone;
    std::vector<std::string> ended;  // entities
    auto ok = (*w)->scan(
        table::log, {}, store::direction::forward,
        [&](std::string_view key, std::string_view value) {
          if (log_number(key) >= end || seen >= trim_batch_max) return false;
          ++seen;
          upto = log_number(key) + 1;
          auto e = unpack<log_entry>(value);
          if (!e) return true;
          const auto* of = world->kinds.of_id(e->entity);
          for (const auto& n : e->facts) {
            if (const auto* x = std::get_if<operation_ended>(&n.what))
              gone.emplace_back(table::operations, x->id.value);
            if (const auto* x = std::get_if<operation_refused>(&n.what))
              gone.emplace_back(table::operations, x->op->id.value);
            if (of && of->of->ends(n.what)) {
              gone.emplace_back(of->where, e->entity);
              ended.push_back(e->entity);
            }
          }
          return true;
        },
        [](const store::corrupt_record&) {});
    if (!ok || seen == 0) return false;
    (void)(*w)->put(table::meta, meta_last_seq, std::to_string(last));
    (void)(*w)->trim(table::log, log_key(upto), trim_batch_max);
    for (const auto& [t, key] : gone) (void)(*w)->erase(t, key);
    if (auto done = (*w)->commit(); !done) {
      config::log_event(log_level::warn, "journal.trim-failed", {{"error", done.error().message}});
      return false;
    }
    world->records.drop_gone(ended);
    return seen == trim_batch_max;
  }

  bool read_audited() {
    auto r = world->store.begin_read();
    auto head = r ? read_audit_head(**r) : result<audit_head>(fail(r.error()));
    if (!head) {
      config::log_event(log_level::error, "audit.unreadable", {{"error", head.error().message}});
      return false;
    }
    audited = std::move(*head);
    return true;
  }
};

rt::journal_actor::behavior_type journal(rt::journal_actor::stateful_pointer<journal_state> self, shared* world,
                                         rt::hub_actor hub) {
  rt::install_defaults(self);
  auto& st = self->state;
  st.self = self;
  st.world = world;
  st.hub = std::move(hub);
  if (!st.read_audited()) self->quit(caf::make_error(caf::sec::runtime_error, "the audit cannot be read"));
  return {
      [self](commit& c) -> caf::result<committed> {
        auto p = self->make_response_promise<committed>();
        self->state.park(std::move(c), p);
        return p;
      },
      [self](const rt::raise_term& r) { return self->state.raise_term(r.above); },
      [self](const rt::expect_commits& e) { self->state.expect(e.count); },
      [self](rt::trim_atom) { self->state.trim(); },
      [self](rt::alive_atom) {
        if (const auto& told = self->state.world->progressed) told();
      },
      [self](rt::flush_atom, uint64_t epoch) { self->state.on_flush(epoch); },
  };
}

}  // namespace

rt::journal_actor spawn_journal(caf::actor_system& sys, shared& world, rt::hub_actor hub, rt::spawn_mode mode) {
  if (mode == rt::spawn_mode::own_thread) return sys.spawn<caf::detached>(journal, &world, std::move(hub));
  return sys.spawn(journal, &world, std::move(hub));
}

}  // namespace zedops::manager
