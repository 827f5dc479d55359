// THE list of kinds of entities that a manager keeps: where their records are stored, and what makes their actors.
#pragma once
#include <string_view>
#include <vector>

#include "actors/runtime/interfaces.hpp"
#include "persistence/store.hpp"

namespace zedops::manager {

struct shared;

struct kind_row {
  const rt::kind* of;
  store::table where;
  // Spawns the actor of one entity, with the catalog's record of it or blank. Null: its kind has no actors.
  rt::entity_actor (*spawn)(caf::actor_system& sys, shared& world, rt::journal_actor journal, rt::hosts_actor hosts,
                            const std::string& id) = nullptr;
};

class kind_list {
 public:
  kind_list();                                            // servers, agents, projects, services
  explicit kind_list(const std::vector<kind_row>& more);  // and these

  auto begin() const { return rows_.begin(); }
  auto end() const { return rows_.end(); }
  // Null: no kind has such ids.
  const kind_row* of_id(std::string_view id) const;
  store::table table_of(const rt::kind& k) const;

 private:
  std::vector<kind_row> rows_;
};

}  // namespace zedops::manager
