#include "actors/agent/guardian/guard_state.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "messages/wire/codec.hpp"

namespace zedops::agent {

using namespace msg;
using store::table;
using store::write_kind;

namespace {

constexpr const char* key_boot = "agent.boot";
constexpr const char* key_last = "agent.incidents";

std::string key_of(uint64_t seq) {
  auto text = std::to_string(seq);
  return std::string(20 - text.size(), '0') + text;  // in the order of the numbers
}

uint64_t number_of(std::string_view text) {
  uint64_t n = 0;
  std::from_chars(text.data(), text.data() + text.size(), n);
  return n;
}

int64_t count(time_point t) { return t.time_since_epoch().count(); }

// "<exit> <owed> <starts ...>\n<container>\n<packed known_server>"
std::string encode(const guarded& g) {
  auto head = std::to_string(count(g.exit_at)) + ' ' + std::to_string(count(g.owed_at));
  for (auto t : g.starts) head += ' ' + std::to_string(count(t));
  return head + '\n' + g.container_id + '\n' + pack(g.known);
}

std::optional<guarded> decode(std::string_view bytes) {
  const auto head_end = bytes.find('\n');
  const auto id_end = head_end == bytes.npos ? head_end : bytes.find('\n', head_end + 1);
  if (id_end == bytes.npos) return std::nullopt;
  guarded g;
  std::istringstream head{std::string(bytes.substr(0, head_end))};
  int64_t exit = 0, owed = 0;
  head >> exit >> owed;
  if (!head) return std::nullopt;
  g.exit_at = time_point{duration{exit}};
  g.owed_at = time_point{duration{owed}};
  for (int64_t t = 0; head >> t;) g.starts.emplace_back(duration{t});
  g.container_id = bytes.substr(head_end + 1, id_end - head_end - 1);
  auto known = unpack<known_server>(bytes.substr(id_end + 1));
  if (!known) return std::nullopt;
  g.known = std::move(*known);
  return g;
}

std::string encode(const incident& i) { return pack(from_agent{incidents{{i}}}); }

std::optional<incident> decode_incident(std::string_view bytes) {
  auto m = unpack<from_agent>(bytes);
  auto* list = m ? std::get_if<incidents>(&*m) : nullptr;
  if (!list || list->list.size() != 1) return std::nullopt;
  return std::move(list->list.front());
}

result<void> erase(store::writer& from, table t, const std::string& key) {
  auto ok = from.erase(t, key);
  if (!ok) return fail(std::move(ok.error()));
  return {};
}

bool wants_running(command_kind k) {
  return k == command_kind::run || k == command_kind::restart || k == command_kind::replace;
}
// A server that is moved or adopted is afterwards what it was before.
bool is_a_wish(command_kind k) {
  return k != command_kind::move && k != command_kind::drop_source && k != command_kind::adopt;
}

}  // namespace

result<void> guard_state::load(const store::reader& r, std::vector<store::corrupt_record>& damaged) {
  const auto note_damage = [&](const store::corrupt_record& bad) { damaged.push_back(bad); };
  auto text = [&](const char* key) -> result<std::string> {
    auto v = r.get(table::meta, key);
    if (!v) return fail(std::move(v.error()));
    return v->value_or(std::string{});
  };
  auto boot = text(key_boot), last = text(key_last);
  if (!boot) return fail(std::move(boot.error()));
  if (!last) return fail(std::move(last.error()));
  boot_ = std::move(*boot);
  last_seq_ = number_of(*last);
  auto ok = r.scan(
      table::servers, {}, store::direction::forward,
      [&](std::string_view key, std::string_view value) {
        if (auto g = decode(value)) servers_[server_id{std::string(key)}] = std::move(*g);
        return true;
      },
      note_damage);
  if (!ok) return ok;
  return r.scan(
      table::log, {}, store::direction::forward,
      [&](std::string_view key, std::string_view value) {
        last_seq_ = std::max(last_seq_, number_of(key));
        if (auto i = decode_incident(value)) incidents_[i->seq] = std::move(*i);
        return true;
      },
      note_damage);
}

void guard_state::replace(std::vector<known_server> servers) {
  std::set<server_id> named;
  for (auto& s : servers) {
    named.insert(s.id);
    watch(std::move(s));
  }
  std::vector<server_id> gone;
  {
    std::lock_guard guard(memory_);
    for (const auto& [id, g] : servers_)
      if (!named.contains(id)) gone.push_back(id);
  }
  for (const auto& id : gone) forget(id);
}

void guard_state::watch(known_server server) {
  std::lock_guard guard(memory_);
  const auto id = server.id;
  auto [i, fresh] = servers_.try_emplace(id);
  if (!fresh && pack(i->second.known) == pack(server)) return;
  if (!server.wanted_running) i->second.owed_at = never;
  i->second.known = std::move(server);
  due_servers_.insert(id);
}

void guard_state::forget(const server_id& id) {
  std::lock_guard guard(memory_);
  if (servers_.erase(id) > 0) due_servers_.insert(id);
}

void guard_state::change(const server_id& id, const std::function<void(guarded&)>& how) {
  std::lock_guard guard(memory_);
  auto i = servers_.find(id);
  if (i == servers_.end()) return;
  const auto before = encode(i->second);
  how(i->second);
  if (encode(i->second) != before) due_servers_.insert(id);
}

void guard_state::obey(const server_id& id, command_kind command) {
  change(id, [&](guarded& g) {
    g.owed_at = never;
    if (!is_a_wish(command)) return;
    g.known.wanted_running = wants_running(command);
    if (g.known.wanted_running) g.starts.clear();
  });
}

std::optional<guarded> guard_state::find(const server_id& id) const {
  std::lock_guard guard(memory_);
  auto i = servers_.find(id);
  return i == servers_.end() ? std::nullopt : std::optional(i->second);
}

std::vector<known_server> guard_state::servers() const {
  std::lock_guard guard(memory_);
  std::vector<known_server> out;
  for (const auto& [id, g] : servers_) out.push_back(g.known);
  return out;
}

std::string guard_state::boot_id() const {
  std::lock_guard guard(memory_);
  return boot_;
}

void guard_state::set_boot_id(const std::string& id) {
  std::lock_guard guard(memory_);
  if (boot_ == id) return;
  boot_ = id;
  boot_due_ = true;
}

void guard_state::add(incident what) {
  std::lock_guard guard(memory_);
  make_room();
  what.seq = ++last_seq_;
  if (dropped_ > 0) what.detail += " (" + std::to_string(dropped_) + " older incidents of this host were dropped)";
  dropped_ = 0;
  due_incidents_.insert(what.seq);
  incidents_[what.seq] = std::move(what);
}

void guard_state::begin_after(uint64_t seq) {
  std::lock_guard guard(memory_);
  if (last_seq_ == 0) last_seq_ = seq;
}

void guard_state::make_room() {
  if (incidents_.size() < incidents_max) return;
  auto oldest = std::find_if(incidents_.begin(), incidents_.end(),
                             [](const auto& i) { return i.second.kind == incident_kind::exited; });
  if (oldest == incidents_.end()) oldest = incidents_.begin();
  due_incidents_.insert(oldest->first);
  incidents_.erase(oldest);
  ++dropped_;
}

std::vector<incident> guard_state::to_tell(size_t max) const {
  std::lock_guard guard(memory_);
  std::vector<incident> out;
  for (const auto& [seq, i] : incidents_) {
    if (out.size() >= max || due_incidents_.contains(seq)) break;
    out.push_back(i);
  }
  return out;
}

void guard_state::taken(uint64_t upto) {
  std::lock_guard guard(memory_);
  while (!incidents_.empty() && incidents_.begin()->first <= upto) {
    due_incidents_.insert(incidents_.begin()->first);
    incidents_.erase(incidents_.begin());
  }
}

bool guard_state::due() const {
  std::lock_guard guard(memory_);
  return !due_servers_.empty() || !due_incidents_.empty() || boot_due_;
}

guard_state::work guard_state::next_work() const {
  std::lock_guard guard(memory_);
  work w;
  for (const auto& id : due_servers_) {
    if (w.servers.size() >= flush_records_max / 2) break;
    auto i = servers_.find(id);
    w.servers[id] = i == servers_.end() ? std::nullopt : std::optional(encode(i->second));
  }
  for (auto seq : due_incidents_) {
    if (w.incidents.size() >= flush_records_max / 2) break;
    auto i = incidents_.find(seq);
    w.incidents[seq] = i == incidents_.end() ? std::nullopt : std::optional(encode(i->second));
  }
  // After everything else: starts that are owed because the host came up must not be forgotten.
  if (boot_due_ && w.servers.size() == due_servers_.size()) w.boot = boot_;
  w.last_seq = last_seq_;
  return w;
}

result<void> guard_state::write(const work& w, store::writer& to) {
  for (const auto& [id, bytes] : w.servers)
    if (auto ok = bytes ? to.put(table::servers, id.value, *bytes) : erase(to, table::servers, id.value); !ok)
      return ok;
  for (const auto& [seq, bytes] : w.incidents)
    if (auto ok = bytes ? to.put(table::log, key_of(seq), *bytes) : erase(to, table::log, key_of(seq)); !ok) return ok;
  if (!w.incidents.empty())
    if (auto ok = to.put(table::meta, key_last, std::to_string(w.last_seq)); !ok) return ok;
  if (w.boot)
    if (auto ok = to.put(table::meta, key_boot, *w.boot); !ok) return ok;
  return {};
}

// Records that have changed again since they were gathered stay due.
void guard_state::done(const work& w) {
  std::lock_guard guard(memory_);
  for (const auto& [id, bytes] : w.servers) {
    auto i = servers_.find(id);
    if (bytes == (i == servers_.end() ? std::nullopt : std::optional(encode(i->second)))) due_servers_.erase(id);
  }
  for (const auto& [seq, bytes] : w.incidents)
    if (bytes.has_value() == incidents_.contains(seq)) due_incidents_.erase(seq);
  if (w.boot == boot_) boot_due_ = false;
}

result<void> guard_state::flush() {
  std::lock_guard one(flushing_);
  for (auto w = next_work(); !w.empty(); w = next_work()) {
    auto ok = write_(write_kind::essential, [&](store::writer& to) { return write(w, to); });
    if (!ok) return ok;
    done(w);
  }
  return {};
}

}  // namespace zedops::agent
