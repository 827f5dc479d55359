// What the agent must not forget: its id, its manager, the highest term it obeyed, the data roots it ever used, and
// the journal of commands. Kept in the store, read into memory once. Thread-safe; writers wait for the disk, readers
// never do.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "actors/agent/guardian/guard_state.hpp"
#include "messages/wire/link.hpp"
#include "persistence/store.hpp"

namespace zedops::agent {

inline constexpr size_t journal_max = 256;        // commands remembered; the oldest that do not run are forgotten
inline constexpr size_t journal_note_max = 1024;  // bytes that a command may note for its own repetition

// The note of a move or an adoption whose copy is what counts: from there on nothing is put back.
inline constexpr const char* note_switched = "switched";

struct journal_entry {
  uint64_t order = 0;  // counts commands in the order they began
  uint32_t attempt = 0;
  std::string note;                           // what an execution must remember if it is repeated after a crash
  std::optional<msg::command_result> result;  // empty: begun, and either running or cut short
  // Of a move or an adoption: what it takes to put its work back, until it has succeeded or its copy is gone.
  std::optional<msg::run_command> command{};
  bool cut_short = false;  // by the end of the process that began it; not stored
};

class agent_state {
 public:
  // Reads everything; makes the agent's id from 128 random bits at first use. Damaged journal entries are dropped (the
  // command is executed again, which every step permits); a damaged identity is an error.
  static msg::result<std::unique_ptr<agent_state>> open(store::store& store, uint64_t random_high, uint64_t random_low);

  msg::agent_id id() const;
  // Another identity than the one made at first use. Only at the start, before the id was sent to anybody.
  msg::result<void> become(const msg::agent_id& id);
  std::set<std::string> used_roots() const;
  std::string manager_id() const;
  uint64_t term() const;

  // wrong_state: this agent belongs to another manager.
  msg::result<void> belong_to(const std::string& manager_id);
  std::string engine() const;  // identity of the Engine that this agent has worked with; empty: none yet
  msg::result<void> remember_engine(const std::string& identity);
  // not_leader: a higher term was seen. Durable when it returns.
  msg::result<void> obey(uint64_t term);

  bool used_root(const std::string& path) const;
  msg::result<void> remember_root(const std::string& path);

  std::optional<journal_entry> find(const msg::operation_id& op) const;
  // Durable before the first effect of the command.
  msg::result<void> begin(const msg::run_command& command);
  msg::result<void> note(const msg::operation_id& op, const std::string& text);
  // Kept in memory even if the disk refuses it: then a repetition after a crash executes again.
  msg::result<void> finish(const msg::command_result& result);

  // Moves and adoptions that were at work when an earlier process ended and were not given again since; none of a
  // server for which another command has ended later.
  std::vector<journal_entry> cut_short() const;
  // Of a server's name: those that do not run and may have left a copy that nobody wants.
  std::vector<msg::run_command> left_copies(const std::string& name) const;
  // Its copy is gone, or kept on purpose. Durable with its result.
  void forget_copy(const msg::operation_id& op);

  // Records that could not be read at the start and were skipped, each with its place.
  const std::vector<store::corrupt_record>& damaged() const { return damaged_; }

  // What it needs to manage its servers while the manager is away.
  guard_state& guards() { return guards_; }

 private:
  explicit agent_state(store::store& s)
      : store_(s), guards_([this](store::write_kind kind, guard_state::changes what) { return write(kind, what); }) {}
  msg::result<void> load();
  msg::result<void> load_journal(const store::reader& r);
  msg::result<void> write(store::write_kind kind, guard_state::changes what);
  msg::result<void> put(store::table t, const std::string& key, const std::string& value, store::write_kind kind);
  void trim();

  store::store& store_;
  mutable std::mutex memory_;  // held for moments only
  std::mutex disk_;            // one writer at a time
  msg::agent_id id_;
  std::string manager_;
  std::string engine_;
  uint64_t term_ = 0, order_ = 0;
  std::set<std::string> roots_;
  std::map<msg::operation_id, journal_entry> journal_;
  std::vector<store::corrupt_record> damaged_;
  guard_state guards_;
};

}  // namespace zedops::agent
