// The smallest possible entity: a note with a unique text, which is published when its time has come. It shows what a
// further kind costs: this file, its actor of a dozen lines, and a row.
#pragma once
#include "actors/core/entity.hpp"
#include "actors/core/operation_facts.hpp"
#include "messages/wire/codec.hpp"

namespace zedops::note {

using namespace msg;

// ---- record ----
struct note {
  msg::id<struct note_tag> id;
  std::string text;
  bool published = false;
  bool gone = false;
  std::optional<operation> op;  // being published, until `deadline`
  time_point updated_at{};
  uint64_t seq = 0;
  uint64_t log_head = 0;
};

// ---- machine ----
struct write {  // a new note, to be published after a while
  std::string note_id;
  std::string text;
  operation_id op;
  duration after{};
};
struct burn {};
using input = std::variant<write, burn, core::tick, core::cancel_requested>;
struct context {
  time_point now{};
};
struct ring {};  // an effect
using decision = core::basic_decision<ring>;

inline fact ending(const operation& op, op_status how, time_point now) {
  return operation_ended{op.id, how, {}, {}, now, {}};
}

inline decision decide(const note& n, const input& in, const context& cx) {
  decision d;
  if (const auto* w = std::get_if<write>(&in)) {
    if (!n.id.empty()) {
      d.refusal = error{ec::already_exists, "this note is written", "write another", {}};
      return d;
    }
    operation op;
    op.id = w->op;
    op.kind = op_kind::edit;
    op.target.value = w->note_id;
    op.target_name = w->text;
    op.started_at = cx.now;
    op.deadline = cx.now + w->after;
    d.facts.emplace_back(operation_accepted{std::move(op)});
    d.why.ref = w->op.value;
  } else if (std::holds_alternative<burn>(in)) {
    d.facts.emplace_back(server_purged{});
  } else if (const auto* c = std::get_if<core::cancel_requested>(&in)) {
    if (n.op && n.op->id == c->op) d.facts.push_back(ending(*n.op, op_status::cancelled, cx.now));
  } else if (n.op && n.op->deadline <= cx.now) {
    d.facts.push_back(ending(*n.op, op_status::succeeded, cx.now));
    d.facts.emplace_back(status_changed{server_status::stopped, server_status::running, "published"});
    d.effects.emplace_back();
  }
  return d;
}

inline void apply(note& n, const log_entry& e) {
  for (const auto& f : e.facts) {
    if (const auto* a = std::get_if<operation_accepted>(&f.what)) {
      n.id.value = e.entity;
      n.text = a->op->target_name;
    }
    if (core::fold_operation(n.op, f.what)) n.op.reset();
    if (std::holds_alternative<status_changed>(f.what)) n.published = true;
    if (std::holds_alternative<server_purged>(f.what)) n.gone = true;
    if (core::operation_of(f.what) && n.op) n.op->seq = f.subject_seq;
    else if (!core::operation_of(f.what)) n.seq = f.subject_seq;
  }
  n.updated_at = e.time;
  n.log_head = e.first_seq;
}

}  // namespace zedops::note

// ---- what everything around it knows ----
template <>
struct zedops::core::entity<zedops::note::note> {
  using note = zedops::note::note;
  static constexpr std::string_view kind = "note";
  static constexpr char letter = 'n';
  using input = zedops::note::input;
  static void apply(note& n, const msg::log_entry& e) { zedops::note::apply(n, e); }
  static std::vector<msg::numbered_fact> number(const note& n, std::vector<msg::fact> facts) {
    auto id = n.id.value;
    for (const auto& f : facts)
      if (const auto* a = std::get_if<msg::operation_accepted>(&f)) id = a->op->target.value;
    return number_facts(kind, id, n.seq, n.op ? &*n.op : nullptr, std::move(facts));
  }
  static bool gone(const note& n) { return n.gone; }
  static bool ends(const msg::fact& f) { return std::holds_alternative<msg::server_purged>(f); }
  static const msg::operation* open(const note& n) { return n.op ? &*n.op : nullptr; }
  static msg::time_point due(const note& n) { return n.op ? n.op->deadline : msg::never; }
  static msg::agent_id due_with(const note&) { return {}; }
  static bool same_claims(const note& a, const note& b) { return a.text == b.text; }
  template <class F>
  static void each_claim(const note& n, F f) {
    f(std::string_view("text/" + n.text));
  }
  static msg::error taken(std::string_view, const note& owner) {
    return {msg::ec::already_exists, "another note says '" + owner.text + "' already", "say something else", {}};
  }
  // Not a type of the production code, so it is stored in its own way: in the record of an operation.
  static std::string pack(const note& n) {
    msg::operation all = n.op.value_or(msg::operation{});
    all.target.value = n.id.value;
    all.target_name = n.text;
    all.ended_at = n.updated_at;
    all.data_from = std::to_string(n.seq);
    all.data_to = std::to_string(n.log_head);
    all.fresh = n.published;
    all.remove_data = n.gone;
    return msg::pack(all);
  }
  static msg::result<note> unpack(std::string_view bytes) {
    auto all = msg::unpack<msg::operation>(bytes);
    if (!all) return msg::fail(all.error());
    note n{{all->target.value},         all->target_name,         all->fresh, all->remove_data, {}, all->ended_at,
           std::stoull(all->data_from), std::stoull(all->data_to)};
    if (!all->id.empty()) {
      n.op = *all;
      n.op->ended_at = msg::never;
      n.op->data_from = n.op->data_to = {};
      n.op->fresh = n.op->remove_data = false;
    }
    return n;
  }
};
