// The actor of one entity, whatever its kind: feeds its machine, has facts made durable, then lets effects leave, then
// answers. A kind derives from this and defines what its machine may know of the world, and how its effects leave.
#pragma once
#include <caf/all.hpp>
#include <list>

#include "actors/core/operation_facts.hpp"
#include "actors/manager/deps.hpp"
#include "actors/manager/doors/refusal_log.hpp"
#include "actors/runtime/caf_setup.hpp"

namespace zedops::manager {

inline constexpr size_t calls_queued_max = 256;

// Kind has, beside what core::entity<Record> defines:
//   context context_for(const input&)            with `now`
//   decision decide(const input&, const context&)
//   std::vector<std::string> plan_text(const decision&)     for a dry run
//   void run(effect&)                                       once its facts are durable
template <class Kind, core::entity_record Record, class Effect>
struct entity_shell {
  static constexpr const char* name = core::entity<Record>::kind.data();
  using input = typename core::entity<Record>::input;
  using decision = core::basic_decision<Effect>;
  using promise = caf::typed_response_promise<rt::entity_reply>;
  struct queued {
    rt::entity_call call;
    promise answer;
  };
  struct in_flight_commit {
    decision made;
    promise answer;
  };

  rt::entity_actor::stateful_pointer<Kind> self = nullptr;
  shared* world = nullptr;
  rt::journal_actor journal;
  rt::hosts_actor hosts;
  std::string id;
  std::shared_ptr<const Record> record;  // null: blank
  // An idle entity keeps no memory for work: there may be a hundred thousand.
  refusal_log refusals;
  std::list<queued> queue;                    // calls that wait while one decision is being committed
  std::unique_ptr<in_flight_commit> pending;  // at most one decision at the journal
  promise in_hand;                            // of the call being handled: its caller is answered even on an exception
  bool rests = false;                         // it ends as soon as it has nothing to do

  // Every end of an actor (quit, exception, exit, kill) runs this: no caller waits for a timeout.
  ~entity_shell() {
    rt::entity_reply gone;
    gone.failure =
        msg::error{msg::ec::internal, "the " + std::string(name) + "'s actor has ended", "repeat the request", {}};
    in_hand.deliver(gone);
    if (pending) pending->answer.deliver(gone);
    for (auto& q : queue) q.answer.deliver(gone);
  }

  const Record& model() const {
    static const Record blank;
    return record ? *record : blank;
  }

  void load() { record = world->records.find<Record>(id); }

  void submit(rt::entity_call call, promise answer) {
    if (queue.size() >= calls_queued_max) {
      rt::entity_reply r;
      r.failure = msg::error{
          msg::ec::busy, "too many requests wait for this " + std::string(name), "repeat it in a moment", {}};
      answer.deliver(std::move(r));
      return;
    }
    queue.push_back({std::move(call), std::move(answer)});
    pump();
  }

  void pump() {
    while (!pending && !queue.empty()) {
      auto next = std::move(queue.front());
      queue.pop_front();
      in_hand = std::move(next.answer);
      const auto* what = std::any_cast<input>(&next.call.what);
      if (!what) {
        in_hand.deliver(refusal(
            {msg::ec::internal, "wrong input for a " + std::string(name), "this is a bug; please report it", {}}));
        continue;
      }
      const auto cx = me().context_for(*what);
      if (next.call.expires && self->clock().now() >= *next.call.expires) {
        in_hand.deliver(refusal({msg::ec::timeout,
                                 "the deadline of this request passed before it was started",
                                 "nothing was done; repeat the request",
                                 {}}));
        continue;
      }
      const auto begun = std::chrono::steady_clock::now();
      auto d = me().decide(*what, cx);
      measure(begun);
      if (!next.call.dry_run && d.refusal) drop_repeated(d, cx.now);
      if (next.call.dry_run) in_hand.deliver(preview(d));
      else if (d.facts.empty()) settle(std::move(d), nullptr);
      else start_commit(std::move(d), cx.now, std::move(next.call.asked));
    }
    if (!pending && (rests || !record || core::entity<Record>::gone(*record))) self->quit();
  }
  void rest() {
    rests = true;
    pump();
  }

 private:
  Kind& me() { return static_cast<Kind&>(*this); }

