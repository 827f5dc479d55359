// From a verb's row to the function that serves it: one look-up, and the compiler sees to it that no verb is forgotten.
#pragma once
#include <array>

#include "messages/api/operations.hpp"

namespace zedops::manager {

template <class F>
struct handler {
  std::string_view verb;
  F serve;
};

// Handlers by number of row. Each verb that is served by `who` needs one, and no other may have one.
template <class F, size_t N>
consteval std::array<F, msg::verb_table.size()> handlers_of(msg::served_by who, const handler<F> (&list)[N]) {
  std::array<F, msg::verb_table.size()> out{};
  for (size_t i = 0; i < msg::verb_table.size(); ++i) {
    const auto& row = msg::verb_table[i];
    const bool wanted = row.served == who && !msg::is_operation(row);
    size_t found = 0;
    for (const auto& h : list)
      if (h.verb == row.verb) out[i] = h.serve, ++found;
    if (found != (wanted ? 1u : 0u)) throw "a verb of the table has no handler, or two, or one in the wrong place";
  }
  return out;
}

}  // namespace zedops::manager
