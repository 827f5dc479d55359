// A browser's look at an HTTP server of this host: is it there, and what does it say? Blocking.
#pragma once
#include <cstdint>
#include <string>

#include "messages/base/error.hpp"
#include "messages/base/time.hpp"

namespace zedops::host {

// The status of GET path at 127.0.0.1:port; redirects are not followed. Errors: engine_error (nobody answers, or not in
// HTTP), timeout.
msg::result<unsigned> http_look(uint16_t port, const std::string& path, msg::duration timeout);

}  // namespace zedops::host
