// What an agent did on its own authority, in one line for people: history, explain and events use the same text.
#pragma once
#include <string>

#include "messages/records/server.hpp"

namespace zedops::msg {

// "started again by its agent, next start in 4s: exit code 1"
std::string incident_text(const incident& x);

}  // namespace zedops::msg
