// What happened, as sentences: for history, describe, explain and event watch.
#pragma once
#include <string>

#include "messages/api/views.hpp"
#include "messages/records/facts.hpp"

namespace zedops::ctl {

// "running → missing (container vanished)", "operation rebuild accepted". One line.
std::string sentence(const msg::fact& f);
// "request o1abc", "container event die". One line.
std::string because(const msg::cause& why);
// Where the event belongs, "server s1…", shortened to its kind and id.
std::string subject_text(const msg::event& e);

}  // namespace zedops::ctl
