#include "messages/operations.hpp"

namespace zedops::msg {

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
    if (contains(row.allowed, s)) out.emplace_back(row.verb);
  return out;
}

}  // namespace zedops::msg
