// What the verbs of projects, services and deployments have in common.
#pragma once
#include <string>

#include "tools/zedctl/session.hpp"

namespace zedops::ctl {

// One operation on a project or service: sent, followed on the terminal, reported; returns the exit status. `name`: as
// the user gave it. Without `tells` only failures are reported: more is to come.
int perform_deploy(session& s, std::string_view verb, const std::string& name, std::string body, bool tells = true);

// Uploads an archive, only the part that the manager does not have yet. Returns the id of the upload. `lasts`: the file
// will still be there when the command is repeated, and tells by itself what was sent of it.
msg::result<std::string> send_upload(session& s, const std::string& file, const std::string& called, bool lasts);

}  // namespace zedops::ctl
