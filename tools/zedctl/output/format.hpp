// Records in the words and colours of a terminal. Pure functions.
#pragma once
#include <string>
#include <string_view>

#include "messages/api/views.hpp"

namespace zedops::ctl {

// What the terminal can show and how times are written.
struct look {
  bool colour = false;
  bool glyphs = false;    // a sign before each state, on a terminal with UTF-8
  bool iso_time = false;  // RFC 3339 instead of "3d4h"
  msg::time_point now{};
};

enum class style : uint8_t { plain, good, busy, warn, bad, faint, strong };
std::string painted(std::string_view text, style s, bool colour);

struct phrase {
  std::string text;
  style how = style::plain;
};

// "▲ missing (data)", "● running (agent unreachable)", "◐ creating: pulling 40%"
phrase status_phrase(const msg::server_view& s, const look& l);
phrase agent_phrase(const msg::agent_view& a, const look& l);
phrase operation_phrase(const msg::operation_view& op, const look& l);

// "restarting: 7 times in 3m", "unhealthy", "pending rebuild"; nothing that the rest of the row already says.
std::vector<std::string> condition_words(const msg::server_view& s, const look& l);

// "present 4.2 GiB", "empty", "absent", "unknown"
std::string data_text(const msg::server_view& s);
std::string data_text(const msg::server_view& s, const look& l);  // and for how long it could not be checked
// "16261-16262/udp 27015/tcp"
std::string ports_text(const msg::server_view& s);
std::string image_text(const msg::server_view& s);

// The time since `t`: "3d4h", or RFC 3339; "-" when it never happened.
std::string age_text(msg::optional_time t, const look& l);
// "2m10s ago"
std::string ago_text(msg::optional_time t, const look& l);
// For a time in the future, in local time: "Thu 14:02" within a week, else "2024-05-01 14:02".
std::string until_text(msg::time_point t, const look& l);

// "1 server", "2 servers"
std::string counted(uint64_t n, std::string_view noun);
// "a, b and c"
std::string joined(const std::vector<std::string>& words, std::string_view last = "and");

// Columns that UTF-8 text takes on a terminal: two for CJK and most emoji, none for accents that combine.
size_t columns_of(std::string_view text);
// Cut to at most `columns`, with "…" at the end when something was lost.
std::string cut(std::string_view text, size_t columns);

}  // namespace zedops::ctl
