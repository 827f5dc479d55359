// A moment of the past, as users write it.
#pragma once
#include <string>

#include "tools/zedctl/session.hpp"

namespace zedops::ctl {

// "10m" (so long ago), RFC 3339, or an event's cursor, of which the manager tells the time.
msg::result<msg::time_point> moment_of(session& s, const std::string& text);

}  // namespace zedops::ctl
