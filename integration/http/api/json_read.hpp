// JSON of strangers.
#pragma once
#include <nlohmann/json.hpp>

#include "messages/base/error.hpp"

namespace zedops::web {

// A JSON object that is not too deep and has no field twice: that would be one that somebody has looked at, and one
// that counts. Errors: bad_request.
msg::result<nlohmann::ordered_json> read_object(const std::string& text);

}  // namespace zedops::web
