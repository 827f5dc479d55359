#include "actors/manager/journal.hpp"

#include <caf/all.hpp>
#include <unordered_map>

#include "actors/core/agent_machine.hpp"
#include "actors/core/claims.hpp"
#include "config/logging.hpp"
#include "messages/codec.hpp"

namespace zedops::manager {
namespace {

using namespace msg;
using rt::commit;
using rt::committed;
using rt::entity_kind;
using store::table;

constexpr msg::duration group_patience{50};  // how long announced commits are waited for
constexpr uint64_t trim_batch_max = 2'000;

// Operations that end in this entry, complete: the record as it is kept after its server has let go of it.
std::vector<operation> ended_in(const server* before, const log_entry& e) {
  std::optional<operation> open;
  if (before) open = before->op;
  std::vector<operation> out;
  for (const auto& n : e.facts) {
    if (const auto* a = std::get_if<operation_accepted>(&n.what)) open = *a->op;
    if (const auto* r = std::get_if<operation_refused>(&n.what)) out.push_back(*r->op);
    if (const auto* x = std::get_if<operation_ended>(&n.what); x && open && open->id == x->id) {
      open->status = x->status;
      open->failure = x->failure;
      open->ended_at = x->ended_at;
      if (!x->note.empty()) open->note = x->note;
      if (x->status == op_status::succeeded) open->progress = 100;
      open->calls = x->calls;
      open->seq = n.subject_seq;
      out.push_back(std::move(*open));
      open.reset();
    }
  }
  return out;
}

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

  // One request made ready: what it writes, or why it cannot be.
  struct prepared {
    size_t index;
    server_ptr server;
    agent_ptr agent;
  };
  struct batch_view {  // records as they will be after the earlier requests of this batch
    std::unordered_map<std::string, server_ptr> servers;
    std::unordered_map<std::string, agent_ptr> agents;
    std::unordered_map<std::string, server_ptr> claims;
  };

  std::optional<error> claim(const server& s, batch_view& view) const {
    for (const auto& key : core::claims_of(s)) {
      server_ptr owner;
      if (auto i = view.claims.find(key); i != view.claims.end()) owner = i->second;
      else owner = world->records.claim_owner(key);
      if (owner && owner->id != s.id && !released(*owner, view))
        return core::claim_taken(key, owner->name, owner->status);
    }
    auto shared_server = std::make_shared<const server>(s);
    for (const auto& key : core::claims_of(s)) view.claims[key] = shared_server;
    return std::nullopt;
  }
  static bool released(const server& owner, const batch_view& view) {
    auto i = view.servers.find(owner.id.value);
    return i != view.servers.end() && i->second->status == server_status::purged;
  }

