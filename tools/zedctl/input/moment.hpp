// A moment of the past, as users write it.
#pragma once
#include <string>

#include "tools/zedctl/session.hpp"

namespace zedops::ctl {

// "10m" (this long ago), RFC 3339, or an event's cursor, whose time the manager is asked for.
msg::result<msg::time_point> moment_of(session& s, const std::string& text);

}  // namespace zedops::ctl
