#include "actors/core/server/decide_request.hpp"

#include <algorithm>

#include "actors/core/overload.hpp"
#include "actors/core/plan/blueprint.hpp"
#include "actors/core/server/decide_move.hpp"
#include "messages/records/condition.hpp"

namespace zedops::core::detail {

using namespace msg;

operation new_operation(const server& s, op_kind kind, const request_info& who, const context& cx) {
  operation op;
  op.id = who.op;
  op.kind = kind;
  op.target = {s.id.value};
  op.target_name = s.name;
  op.actor = who.actor;
  op.started_at = cx.now;
  op.deadline = cx.now + cx.time_max[static_cast<size_t>(kind)];
  op.idempotency_key = who.idempotency_key;
  op.request_hash = who.request_hash;
  op.prior = s.status;
  op.prior_desired = s.desired;
  return op;
}

operation system_operation(const server& s, op_kind kind, std::string actor, const context& cx) {
  // The term keeps a store that was restored to an earlier revision from giving an id again that agents remember.
  const auto what = std::string(name_of(kind)) + " " + std::to_string(cx.term);
  request_info who{system_operation_id(s.id, what, s.revision), std::move(actor), {}, 0};
  return new_operation(s, kind, who, cx);
}

void open(decision& d, const server& s, operation op, const context& cx) {
  if (!cx.agent_online) {
    op.step = step_waiting;
    op.deadline = cx.now + waiting_max;
  } else {
    d.effects.emplace_back(command_for(s, op, cx));
  }
  d.why.ref = op.id.value;
  d.why.actor = op.actor;
  d.facts.emplace_back(operation_accepted{std::move(op)});
}

namespace {

// A refusal changes nothing, but leaves its audit record.
decision refuse(const server& s, op_kind kind, const request_info& who, const context& cx, error e) {
  auto op = new_operation(s, kind, who, cx);
  // What may succeed later, unchanged, does not use up its key.
  if (info(e.code).retryable) {
    op.id = who.refusal.empty() ? system_operation_id(s.id, "refused " + who.op.value, s.log_head) : who.refusal;
    op.idempotency_key.clear();
  }
  op.status = op_status::failed;
  op.ended_at = cx.now;
  op.failure = e;
  decision d;
  d.why = {cause_kind::request, op.id.value, who.actor};
  d.facts.emplace_back(operation_refused{std::move(op)});
  d.refusal = std::move(e);
  return d;
}

std::string verbs_text(const std::vector<std::string>& verbs) {
  std::string out;
  for (const auto& v : verbs) out += (out.empty() ? "" : ", ") + v;
  return out.empty() ? "nothing but waiting" : out;
}

std::optional<error> guard(const server& s, op_kind kind, const context& cx) {
  const auto& row = row_of(kind);
  if (s.id.empty() || s.status == server_status::purged)
    return error{ec::not_found, "there is no such server", "zedctl server ls --all", {}};
  if (s.op)
    return error{ec::busy,
                 s.name + " is busy: " + std::string(name_of(s.op->kind)) + " " + s.op->id.value + " is " +
                     (s.op->step.empty() ? "accepted" : s.op->step),
                 "wait for it: zedctl op wait " + s.op->id.value, s.op->id.value};
  if (kind == op_kind::create || kind == op_kind::adopt) return std::nullopt;  // their own overloads say why not
  if (!contains(row.allowed, s.status))
    return error{ec::wrong_state,
                 s.name + " is " + std::string(name_of(s.status)) + "; " + std::string(row.word()) +
                     " needs it to be " + states_text(row.allowed),
                 "permitted now: " + verbs_text(verbs_allowed(s.status)),
                 {}};
  if (needs_agent(row.offline) && !cx.agent_online)
    return error{ec::agent_unreachable,
                 "the agent of " + s.name + " is not connected",
                 "start zedops-agent on its host; nothing was changed",
                 {}};
  return std::nullopt;
}

// May a container be made with the data as it was last seen? The agent looks again before it acts.
std::optional<error> data_guard(const server& s, bool fresh) {
  if (s.status == server_status::stopped || s.status == server_status::running) return std::nullopt;
  if (s.status == server_status::failed && !s.has_run) return std::nullopt;  // a create is resumed in place
  if (s.stale || s.data == data_state::unknown)
    return error{ec::data_unknown,
                 "the data of " + s.name + " could not be looked at" +
                     (s.data_problem.empty() ? std::string{} : ": " + s.data_problem),
                 "check that its disk is mounted, then: zedctl server check-data " + s.name,
                 {}};
  if (s.data != data_state::present && !nothing_to_lose(s) && !fresh)
    return error{ec::no_data,
                 "Cannot start server, no data found",
                 "restore it to " + s.data_path + "/" + s.name +
                     ", or start with empty directories: zedctl server start --fresh " + s.name,
                 {}};
  return std::nullopt;
}

struct request_machine {
  const server& s;
  const request_info& who;
  const context& cx;