  std::optional<error> prepare(const waiting& work, uint64_t first_seq, batch_view& view, store::writer& w,
                               prepared& out) {
    const auto& c = work.what;
    auto* e = work.entry.get();
    e->first_seq = first_seq;
    std::vector<operation> ended;
    if (c.kind == entity_kind::server) {
      auto i = view.servers.find(c.id);
      server_ptr before = i != view.servers.end() ? i->second : world->records.server({c.id});
      if ((before ? before->log_head : 0) != c.base)
        return error{ec::internal, "two actors decided for server " + c.id, "this is a bug; please report it", {}};
      e->prev = c.base;
      server next = before ? *before : server{};
      core::apply(next, *e);
      if (!before && !next.id.empty())
        if (auto taken = claim(next, view)) return taken;
      ended = ended_in(before.get(), *e);
      // A refused create leaves its audit record and no server.
      if (!next.id.empty()) {
        out.server = std::make_shared<const server>(std::move(next));
        if (auto ok = w.put(table::servers, c.id, pack(*out.server)); !ok) return ok.error();
        view.servers[c.id] = out.server;
      }
    } else if (c.kind == entity_kind::audit) {
      ended = ended_in(nullptr, *e);
    } else {
      auto i = view.agents.find(c.id);
      agent_ptr before = i != view.agents.end() ? i->second : world->records.agent_ever({c.id});
      e->prev = before ? before->log_head : 0;
      agent next = before ? *before : agent{};
      core::apply(next, *e);
      out.agent = std::make_shared<const agent>(std::move(next));
      if (auto ok = w.put(table::agents, c.id, pack(*out.agent)); !ok) return ok.error();
      view.agents[c.id] = out.agent;
    }
    if (auto ok = w.append(table::log, log_key(first_seq), pack(*e)); !ok) return ok.error();
    for (const auto& op : ended)
      if (auto ok = w.put(table::operations, op.id.value, pack(op)); !ok) return ok.error();
    if (auto orphan = orphan_of(out.server, *e))
      if (auto ok = w.put(table::orphans, orphan->agent.value + "/" + orphan->name, pack(*orphan)); !ok)
        return ok.error();
    return std::nullopt;
  }
  static std::optional<orphan_data> orphan_of(const server_ptr& s, const log_entry& e) {
    if (!s) return std::nullopt;
    for (const auto& n : e.facts)
      if (const auto* p = std::get_if<server_purged>(&n.what); p && !p->kept_path.empty())
        return orphan_data{s->agent, s->name, p->kept_path, p->bytes, s->id, e.time};
    return std::nullopt;
  }

  // Stops, deletions and reports may use the space that is kept back when the disk is full.
  static bool essential(const waiting& work) {
    for (const auto& n : work.entry->facts)
      if (const auto* a = std::get_if<operation_accepted>(&n.what))
        return a->op->kind == op_kind::stop || a->op->kind == op_kind::remove || a->op->kind == op_kind::purge;
    return true;
  }

