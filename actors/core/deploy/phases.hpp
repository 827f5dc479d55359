// THE list of phases: their order, and how far a deployment is when one begins.
#pragma once
#include <array>

#include "messages/records/deploy.hpp"

namespace zedops::core {

struct phase_row {
  msg::deploy_phase phase;
  uint32_t begins_at;         // progress of the whole deployment, in percent
  msg::deploy_status status;  // meanwhile
};

inline constexpr std::array phase_table = {
    phase_row{msg::deploy_phase::queued, 0, msg::deploy_status::queued},
    phase_row{msg::deploy_phase::pulling_source, 0, msg::deploy_status::building},
    phase_row{msg::deploy_phase::building, 25, msg::deploy_status::building},
    phase_row{msg::deploy_phase::copying_files, 50, msg::deploy_status::deploying},
    phase_row{msg::deploy_phase::creating_symlinks, 75, msg::deploy_status::deploying},
    phase_row{msg::deploy_phase::updating_routes, 90, msg::deploy_status::deploying},
    phase_row{msg::deploy_phase::health_check, 95, msg::deploy_status::deploying},
    phase_row{msg::deploy_phase::active, 100, msg::deploy_status::success},
};

constexpr const phase_row& row_of(msg::deploy_phase p) {
  for (const auto& row : phase_table)
    if (row.phase == p) return row;
  return phase_table.front();
}
// `active` follows itself.
constexpr msg::deploy_phase next_phase(msg::deploy_phase p) {
  for (size_t i = 0; i + 1 < phase_table.size(); ++i)
    if (phase_table[i].phase == p) return phase_table[i + 1].phase;
  return msg::deploy_phase::active;
}
// Of the whole deployment, when its phase is that far.
constexpr uint32_t overall_progress(msg::deploy_phase p, uint32_t percent) {
  const auto from = row_of(p).begins_at, to = row_of(next_phase(p)).begins_at;
  return from + (to - from) * (percent > 100 ? 100 : percent) / 100;
}
// From here on something is changed that visitors see.
constexpr bool switches(msg::deploy_phase p) {
  return p == msg::deploy_phase::creating_symlinks || p == msg::deploy_phase::updating_routes ||
         p == msg::deploy_phase::health_check;
}
// Nothing for an agent to do.
inline bool passes_at_once(msg::deploy_phase p, msg::service_kind kind, const msg::deployment& d) {
  if (kind == msg::service_kind::static_site)
    return p == msg::deploy_phase::building && (!d.settings || d.settings->build.empty());
  return p == msg::deploy_phase::copying_files || p == msg::deploy_phase::creating_symlinks ||
         (p == msg::deploy_phase::building && d.source.kind == msg::source_kind::image);
}

}  // namespace zedops::core
