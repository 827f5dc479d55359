#include "messages/base/error.hpp"

namespace zedops::msg {

std::optional<ec> ec_from_number(uint64_t number) {
  if (number < 1 || number > ec_table.size()) return std::nullopt;
  return static_cast<ec>(number);
}

std::optional<ec> ec_from_name(std::string_view name) {
  for (const auto& row : ec_table)
    if (row.name == name) return row.code;
  return std::nullopt;
}

}  // namespace zedops::msg
