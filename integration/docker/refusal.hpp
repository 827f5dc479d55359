// What a refusal of the Engine means, and what its silence means. The API has few statuses and much text: both are
// interpreted in this one place.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "messages/base/error.hpp"

namespace zedops::docker {

// `what` we tried ("cannot start container x"), the HTTP status and the Engine's text → cause and remedy.
msg::error refusal(std::string_view what, int status, std::string_view text);

// The same for a pull, where every failure is `pull_failed`; status 200 is an error inside the stream.
msg::error pull_refusal(std::string_view reference, int status, std::string_view text);

// The HTTP status named in such an error; zero: the Engine gave no answer, or did not refuse.
uint16_t http_status_of(const msg::error& e);

// There is no Engine, or it hung up before anything was asked of it: nothing has happened.
msg::error no_engine(std::string_view where, std::string_view reason);
// It hung up with our request in hand: the request may have been carried out.
msg::error engine_hung_up(std::string_view where, std::string_view request, std::string_view reason);

// The id in `… is already in use by container "<id>" …`; empty when the text is another.
std::string name_holder(std::string_view text);

}  // namespace zedops::docker
