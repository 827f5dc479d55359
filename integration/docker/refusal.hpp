// What a refusal of the Engine means. The API has few statuses and much text: both are read in this one place.
#pragma once
#include <string>
#include <string_view>

#include "messages/error.hpp"

namespace zedops::docker {

// `what` we tried ("cannot start container x"), the HTTP status and the Engine's text → cause and remedy.
msg::error refusal(std::string_view what, int status, std::string_view text);

// The same for a pull, where every failure is `pull_failed`; status 200 is an error inside the stream.
msg::error pull_refusal(std::string_view reference, int status, std::string_view text);

// The id in `… is already in use by container "<id>" …`; empty when the text is another.
std::string name_holder(std::string_view text);

}  // namespace zedops::docker
