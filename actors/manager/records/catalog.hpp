// The read model: the newest committed record of everything, in memory, behind one lock. The journal alone writes it,
// right after each commit; any thread reads it, so lists and lookups never wake an actor.
#pragma once
#include <functional>
#include <map>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "actors/manager/records/claim_index.hpp"
#include "actors/runtime/interfaces.hpp"
#include "messages/error.hpp"

namespace zedops::manager {

using rt::agent_ptr;
using rt::server_ptr;

enum class retention : uint8_t { due, waits };  // what becomes of deleted servers whose time is over

class catalog {
 public:
  // ---- writing: the journal, and recovery before any actor runs ----
  void put(server_ptr s);
  // Of these, those that are purged: nothing speaks of them any more.
  void drop_purged(const std::vector<msg::server_id>& ids);
  void put(const std::vector<server_ptr>& many);  // behind one lock
  void put(agent_ptr a);
  // A server whose stored record is damaged: shown as failed, with the evidence, until it is repaired.
  void put_damaged(const std::string& id, const std::string& reason);

  // ---- reading ----
  server_ptr server(const msg::server_id& id) const;  // also a purged one; null: never heard of
  agent_ptr agent(const msg::agent_id& id) const;
  agent_ptr agent_named(const std::string& name) const;
  agent_ptr agent_ever(const msg::agent_id& id) const;  // also a removed one: its numbers go on if it comes again
  // By name, agent/name, id or unique id prefix. Errors: not_found, bad_request (ambiguous).
  msg::result<server_ptr> resolve(std::string_view text) const;
  msg::result<agent_ptr> resolve_agent(std::string_view text) const;
  bool agent_online(const msg::agent_id& id) const;
  server_ptr claim_owner(const std::string& claim) const;
  server_ptr operation_owner(const msg::operation_id& op) const;  // of an open operation
  server_ptr adopter_of(const std::string& container) const;      // whose open operation takes that container over

  std::vector<server_ptr> servers_of(const msg::agent_id& id) const;  // not purged
  std::vector<agent_ptr> agents() const;
  // Up to `limit` servers with ids after `after` for which `wanted` says yes, in the order of their ids.
  std::vector<server_ptr> page(const std::string& after, size_t limit,
                               const std::function<bool(const msg::server&)>& wanted) const;
  std::vector<msg::server_id> all_ids() const;
  std::vector<server_ptr> open_operations() const;
  // Servers whose next deadline has passed, at most `limit`.
  std::vector<msg::server_id> due(msg::time_point now, size_t limit, retention ended = retention::due) const;
  struct counts {
    std::map<msg::server_status, uint64_t> by_status;
    uint64_t servers = 0;
    uint64_t open_operations = 0;
  };
  counts count() const;
  // What is known of a session and not worth a commit: when its agent was last heard and last synced.
  struct liveliness {
    msg::time_point last_seen{};
    msg::time_point last_sync{};
  };
  void touch(const msg::agent_id& id, const liveliness& l);
  liveliness touched(const msg::agent_id& id) const;

  struct agent_counts {
    uint64_t servers = 0;
    uint64_t running = 0;
  };
  agent_counts count(const msg::agent_id& id) const;

 private:
  using table = std::map<msg::server_id, server_ptr>;
  using row = table::value_type;  // rows are never erased: indexes point at them instead of repeating ids
  void put_locked(server_ptr s);
  void index(const row& r);
  void unindex(const row& r);
  const row* holder_of(const std::string& claim) const;

  mutable std::shared_mutex mutex_;
  table servers_;
  std::map<msg::agent_id, agent_ptr> agents_;
  std::map<msg::agent_id, agent_ptr> former_;
  std::unordered_map<std::string, msg::agent_id> agent_names_;  // of those in agents_
  std::map<msg::agent_id, liveliness> touched_;
  std::map<msg::agent_id, std::vector<const row*>> by_agent_;  // in the order of ids
  claim_index<row> claims_;
  struct by_name {  // then by id; a server keeps its name through all its records
    using is_transparent = void;
    bool operator()(const row* a, const row* b) const {
      return std::tie(a->second->name, a->first) < std::tie(b->second->name, b->first);
    }
    bool operator()(const row* a, std::string_view name) const { return a->second->name < name; }
    bool operator()(std::string_view name, const row* b) const { return name < b->second->name; }
  };
  std::set<const row*, by_name> names_;  // of those that are not purged, whatever their agent
  std::unordered_map<std::string, msg::server_id> operations_;
  using dues = std::set<std::pair<msg::time_point, msg::server_id>>;
  dues& dues_of(const msg::server& s);
  dues due_;
  std::map<msg::agent_id, dues> due_with_agent_;  // deleted servers at the end of their retention
  std::array<uint64_t, msg::enum_names<msg::server_status>::list.size()> by_status_{};
};

}  // namespace zedops::manager
