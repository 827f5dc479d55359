// Questions before something is lost.
#pragma once
#include <string>

#include "tools/zedctl/session.hpp"

namespace zedops::ctl {

// Each returns nothing when the user agreed (or --yes was given), else the error to report: refused, or stdin is no
// terminal and --yes is missing (both bad_request, exit status 2). A dry run is never asked about.
msg::result<void> confirm(session& s, const std::string& consequence);
// The user must type `word`.
msg::result<void> confirm_by_typing(session& s, const std::string& consequence, const std::string& word);

}  // namespace zedops::ctl
