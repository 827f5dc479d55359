// The first regular file of a tar archive, as the Engine sends one file of a container.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace zedops::docker {

// Nothing: there is none, or the archive is cut short or damaged.
inline std::optional<std::string> first_file_of_tar(std::string_view archive) {
  constexpr size_t block = 512, size_at = 124, size_digits = 11, type_at = 156;
  while (archive.size() >= block) {
    const auto header = archive.substr(0, block);
    if (header.find_first_not_of('\0') == std::string_view::npos) return std::nullopt;  // the end
    size_t size = 0;
    for (char c : header.substr(size_at, size_digits)) {
      if (c == ' ' || c == '\0') break;
      if (c < '0' || c > '7') return std::nullopt;
      size = size * 8 + static_cast<size_t>(c - '0');
    }
    archive.remove_prefix(block);
    if (size > archive.size()) return std::nullopt;
    const char type = header[type_at];
    if (type == '0' || type == '\0') return std::string(archive.substr(0, size));
    const auto padded = (size + block - 1) / block * block;
    if (padded > archive.size()) return std::nullopt;
    archive.remove_prefix(padded);
  }
  return std::nullopt;
}

}  // namespace zedops::docker
