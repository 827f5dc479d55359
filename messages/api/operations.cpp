#include "messages/api/operations.hpp"

#include <unordered_map>

namespace zedops::msg {

size_t find_verb(std::string_view verb) {
  static const auto numbers = [] {
    std::unordered_map<std::string_view, size_t> out;
    for (size_t i = 0; i < verb_table.size(); ++i) out.emplace(verb_table[i].verb, i);
    return out;
  }();
  auto i = numbers.find(verb);
  return i == numbers.end() ? verb_not_found : i->second;
}

std::string states_text(status_set set) {
  std::vector<std::string_view> names;
  for (size_t i = 0; i < enum_names<server_status>::list.size(); ++i)
    if (contains(set, static_cast<server_status>(i))) names.push_back(enum_names<server_status>::list[i]);
  std::string out;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out += i + 1 == names.size() ? " or " : ", ";
    out += names[i];
  }
  return out;
}

std::vector<std::string> verbs_allowed(server_status s) {
  std::vector<std::string> out;
  for (const auto& row : operation_table)
    if (contains(row.allowed, s)) out.emplace_back(row.word());
  return out;
}

}  // namespace zedops::msg
