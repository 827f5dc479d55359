// What the agent needs to manage its servers while the manager is away: each with its rules, its desired state and
// what was done about its last exit; and the incidents that the manager has not taken yet. Part of the agent's state.
//
// Changes are made in memory and written to the disk by flush(), on a worker. What the disk has refused stays due.
// Thread-safe; only flush() waits.
#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "messages/wire/link.hpp"
#include "persistence/store.hpp"

namespace zedops::agent {

inline constexpr size_t incidents_max = 10'000;   // kept for the manager; beyond, the oldest exits are dropped
inline constexpr size_t flush_records_max = 500;  // in one transaction

struct guarded {
  msg::known_server known;
  std::vector<msg::time_point> starts{};  // after crashes, within the window
  std::string container_id{};             // whose exit was the last one that was dealt with
  msg::time_point exit_at{};              // and when that was: each exit is dealt with once
  msg::time_point owed_at{};              // when it is to be started again; never: it is not
};

class guard_state {
 public:
  using changes = store::function_ref<msg::result<void>(store::writer&)>;
  using transaction = std::function<msg::result<void>(store::write_kind, changes)>;
  explicit guard_state(transaction write) : write_(std::move(write)) {}
  // Damaged entries are skipped and listed in `damaged`: the manager sends the servers again.
  msg::result<void> load(const store::reader& r, std::vector<store::corrupt_record>& damaged);

  // ---- servers ----
  void replace(std::vector<msg::known_server> servers);  // all of them; what was done about their exits is kept
  void watch(msg::known_server server);
  void forget(const msg::server_id& id);
  void change(const msg::server_id& id, const std::function<void(guarded&)>& how);  // nothing for an unknown one
  // Notes the desired state that a command implies; an explicit start also forgets the crashes before it.
  void obey(const msg::server_id& id, msg::command_kind command);
  std::optional<guarded> find(const msg::server_id& id) const;
  std::vector<msg::known_server> servers() const;

  // ---- the host's run ----
  std::string boot_id() const;  // the one before, until set; empty: there was none
  void set_boot_id(const std::string& id);

  // ---- incidents ----
  void add(msg::incident what);  // gives it its number
  // Where numbers begin if none was ever given here. A state that was lost may have given some: numbers that begin at
  // the time in milliseconds repeat none of those, and the manager takes no incident for one that it knows already.
  void begin_after(uint64_t seq);
  // The oldest ones that are on the disk: none is reported that a crash could make us forget, or number again.
  std::vector<msg::incident> to_tell(size_t max) const;
  void taken(uint64_t upto);

  bool due() const;
  msg::result<void> flush();

 private:
  struct work {
    std::map<msg::server_id, std::optional<std::string>> servers;  // nothing: erase
    std::map<uint64_t, std::optional<std::string>> incidents;
    std::optional<std::string> boot;
    uint64_t last_seq = 0;
    bool empty() const { return servers.empty() && incidents.empty() && !boot; }
  };
  work next_work() const;
  static msg::result<void> write(const work& w, store::writer& to);
  void done(const work& w);
  void make_room();

  transaction write_;
  mutable std::mutex memory_;  // held for moments only
  std::mutex flushing_;
  std::map<msg::server_id, guarded> servers_;
  std::map<uint64_t, msg::incident> incidents_;
  std::set<msg::server_id> due_servers_;
  std::set<uint64_t> due_incidents_;
  uint64_t last_seq_ = 0;
  uint64_t dropped_ = 0;  // since the last incident that says so
  std::string boot_;
  bool boot_due_ = false;
};

}  // namespace zedops::agent
