// What log entries write, worked out before anything is written: records as they are after the earlier entries of the
// same transaction, and whether all of it fits into one.
#pragma once
#include <string>
#include <unordered_map>
#include <vector>

#include "actors/manager/audit/audit_chain.hpp"
#include "actors/manager/records/catalog.hpp"
#include "actors/manager/records/kinds.hpp"
#include "actors/runtime/interfaces.hpp"
#include "persistence/store.hpp"

namespace zedops::manager {

struct record_write {
  enum class kind : uint8_t { put, append, erase };
  store::table where = store::table::meta;
  std::string key;
  std::string value;
  kind how = kind::put;
};

struct staged_entry {
  rt::any_record record;  // after the entry; empty: it concerns none, or its creation was refused
  std::vector<record_write> writes;
};

// Key of the record of data that a purged server left.
std::string orphan_key(const msg::agent_id& agent, const std::string& server_name);
// Where the data of a purged server of this name was left; empty: nowhere that is known. Errors of the store.
msg::result<std::string> orphan_path(const store::store& s, const msg::agent_id& agent, const std::string& server_name);

class entry_stage {
 public:
  // Half of what a transaction may hold: the size of what comes next is known only when it is staged.
  static constexpr size_t bytes_max = store::batch_limits{}.bytes_max / 2;
  static constexpr size_t writes_max = store::batch_limits{}.writes_max / 2;

  entry_stage(const catalog& records, const kind_list& kinds, audit_head audit)
      : records_(records), kinds_(kinds), audit_(std::move(audit)) {}

  // `e` has its number; its link to the entry before is filled in. One without facts writes its audit record alone.
  // Errors: too_large (it can never be written), name or port taken by another server, internal (two actors decided for
  // one server). Those leave nothing behind.
  msg::result<staged_entry> add(const rt::commit& c, msg::log_entry& e);
  // False once what was added since the beginning, the last one included, is too much for one transaction.
  const audit_head& audit() const { return audit_; }  // after the entries added so far
  bool fits() const { return bytes_ <= bytes_max && writes_ <= writes_max; }

 private:
  msg::result<void> add_record(const rt::commit& c, const rt::any_record& before, msg::log_entry& e, staged_entry& out);
  msg::result<void> claim(const rt::any_record& now, const rt::any_record& before);
  rt::any_record staged(const rt::commit& c) const;
  bool released(const rt::any_record& owner) const;

  const catalog& records_;
  const kind_list& kinds_;
  audit_head audit_;
  std::unordered_map<std::string, rt::any_record> entities_;
  std::unordered_map<std::string, rt::any_record> claims_;
  size_t bytes_ = 0;
  size_t writes_ = 0;
};

}  // namespace zedops::manager
