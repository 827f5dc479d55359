// Which paths of the host a container may mount besides its own folders.
#pragma once
#include <string>
#include <vector>

#include "messages/base/error.hpp"

namespace zedops::host {

// `path` has to exist and, with all links followed, be at or below one of `allowed`. Errors: forbidden, not_found;
// both name the remedy.
msg::result<void> check_bind(const std::string& path, const std::vector<std::string>& allowed);

}  // namespace zedops::host