  rt::any_record shown() const { return record ? rt::any_record(record) : rt::any_record{}; }
  rt::entity_reply refusal(msg::error e) const {
    rt::entity_reply r;
    r.failure = std::move(e);
    r.record = shown();
    return r;
  }

  void measure(std::chrono::steady_clock::time_point begun) const {
    auto& load = world->load;
    const auto us = load_gauges::microseconds_since(begun);
    load.decisions.fetch_add(1);
    load.decision_us_total.fetch_add(us);
    load_gauges::raise(load.decision_us_max, us);
  }

  void drop_repeated(decision& d, msg::time_point now) {
    if (d.facts.size() != 1) return;
    auto* x = std::get_if<msg::operation_refused>(&d.facts.front());
    if (!x) return;
    auto op = *x->op;
    if (!refusals.record(op, now)) return d.facts.clear();
    if (!op.note.empty()) x->op = std::move(op);
  }

  rt::entity_reply preview(const decision& d) {
    rt::entity_reply r;
    r.failure = d.refusal;
    r.record = shown();
    r.plan = me().plan_text(d);
    r.fresh_start = d.fresh_start;
    return r;
  }

  // The facts leave with the request and come back with the answer: they are not copied on the way.
  void start_commit(decision d, msg::time_point now, std::shared_ptr<const msg::audit_record> asked) {
    rt::commit c{&rt::kind_of<Record>, id,  model().log_head, core::entity<Record>::number(model(), std::move(d.facts)),
                 std::move(d.why),     now, std::move(asked)};
    pending = std::make_unique<in_flight_commit>(in_flight_commit{std::move(d), std::exchange(in_hand, {})});
    // No timeout: CAF's cost two wake-ups of its clock thread for each request. The journal answers from its destructor
    // however it ends, and its end is the end of the process (see node.cpp).
    self->request(journal, caf::infinite, std::move(c))
        .then([this](rt::committed& done) { on_committed(done); },
              [this](caf::error& e) { self->quit(std::move(e)); });  // outcome unknown: begin again from the catalog
  }

  void on_committed(rt::committed& done) {
    auto was = std::move(*pending);
    pending.reset();
    in_hand = std::move(was.answer);
    if (done.failure) {
      if (auto now = world->records.find<Record>(id)) record = std::move(now);  // perhaps another actor decides for it
      in_hand.deliver(refusal(std::move(*done.failure)));
      pump();
      return;
    }
    if (done.record) record = done.record.as<Record>();
    settle(std::move(was.made), done.entry.get());
    pump();
  }

  void settle(decision d, const msg::log_entry* committed) {
    for (auto& e : d.effects) me().run(e);
    rt::entity_reply r;
    r.failure = std::move(d.refusal);
    r.record = shown();
    r.operation = operation_after(committed);
    r.fresh_start = d.fresh_start;
    r.changed = r.audited = committed != nullptr;
    in_hand.deliver(std::move(r));
  }

  // The operation that is open, or was opened or ended by this entry.
  std::optional<msg::operation> operation_after(const msg::log_entry* committed) const {
    std::optional<msg::operation> op;
    if (const auto* open = core::entity<Record>::open(model())) op = *open;
    if (committed)
      for (const auto& n : committed->facts) core::fold_operation(op, n.what);
    return op;
  }
};

template <class Kind>
rt::entity_actor spawn_entity(caf::actor_system& sys, shared& world, rt::journal_actor journal, rt::hosts_actor hosts,
                              const std::string& id) {
  return sys.spawn([w = &world, journal = std::move(journal), hosts = std::move(hosts),
                    id](rt::entity_actor::stateful_pointer<Kind> self) mutable -> rt::entity_actor::behavior_type {
    rt::install_defaults(self);
    auto& st = self->state;
    st.self = self;
    st.world = w;
    st.journal = std::move(journal);
    st.hosts = std::move(hosts);
    st.id = std::move(id);
    st.load();
    return {
        [self](rt::entity_call& call) -> caf::result<rt::entity_reply> {
          auto p = self->template make_response_promise<rt::entity_reply>();
          self->state.submit(std::move(call), p);
          return p;
        },
        [self](rt::rest_atom) { self->state.rest(); },
    };
  });
}

}  // namespace zedops::manager