  decision begin() const {
    decision d;
    d.why = {cause_kind::request, who.op.value, who.actor};
    return d;
  }
  operation make(op_kind kind) const { return new_operation(s, kind, who, cx); }
  void want(decision& d, desired_state to) const {
    if (s.desired != to) d.facts.emplace_back(desired_changed{to});
  }

  // start, recreate and rebuild of a server whose container is gone are the same thing: make it run from the record.
  decision run_again(op_kind kind, bool fresh) const {
    if (auto e = data_guard(s, fresh)) return refuse(s, kind, who, cx, *e);
    auto d = begin();
    auto op = make(kind);
    op.fresh = fresh || (s.status == server_status::failed && !s.has_run);
    d.fresh_start = op.fresh && s.data != data_state::present;
    want(d, desired_state::running);
    open(d, s, std::move(op), cx);
    return d;
  }

  decision exists(op_kind kind) const {
    return refuse(s, kind, who, cx,
                  error{ec::already_exists, "a server " + s.name + " exists already", "choose another name", {}});
  }
  decision operator()(const create_server&) const { return exists(op_kind::create); }
  decision operator()(const adopt_server&) const { return exists(op_kind::adopt); }
  decision operator()(const start_server& r) const { return run_again(op_kind::start, r.fresh); }
  decision operator()(const recreate_server& r) const { return run_again(op_kind::recreate, r.fresh); }
  decision operator()(const rebuild_server& r) const { return run_again(op_kind::rebuild, r.fresh); }
  decision operator()(const restart_server&) const {
    auto d = begin();
    want(d, desired_state::running);
    open(d, s, make(op_kind::restart), cx);
    return d;
  }
  decision operator()(const stop_server&) const {
    auto d = begin();
    want(d, desired_state::stopped);
    open(d, s, make(op_kind::stop), cx);
    return d;
  }
  decision operator()(const edit_server& r) const {
    if (r.revision && *r.revision != s.revision)
      return refuse(s, op_kind::edit, who, cx,
                    error{ec::wrong_state,
                          s.name + " has changed meanwhile (revision " + std::to_string(s.revision) + ", not " +
                              std::to_string(*r.revision) + ")",
                          "look at it again, then repeat the change",
                          {}});
    static const server_template no_rules;  // what holds for every server still does
    if (auto ok = check_edit(s, r, cx.rules ? *cx.rules : no_rules); !ok)
      return refuse(s, op_kind::edit, who, cx, ok.error());
    auto f = edited_as_is(s);
    for (const auto& key : r.unset) f.env.erase(key);
    for (const auto& [key, value] : r.config) f.env[key] = value;
    if (auto ok = check_env(f.env); !ok && f.env != s.env) return refuse(s, op_kind::edit, who, cx, ok.error());
    if (r.image) f.image = *r.image;
    if (r.image_tag) f.image_tag = *r.image_tag;
    if (r.recovery) f.recovery = *r.recovery;
    if (r.crash) f.crash = *r.crash;
    if (r.priority) f.priority = *r.priority;
    if (auto spec = edited_spec(s, r); nothing_given(spec)) f.spec = std::nullopt;
    else f.spec = std::move(spec);
    // Whether the Engine restarts it is made into the container; the rules of its agent are not.
    const bool other_guard = (f.crash == crash_policy::engine) != (s.crash == crash_policy::engine);
    const bool embodiment =
        f.env != s.env || f.image != s.image || f.image_tag != s.image_tag || f.spec != s.spec || other_guard;
    const auto folders = [](const auto& spec) {
      return spec && spec->folders ? *spec->folders : std::vector<data_folder>{};
    };
    const bool other_folders = folders(f.spec) != folders(s.spec);  // its agent looks at others from now on
    const bool guard_changes = f.crash != s.crash || f.priority != s.priority;
    f.pending_rebuild = s.pending_rebuild || (embodiment && !s.container_id.empty());
    auto d = begin();
    auto op = make(op_kind::edit);
    d.facts.emplace_back(operation_accepted{op});
    d.facts.emplace_back(std::move(f));
    d.facts.emplace_back(operation_ended{op.id, op_status::succeeded, std::nullopt, {}, cx.now});
    if (guard_changes || other_folders) d.effects.emplace_back(watch{});
    return d;
  }
  decision operator()(const remove_server&) const {
    auto d = begin();
    want(d, desired_state::deleted);
    d.facts.emplace_back(server_deleted{cx.now, cx.now + cx.retention});
    d.facts.emplace_back(status_changed{s.status, server_status::deleting, "deleted by " + who.actor});
    open(d, s, make(op_kind::remove), cx);
    return d;
  }
  decision operator()(const restore_server& r) const {
    auto d = begin();
    auto op = make(op_kind::restore);
    op.fresh = r.fresh;
    want(d, desired_state::running);
    d.facts.emplace_back(server_restored{cx.now});
    d.facts.emplace_back(status_changed{s.status, server_status::missing, "restored by " + who.actor});
    const bool known_absent = !s.stale && (s.data == data_state::absent || s.data == data_state::empty);
    if (known_absent && !nothing_to_lose(s) && !r.fresh) {
      d.facts.emplace_back(operation_accepted{op});
      d.facts.emplace_back(
          operation_ended{op.id, op_status::succeeded, std::nullopt, std::string(restored_without_data), cx.now});
      d.effects.emplace_back(watch{});
      return d;
    }
    d.fresh_start = r.fresh && s.data != data_state::present;
    open(d, s, std::move(op), cx);
    return d;
  }
  decision operator()(const purge_server& r) const {
    if (!r.confirm)
      return refuse(s, op_kind::purge, who, cx,
                    error{ec::bad_request, "a purge must be confirmed", "set confirm, or zedctl's --yes", {}});
    if (r.keep_data == r.remove_data)
      return refuse(s, op_kind::purge, who, cx,
                    error{ec::bad_request,
                          "a purge must say what becomes of the data",
                          "give exactly one of keep_data and remove_data",
                          {}});
    auto d = begin();
    auto op = make(op_kind::purge);
    op.remove_data = r.remove_data;
    want(d, desired_state::purged);
    if (s.status != server_status::deleting)
      d.facts.emplace_back(status_changed{s.status, server_status::deleting, "purge by " + who.actor});
    open(d, s, std::move(op), cx);
    return d;
  }
  decision operator()(const move_server& r) const {
    const auto to = tidy_path(r.data_path);
    if (auto e = check_move(s, to)) return refuse(s, op_kind::move, who, cx, *e);
    auto d = begin();
    auto op = make(op_kind::move);
    op.data_from = s.data_path;
    op.data_to = to;
    open(d, s, std::move(op), cx);
    return d;
  }
};

}  // namespace

decision decide_created(const server& s, const created& in, const context& cx) {
  const auto kind = in.original.empty() ? op_kind::create : op_kind::adopt;
  if (!s.id.empty())
    return refuse(s, kind, in.who, cx,
                  error{ec::already_exists, "a server " + s.name + " exists already", "choose another name", {}});
  if (!cx.agent_online)
    return refuse(in.record, kind, in.who, cx,
                  error{ec::agent_unreachable,
                        "the agent of " + in.record.name + " is not connected",
                        "start zedops-agent on its host; nothing was changed",
                        {}});
  decision d;
  d.why = {cause_kind::request, in.who.op.value, in.who.actor};
  auto record = in.record;
  record.status = server_status::creating;
  record.created_at = record.updated_at = cx.now;
  record.past = kind == op_kind::create ? data_past::none : data_past::some;
  auto op = new_operation(record, kind, in.who, cx);
  op.fresh = kind == op_kind::create;
  op.original = in.original;
  d.facts.emplace_back(server_created{record});
  open(d, record, std::move(op), cx);
  d.effects.insert(d.effects.begin(), watch{});
  return d;
}

decision decide_request(const server& s, const requested& in, const context& cx) {
  const auto kind = static_cast<op_kind>(in.what.index());
  if (s.op && s.op->id == in.who.op && !in.who.op.empty()) {  // the same request again
    if (s.op->request_hash == in.who.request_hash) return {};
    // Not under the id of the operation that has the key: its events are its own. Every refusal moves log_head on.
    const auto own_id = system_operation_id(s.id, "refused " + in.who.op.value, s.log_head);
    return refuse(s, kind, {own_id, in.who.actor, {}, in.who.request_hash}, cx,
                  error{ec::bad_request, "this idempotency key was used for another request", "use a new key", {}});
  }
  if (auto e = guard(s, kind, cx)) return refuse(s, kind, in.who, cx, *e);
  return std::visit(request_machine{s, in.who, cx}, in.what);
}

}  // namespace zedops::core::detail
