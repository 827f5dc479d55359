#include "integration/docker/passwd.hpp"

#include <charconv>
#include <vector>

namespace zedops::docker {

namespace {

std::optional<uint32_t> number_of(std::string_view text) {
  uint32_t n = 0;
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (text.empty() || problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return n;
}

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> out;
  for (size_t at = 0; at <= line.size();) {
    const auto end = std::min(line.find(':', at), line.size());
    out.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

// The fields of the first line whose first field, or third as a number, is `wanted`.
std::vector<std::string_view> entry_of(std::string_view file, std::string_view wanted) {
  const auto number = number_of(wanted);
  while (!file.empty()) {
    const auto end = std::min(file.find('\n'), file.size());
    const auto fields = fields_of(file.substr(0, end));
    if (fields.size() >= 3 && (fields[0] == wanted || (number && number_of(fields[2]) == number))) return fields;
    file.remove_prefix(std::min(end + 1, file.size()));
  }
  return {};
}

}  // namespace

std::optional<account> account_of(std::string_view user, std::string_view passwd, std::string_view group) {
  const auto colon = user.find(':');
  const auto name = user.substr(0, colon);
  const auto entry = entry_of(passwd, name);
  auto uid = entry.empty() ? number_of(name) : number_of(entry[2]);
  if (!uid) return std::nullopt;
  account out{*uid, entry.size() > 3 ? number_of(entry[3]).value_or(0) : 0};
  if (colon == std::string_view::npos || colon + 1 == user.size()) return out;
  const auto wanted = user.substr(colon + 1);
  const auto row = entry_of(group, wanted);
  const auto gid = row.empty() ? number_of(wanted) : number_of(row[2]);
  if (!gid) return std::nullopt;
  out.gid = *gid;
  return out;
}

}  // namespace zedops::docker
