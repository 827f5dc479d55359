#include "actors/agent/agent_state.hpp"

#include <algorithm>
#include <charconv>
#include <vector>

#include "messages/wire/codec.hpp"

namespace zedops::agent {

using namespace msg;
using store::table;
using store::write_kind;

namespace {

constexpr const char* key_id = "agent.id";
constexpr const char* key_manager = "agent.manager";
constexpr const char* key_engine = "agent.engine";
constexpr const char* key_term = "agent.term";
constexpr std::string_view key_root = "agent.root.";

uint64_t number_of(std::string_view text) {
  uint64_t n = 0;
  std::from_chars(text.data(), text.data() + text.size(), n);
  return n;
}

// "<order> <attempt> <length of note>\n<note><packed result or nothing>", and with a command
// "<order> <attempt> <length of command> <length of note>\n<note><packed result or nothing><packed command>"
std::string encode(const journal_entry& e) {
  const auto command = e.command ? pack(*e.command) : std::string{};
  auto head = std::to_string(e.order) + ' ' + std::to_string(e.attempt) + ' ';
  if (!command.empty()) head += std::to_string(command.size()) + ' ';
  head += std::to_string(e.note.size()) + '\n';
  return head + e.note + (e.result ? pack(*e.result) : std::string{}) + command;
}

std::optional<journal_entry> decode(std::string_view bytes) {
  const auto end = bytes.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  auto head = bytes.substr(0, end);
  auto body = bytes.substr(end + 1);
  const auto first = head.find(' '), second = head.rfind(' ');
  if (first == std::string_view::npos || first == second) return std::nullopt;
  journal_entry e;
  e.order = number_of(head.substr(0, first));
  const auto middle = head.substr(first + 1, second - first - 1);
  e.attempt = static_cast<uint32_t>(number_of(middle));
  const auto note = number_of(head.substr(second + 1));
  if (note > body.size()) return std::nullopt;
  e.note = body.substr(0, note);
  body.remove_prefix(note);
  const auto gap = middle.find(' ');
  const auto command = gap == std::string_view::npos ? 0 : number_of(middle.substr(gap + 1));
  if (command > body.size()) return std::nullopt;
  if (command > 0) {
    if (auto c = unpack<run_command>(body.substr(body.size() - command))) e.command = std::move(*c);
    body.remove_suffix(command);
  }
  if (body.empty()) return e;
  auto result = unpack<command_result>(body);
  if (!result) return std::nullopt;
  e.result = std::move(*result);
  return e;
}

// Enough to put its work back. Neither the environment nor the console's passwords: they have no place on this disk.
std::optional<run_command> to_put_back(const run_command& c) {
  if (c.kind != command_kind::move && c.kind != command_kind::adopt) return std::nullopt;
  auto kept = c;
  container_spec spec;
  spec.name = c.plan.container.name;
  spec.image = c.plan.container.image;
  spec.mounts = c.plan.container.mounts;
  kept.plan.container = std::move(spec);
  kept.plan.stop = {};
  kept.plan.stop.grace = c.plan.stop.grace;
  return kept;
}

// Losing sight of a stop or a removal would be worse than using the reserve.
write_kind kind_for(command_kind k) {
  const bool makes =
      k == command_kind::run || k == command_kind::replace || k == command_kind::move || k == command_kind::adopt;
  return makes ? write_kind::ordinary : write_kind::essential;
}

}  // namespace

result<std::unique_ptr<agent_state>> agent_state::open(store::store& store, uint64_t random_high, uint64_t random_low) {
  std::unique_ptr<agent_state> s(new agent_state(store));
  if (auto ok = s->load(); !ok) return fail(std::move(ok.error()));
  if (s->id_.empty()) {
    auto id = id_text('a', random_high, random_low);
    if (auto ok = s->put(table::meta, key_id, id, write_kind::ordinary); !ok) return fail(std::move(ok.error()));
    s->id_ = agent_id{std::move(id)};
  }
  return s;
}

result<void> agent_state::load() {
  auto r = store_.begin_read();
  if (!r) return fail(std::move(r.error()));
  auto text = [&](const char* key, std::string& out) -> result<void> {
    auto v = (*r)->get(table::meta, key);
    if (!v) return fail(std::move(v.error()));
    if (*v) out = std::move(**v);
    return {};
  };
  std::string term;
  if (auto ok = text(key_id, id_.value); !ok) return ok;
  if (auto ok = text(key_manager, manager_); !ok) return ok;
  if (auto ok = text(key_engine, engine_); !ok) return ok;
  if (auto ok = text(key_term, term); !ok) return ok;
  term_ = number_of(term);
  auto ok = (*r)->scan(
      table::meta, key_root, store::direction::forward,
      [&](std::string_view key, std::string_view) {
        if (!key.starts_with(key_root)) return false;
        roots_.emplace(key.substr(key_root.size()));
        return true;
      },
      [&](const store::corrupt_record& bad) { damaged_.push_back(bad); });
  if (!ok) return ok;
  if (ok = guards_.load(**r, damaged_); !ok) return ok;
  return load_journal(**r);
}

result<void> agent_state::load_journal(const store::reader& r) {
  return r.scan(
      table::operations, {}, store::direction::forward,
      [&](std::string_view key, std::string_view value) {
        if (auto e = decode(value)) {
          order_ = std::max(order_, e->order);
          e->cut_short = !e->result;
          journal_[operation_id{std::string(key)}] = std::move(*e);
        }
        return true;
      },
      [&](const store::corrupt_record& bad) { damaged_.push_back(bad); });
}

result<void> agent_state::write(write_kind kind, guard_state::changes what) {
  std::lock_guard guard(disk_);
  auto w = store_.begin_write(kind);
  if (!w) return fail(std::move(w.error()));
  if (auto ok = what(**w); !ok) return ok;
  return (*w)->commit();
}

result<void> agent_state::put(table t, const std::string& key, const std::string& value, write_kind kind) {
  return write(kind, [&](store::writer& w) { return w.put(t, key, value); });
}

agent_id agent_state::id() const {
  std::lock_guard guard(memory_);
  return id_;
}
result<void> agent_state::become(const agent_id& id) {
  if (auto ok = put(table::meta, key_id, id.value, write_kind::ordinary); !ok) return ok;
  std::lock_guard guard(memory_);
  id_ = id;
  return {};
}
std::set<std::string> agent_state::used_roots() const {
  std::lock_guard guard(memory_);
  return roots_;
}
std::string agent_state::manager_id() const {
  std::lock_guard guard(memory_);
  return manager_;
}
std::string agent_state::engine() const {
  std::lock_guard guard(memory_);
  return engine_;
}
result<void> agent_state::remember_engine(const std::string& identity) {
  if (auto ok = put(table::meta, key_engine, identity, write_kind::essential); !ok) return ok;
  std::lock_guard guard(memory_);
  engine_ = identity;
  return {};
}
uint64_t agent_state::term() const {
  std::lock_guard guard(memory_);
  return term_;
}

result<void> agent_state::belong_to(const std::string& manager_id) {
  {
    std::lock_guard guard(memory_);
    if (manager_ == manager_id) return {};
    if (!manager_.empty())
      return fail(ec::wrong_state, "this agent belongs to manager " + manager_ + ", not to " + manager_id,
                  "point it at its own manager, or give it an empty state directory");
  }
  if (auto ok = put(table::meta, key_manager, manager_id, write_kind::essential); !ok) return ok;
  std::lock_guard guard(memory_);
  manager_ = manager_id;
  return {};
}

result<void> agent_state::obey(uint64_t term) {
  {
    std::lock_guard guard(memory_);
    if (term == term_) return {};
    if (term < term_)
      return fail(ec::not_leader,
                  "command of term " + std::to_string(term) + ", but term " + std::to_string(term_) + " was seen",
                  "another manager leads now: ask that one");
  }
  if (auto ok = put(table::meta, key_term, std::to_string(term), write_kind::essential); !ok) return ok;
  std::lock_guard guard(memory_);
  term_ = std::max(term_, term);
  return {};
}

bool agent_state::used_root(const std::string& path) const {
  std::lock_guard guard(memory_);
  return roots_.contains(path);
}

result<void> agent_state::remember_root(const std::string& path) {
  if (used_root(path)) return {};
  if (auto ok = put(table::meta, std::string(key_root) + path, "1", write_kind::ordinary); !ok) return ok;
  std::lock_guard guard(memory_);
  roots_.insert(path);
  return {};
}

std::optional<journal_entry> agent_state::find(const operation_id& op) const {
  std::lock_guard guard(memory_);
  auto i = journal_.find(op);
  return i == journal_.end() ? std::nullopt : std::optional(i->second);
}

result<void> agent_state::begin(const run_command& command) {
  journal_entry e;
  {
    std::lock_guard guard(memory_);
    if (auto i = journal_.find(command.op); i != journal_.end()) e.note = i->second.note;
    e.order = ++order_;
  }
  e.attempt = command.attempt;
  e.command = to_put_back(command);
  if (auto ok = put(table::operations, command.op.value, encode(e), kind_for(command.kind)); !ok) return ok;
  {
    std::lock_guard guard(memory_);
    journal_[command.op] = std::move(e);
  }
  trim();
  return {};
}

result<void> agent_state::note(const operation_id& op, const std::string& text) {
  std::string bytes;
  {
    std::lock_guard guard(memory_);
    auto& e = journal_[op];
    e.note = text.substr(0, journal_note_max);
    bytes = encode(e);
  }
  return put(table::operations, op.value, bytes, write_kind::essential);
}

result<void> agent_state::finish(const command_result& result) {
  std::string bytes;
  {
    std::lock_guard guard(memory_);
    auto& e = journal_[result.op];
    e.attempt = result.attempt;
    e.result = result;
    e.cut_short = false;
    if (!result.failure) e.command.reset();
    bytes = encode(e);
  }
  return put(table::operations, result.op.value, bytes, write_kind::essential);
}

std::vector<journal_entry> agent_state::cut_short() const {
  std::lock_guard guard(memory_);
  const auto followed = [&](const journal_entry& e) {
    return std::any_of(journal_.begin(), journal_.end(), [&](const auto& row) {
      const auto& other = row.second;
      return other.order > e.order && other.result && other.result->server == e.command->server;
    });
  };
  std::vector<journal_entry> out;
  for (const auto& [op, e] : journal_)
    if (e.cut_short && e.command && !e.note.empty() && !followed(e)) out.push_back(e);
  return out;
}

std::vector<run_command> agent_state::left_copies(const std::string& name) const {
  std::lock_guard guard(memory_);
  std::vector<run_command> out;
  for (const auto& [op, e] : journal_)
    if (e.command && (e.result || e.cut_short) && e.command->plan.data.name == name) out.push_back(*e.command);
  return out;
}

void agent_state::forget_copy(const operation_id& op) {
  std::lock_guard guard(memory_);
  if (auto i = journal_.find(op); i != journal_.end()) i->second.command.reset();
}

// Oldest first, and never one that runs. One that was cut short may never be given again: its operation has ended at
// the manager meanwhile. A failure to erase costs nothing: the next start trims again.
void agent_state::trim() {
  std::vector<std::string> gone;
  {
    std::lock_guard guard(memory_);
    if (journal_.size() <= journal_max) return;
    std::map<uint64_t, operation_id> idle;
    for (const auto& [op, e] : journal_)
      if (e.result || e.cut_short) idle[e.order] = op;
    for (const auto& [order, op] : idle) {
      if (journal_.size() <= journal_max) break;
      journal_.erase(op);
      gone.push_back(op.value);
    }
  }
  std::lock_guard guard(disk_);
  auto w = store_.begin_write(write_kind::essential);
  if (!w) return;
  for (const auto& key : gone)
    if (!(*w)->erase(table::operations, key)) return;
  (void)(*w)->commit();
}

}  // namespace zedops::agent
