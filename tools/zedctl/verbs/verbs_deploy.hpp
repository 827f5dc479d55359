// What the verbs of projects, services and deployments have in common.
#pragma once
#include <string>

#include "tools/zedctl/session.hpp"

namespace zedops::ctl {

// One operation on a project or service: sent, followed on the terminal, told; the exit status. `name`: what the user
// calls it. Without `tells` only what went wrong is told: there is more to come.
int perform_deploy(session& s, std::string_view verb, const std::string& name, std::string body, bool tells = true);

// Packs a folder, or takes an archive that is there, and sends what the manager has not got. Returns its id.
msg::result<std::string> send_upload(session& s, const std::string& file, const std::string& called);

}  // namespace zedops::ctl
