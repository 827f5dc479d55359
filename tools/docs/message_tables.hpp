// The part of docs/protocol.md that follows from the code: verbs, bodies, events, errors. Markdown.
#pragma once
#include <string>
#include <string_view>

namespace zedops::docs {

// Between these two lines the page is made by message_tables().
inline constexpr std::string_view tables_begin = "<!-- made from messages/: tests/golden/docs compares it -->\n";
inline constexpr std::string_view tables_end = "<!-- end of what is made -->\n";

std::string message_tables();

// `page` with what is between the two lines replaced; empty when it lacks one of them.
std::string with_tables(const std::string& page);

}  // namespace zedops::docs
