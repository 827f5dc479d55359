// The read model: the newest committed record of everything, in memory, behind one lock. The journal alone writes it,
// right after each commit; any thread reads it, so lists and lookups never wake an actor.
#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "actors/core/deploy/project_machine.hpp"
#include "actors/manager/records/server_records.hpp"
#include "actors/manager/records/service_records.hpp"
#include "actors/runtime/interfaces.hpp"
#include "messages/base/error.hpp"

namespace zedops::manager {

using rt::agent_ptr;
using rt::project_ptr;
using rt::server_ptr;
using rt::service_ptr;

enum class retention : uint8_t { due, waits };  // what happens to deleted servers whose retention is over

class catalog {
 public:
  // `more`: kinds beside those that every manager has.
  catalog() : catalog(std::vector<std::unique_ptr<any_records>>{}) {}
  explicit catalog(std::vector<std::unique_ptr<any_records>> more);

  // ---- writing: the journal, and recovery before any actor runs ----
  void put(const std::vector<rt::any_record>& many);  // behind one lock
  void put(const rt::any_record& r);
  // Drops those of these ids that are gone: nothing refers to them any more.
  void drop_gone(const std::vector<std::string>& ids);
  // A server whose stored record is damaged: shown as failed, with the evidence, until it is repaired.
  void put_damaged(const std::string& id, const std::string& reason);
  // A service or a project whose stored record is damaged. What hosts have of it is not known any more.
  void lose_service() { services_lost_ = true; }

  // ---- reading: any kind ----
  rt::any_record find(const std::string& id) const;  // also one that is gone; empty: unknown
  template <core::entity_record R>
  std::shared_ptr<const R> find(const std::string& id) const {
    return find(id).as<R>();
  }
  rt::any_record claim_owner(const std::string& claim) const;
  rt::any_record operation_owner(const msg::operation_id& op) const;  // of an open operation
  std::optional<msg::operation> open_operation(const msg::operation_id& op) const;
  std::vector<rt::any_record> open_operations() const;
  // Ids of entities whose next deadline has passed, at most `limit`.
  std::vector<std::string> due(msg::time_point now, size_t limit, retention ended = retention::due) const;

  // ---- reading: servers and agents ----
  server_ptr server(const msg::server_id& id) const;  // also a purged one; null: unknown
  agent_ptr agent(const msg::agent_id& id) const;
  agent_ptr agent_named(const std::string& name) const;
  agent_ptr agent_ever(const msg::agent_id& id) const;  // also a removed one: its numbers continue if it comes back
  // By name, agent/name, id or unique id prefix. Errors: not_found, bad_request (ambiguous).
  msg::result<server_ptr> resolve(std::string_view text) const;
  msg::result<server_ptr> resolve_unpurged(std::string_view text) const;  // else not_found
  msg::result<agent_ptr> resolve_agent(std::string_view text) const;
  bool agent_online(const msg::agent_id& id) const;
  server_ptr adopter_of(const std::string& container) const;  // whose open operation takes that container over

  std::vector<server_ptr> servers_of(const msg::agent_id& id) const;  // not purged
  std::vector<agent_ptr> agents() const;
  // Up to `limit` servers with ids after `after` for which `wanted` says yes, in the order of their ids.
  std::vector<server_ptr> page(const std::string& after, size_t limit,
                               const std::function<bool(const msg::server&)>& wanted) const;
  std::vector<msg::server_id> all_ids() const;
  struct counts {
    std::map<msg::server_status, uint64_t> by_status;
    uint64_t servers = 0;
    uint64_t open_operations = 0;
  };
  counts count() const;
  // What is known of a session and does not justify a commit: when its agent was last heard and last synced.
  struct liveliness {
    msg::time_point last_seen{};
    msg::time_point last_sync{};
    msg::duration sync_took{};  // of the last successful one
    uint64_t unclaimed = 0;     // containers of ours that no server claims, seen by it
    uint64_t diverged = 0;      // servers that it found in another state than shown
    std::string next_key;       // of the manager, as the agent has kept it
  };
  // Changes whenever what is shown of servers may have changed.
  uint64_t revision() const { return revision_.load(); }
  void touch(const msg::agent_id& id, const liveliness& l);
  liveliness touched(const msg::agent_id& id) const;

  // ---- reading: projects and services, none of them removed ----
  std::vector<project_ptr> projects() const;
  std::vector<service_ptr> services() const;
  std::vector<service_ptr> services_of(const msg::project_id& id) const;
  std::vector<service_ptr> services_of(const msg::agent_id& id) const;
  service_ptr service(const msg::service_id& id) const;  // null: unknown, or removed
  // False: records are damaged, and a container without a service here may belong to one of them.
  bool knows_all_services() const { return !services_lost_; }
  // By name or id; PROJECT/SERVICE or id. Errors: not_found, bad_request.
  msg::result<project_ptr> resolve_project(std::string_view text) const;
  msg::result<service_ptr> resolve_service(std::string_view text) const;

  struct agent_counts {
    uint64_t servers = 0;
    uint64_t running = 0;
  };
  agent_counts count(const msg::agent_id& id) const;

 private:
  any_records* kind_at(const std::string& id);
  const any_records* kind_at(const std::string& id) const;
  agent_ptr live_agent(const msg::agent_id& id) const;

  mutable std::shared_mutex mutex_;
  server_records servers_;
  agent_records agents_;
  records_of<msg::project> projects_;
  service_records services_;
  std::vector<std::unique_ptr<any_records>> more_;
  std::vector<any_records*> kinds_;  // all of them
  std::map<msg::agent_id, liveliness> touched_;
  std::atomic<uint64_t> revision_{1};
  std::atomic<bool> services_lost_{false};
};

}  // namespace zedops::manager
