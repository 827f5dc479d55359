#include "messages/records/incident_text.hpp"

namespace zedops::msg {
namespace {

std::string deed(const incident& x) {
  switch (x.kind) {
    case incident_kind::exited: return "its container ended with exit code " + std::to_string(x.exit_code);
    case incident_kind::restarted: return "started again by its agent";
    case incident_kind::restart_failed: return "its agent could not start it again";
    case incident_kind::gave_up: return "given up by its agent after " + std::to_string(x.crashes) + " crashes";
    case incident_kind::boot_started: return "started by its agent after the host came up";
    case incident_kind::boot_failed: return "its agent could not start it after the host came up";
  }
  return "its agent acted";
}

}  // namespace

std::string incident_text(const incident& x) {
  auto out = deed(x);
  if (x.next_in > duration{1}) out += ", next start in " + format_duration(x.next_in);
  else if (x.next_in > duration{}) out += ", next start at once";
  if (!x.detail.empty()) out += ": " + x.detail;
  return out;
}

}  // namespace zedops::msg
