// A decision in words, for a dry run.
#include "actors/core/decide_move.hpp"
#include "actors/core/overload.hpp"
#include "actors/core/server_machine.hpp"

namespace zedops::core {

using namespace msg;

std::vector<std::string> plan_text(const server& s, const decision& d) {
  std::vector<std::string> out;
  for (const auto& f : d.facts) {
    std::visit(
        overload{
            [&](const status_changed& x) {
              out.push_back("status: " + std::string(name_of(x.from)) + " -> " + std::string(name_of(x.to)));
            },
            [&](const desired_changed& x) { out.push_back("desired: " + std::string(name_of(x.to))); },
            [&](const server_created& x) { out.push_back("record " + x.record->name + " with its ports reserved"); },
            [&](const server_deleted& x) { out.push_back("restorable until " + to_rfc3339(x.purge_at)); },
            [&](const server_edited&) { out.push_back("record changed; rebuild or recreate applies it"); },
            [&](const operation_accepted& x) {
              if (x.op->kind == op_kind::move) detail::describe_move(out, s, *x.op);
            },
            [](const auto&) {},
        },
        f);
  }
  for (const auto& e : d.effects)
    if (const auto* c = std::get_if<send_command>(&e)) {
      std::string line = "agent: " + std::string(name_of(c->kind));
      if (!c->container_id.empty()) line += " container " + c->container_id.substr(0, 12);
      if (c->remove_data) line += ", then remove all data of " + s.name + " except a folder backups in it";
      if (c->demand == data_demand::any && s.data != data_state::present) line += ", beginning with empty directories";
      out.push_back(line);
    }
  return out;
}

}  // namespace zedops::core
