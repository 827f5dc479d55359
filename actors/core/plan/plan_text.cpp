// A decision in words, for a dry run.
#include "actors/core/overload.hpp"
#include "actors/core/plan/spec_rules.hpp"
#include "actors/core/server/decide_move.hpp"
#include "actors/core/server/server_machine.hpp"

namespace zedops::core {

using namespace msg;

namespace {

// Values of variables may be secrets: their names say enough.
void describe_edit(std::vector<std::string>& out, const server& s, const server_edited& x) {
  const auto change = [&](std::string_view what, std::string_view from, std::string_view to) {
    if (from != to) out.push_back(std::string(what) + ": " + std::string(from) + " -> " + std::string(to));
  };
  change("image", s.image, x.image);
  change("image_tag", s.image_tag, x.image_tag);
  for (const auto& [key, value] : x.env) {
    auto i = s.env.find(key);
    if (i == s.env.end()) out.push_back("config: " + key + " is set");
    else if (i->second != value) out.push_back("config: " + key + " gets another value");
  }
  for (const auto& [key, value] : s.env)
    if (!x.env.contains(key)) out.push_back("config: " + key + " is removed");
  change("recovery", name_of(s.recovery), name_of(x.recovery));
  change("crash_policy", name_of(s.crash), name_of(x.crash));
  change("priority", std::to_string(s.priority), std::to_string(x.priority));
  const server_spec none;
  for (auto& line : spec_changes(s.spec ? *s.spec : none, x.spec ? *x.spec : none)) out.push_back("spec." + line);
  if (x.pending_rebuild && !s.pending_rebuild) out.push_back("rebuild or recreate applies it to the container");
}

}  // namespace

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
            [&](const server_edited& x) { describe_edit(out, s, x); },
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