  void flush() {
    auto work = std::move(batch);
    batch.clear();
    expected = 0;
    std::vector<waiting> ordinary, vital;
    for (auto& w : work) (essential(w) ? vital : ordinary).push_back(std::move(w));
    // One transaction for all; apart only when there is no room for the ordinary ones.
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

  // False: nothing of it was kept and nobody was answered; `failure` says why.
  bool write(std::vector<waiting>& work, store::write_kind kind) {
    failure.reset();
    auto w = world->store.begin_write(kind);
    if (!w) return give_up(work, w.error(), kind);
    batch_view view;
    std::vector<prepared> ready;
    ready.reserve(work.size());
    std::vector<std::pair<size_t, error>> refused;
    uint64_t seq = world->last_seq.load();
    for (size_t i = 0; i < work.size(); ++i) {
      prepared p{i, nullptr, nullptr};
      if (auto e = prepare(work[i], seq + 1, view, **w, p)) {
        refused.emplace_back(i, std::move(*e));
        continue;
      }
      seq += work[i].entry->facts.size();
      ready.push_back(std::move(p));
    }
    if (!ready.empty()) {
      if (auto ok = (*w)->commit(); !ok) return give_up(work, ok.error(), kind);
      w->reset();
      failures_in_a_row = 0;
      world->last_seq.store(seq);
      world->commits.fetch_add(1);
    }
    rt::published news;
    news.entries.reserve(ready.size());
    std::vector<server_ptr> servers;
    servers.reserve(ready.size());
    for (auto& p : ready) {
      if (p.server) servers.push_back(p.server);
      if (p.agent) world->records.put(p.agent);
      news.entries.push_back(work[p.index].entry);
    }
    world->records.put(servers);
    if (!news.entries.empty()) self->send(hub, std::move(news));
    for (auto& p : ready)
      work[p.index].answer.deliver(
          committed{std::nullopt, std::move(p.server), std::move(p.agent), std::move(work[p.index].entry)});
    for (auto& [i, e] : refused) work[i].answer.deliver(refusal(std::move(e)));
    return true;
  }

  bool give_up(std::vector<waiting>& work, const error& e, store::write_kind kind) {
    failure = e;
    config::log_limited(log_level::error, "journal.commit-failed", {{"error", e.message}, {"requests", work.size()}});
    if (e.code == ec::store_full && kind == store::write_kind::ordinary) return false;
    for (auto& w : work) w.answer.deliver(refusal(e));
    if (e.code == ec::internal) judge_disk();
    return true;
  }

  // A disk that failed once may work again. One that does not, and a store of which nobody can say what it holds, are
  // left to the next start: this actor's end is the orderly end of the process.
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

  // Durable before anybody is told: an agent that obeys it obeys nothing lower any more.
  committed raise_term(uint64_t above) {
    if (world->term > above) return {};
    auto w = world->store.begin_write(store::write_kind::essential);
    if (!w) return refusal(w.error());
    if (auto ok = (*w)->put(table::meta, meta_term, std::to_string(above + 1)); !ok) return refusal(ok.error());
    if (auto ok = (*w)->commit(); !ok) return refusal(ok.error());
    world->term = above + 1;
    return {};
  }

  // Drops the oldest history, and with it the records of operations and purged servers that only it speaks of.
  void trim() {
    const auto keep = world->rules().history_max;
    const auto last = world->last_seq.load();
    if (last <= keep) return;
    const auto end = last - keep;
    auto w = world->store.begin_write(store::write_kind::essential);
    if (!w) return;
    uint64_t seen = 0;
    uint64_t upto = 0;
    std::vector<std::pair<table, std::string>> gone;
    auto ok = (*w)->scan(
        table::log, {}, store::direction::forward,
        [&](std::string_view key, std::string_view value) {
          if (log_number(key) >= end || seen >= trim_batch_max) return false;
          ++seen;
          upto = log_number(key) + 1;
          auto e = unpack<log_entry>(value);
          if (!e) return true;
          for (const auto& n : e->facts) {
            if (const auto* x = std::get_if<operation_ended>(&n.what))
              gone.emplace_back(table::operations, x->id.value);
            if (const auto* x = std::get_if<operation_refused>(&n.what))
              gone.emplace_back(table::operations, x->op->id.value);
            if (std::holds_alternative<server_purged>(n.what)) gone.emplace_back(table::servers, e->entity);
          }
          return true;
        },
        [](const store::corrupt_record&) {});
    if (!ok || seen == 0) return;
    (void)(*w)->put(table::meta, meta_last_seq, std::to_string(last));
    (void)(*w)->trim(table::log, log_key(upto), trim_batch_max);
    for (const auto& [t, key] : gone) (void)(*w)->erase(t, key);
    if (auto done = (*w)->commit(); !done) {
      config::log_event(log_level::warn, "journal.trim-failed", {{"error", done.error().message}});
      return;
    }
    if (seen == trim_batch_max) self->send(self, rt::trim_atom::value);
  }
};

rt::journal_actor::behavior_type journal(rt::journal_actor::stateful_pointer<journal_state> self, shared* world,
                                         rt::hub_actor hub) {
  rt::install_defaults(self);
  auto& st = self->state;
  st.self = self;
  st.world = world;
  st.hub = std::move(hub);
  return {
      [self](commit& c) -> caf::result<committed> {
        auto p = self->make_response_promise<committed>();
        self->state.park(std::move(c), p);
        return p;
      },
      [self](const rt::raise_term& r) { return self->state.raise_term(r.above); },
      [self](const rt::expect_commits& e) { self->state.expect(e.count); },
      [self](rt::trim_atom) { self->state.trim(); },
      [self](rt::flush_atom, uint64_t epoch) { self->state.on_flush(epoch); },
  };
}

}  // namespace

rt::journal_actor spawn_journal(caf::actor_system& sys, shared& world, rt::hub_actor hub, rt::spawn_mode mode) {
  if (mode == rt::spawn_mode::own_thread) return sys.spawn<caf::detached>(journal, &world, std::move(hub));
  return sys.spawn(journal, &world, std::move(hub));
}

}  // namespace zedops::manager
