#include "actors/manager/records/kinds.hpp"

#include <stdexcept>

#include "actors/core/agent/agent_machine.hpp"
#include "actors/core/deploy/project_machine.hpp"
#include "actors/core/deploy/service_machine.hpp"
#include "actors/manager/deploy/shells.hpp"
#include "actors/manager/servers/server_shell.hpp"

namespace zedops::manager {

kind_list::kind_list()
    : rows_{{&rt::kind_of<msg::server>, store::table::servers, spawn_server},
            {&rt::kind_of<msg::agent>, store::table::agents},
            {&rt::kind_of<msg::project>, store::table::projects, spawn_project},
            {&rt::kind_of<msg::service>, store::table::services, spawn_service}} {}

kind_list::kind_list(const std::vector<kind_row>& more) : kind_list() {
  rows_.insert(rows_.end(), more.begin(), more.end());
}

const kind_row* kind_list::of_id(std::string_view id) const {
  for (const auto& row : rows_)
    if (!id.empty() && row.of->letter == id.front()) return &row;
  return nullptr;
}

store::table kind_list::table_of(const rt::kind& k) const {
  for (const auto& row : rows_)
    if (row.of == &k) return row.where;
  throw std::logic_error("a kind that is not in the list");
}

}  // namespace zedops::manager
