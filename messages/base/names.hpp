// The rules for names that users choose, and the texts they read back: in one place, so that every door gives the same.
// A check returns invalid_name or bad_request; its message names the rule and its hint a remedy.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "messages/base/error.hpp"
#include "messages/base/time.hpp"

namespace zedops::msg {

inline constexpr size_t server_name_bytes_min = 3;
inline constexpr size_t server_name_bytes_max = 32;
inline constexpr size_t site_name_bytes_min = 2;
inline constexpr size_t agent_name_bytes_max = 63;
inline constexpr size_t env_key_bytes_max = 256;
inline constexpr size_t env_value_bytes_max = 32 * 1024;
inline constexpr size_t path_bytes_max = 1024;
inline constexpr size_t image_name_bytes_max = 255;
inline constexpr size_t image_tag_bytes_max = 128;

// Lower-case letter first, then lower-case letters, digits and hyphens, 3-32 in all. Such a name is also a safe single
// path component and a safe part of a container name.
result<void> check_server_name(std::string_view name);

// The same rule from two characters on, for a project or a service: it is part of an address and a folder's name.
result<void> check_site_name(std::string_view name);

// Letter or digit first, then letters, digits, dot, hyphen, underscore, 1-63 in all: every host name qualifies.
result<void> check_agent_name(std::string_view name);

// Letter or underscore first, then letters, digits, underscore, dot, hyphen.
result<void> check_env_key(std::string_view key);
result<void> check_env_value(std::string_view key, std::string_view value);

// A folder for the data of servers: absolute, no "." or ".." component, no colon (Docker's separator in binds), not the
// root and not below a folder of the system; below /var only /var/lib/zedops/... Symbolic links are not resolved here.
result<void> check_data_path(std::string_view path);

// A repository: https, http, git or ssh with a host, or user@host:path; no local file, no remote helper, no password.
result<void> check_git_url(std::string_view url);
// A branch, a tag or a commit; empty: the default branch. Nothing that git could take for an option or a range.
result<void> check_git_revision(std::string_view revision);
// A folder within a source, "docs/public"; empty: all of it.
result<void> check_source_folder(std::string_view folder);

struct image_ref {
  std::string repository;  // "ghcr.io/owner/image", without tag and digest
  std::string tag;         // may be empty
  std::string digest;      // "sha256:..."; may be empty
  friend bool operator==(const image_ref&, const image_ref&) = default;
};

result<image_ref> parse_image_ref(std::string_view text);
result<void> check_image_repository(std::string_view repository);  // a reference without tag and digest
result<void> check_image_tag(std::string_view tag);
bool is_image_digest(std::string_view text);  // "sha256:" and 64 hexadecimal digits, lower case

// The candidate the user most likely meant, or nothing when none is near. Letter case is ignored; a candidate that
// begins with the word is near; ties go to the earlier candidate.
std::optional<std::string> closest(std::string_view word, std::span<const std::string_view> candidates);
std::optional<std::string> closest(std::string_view word, const std::vector<std::string>& candidates);
// "did you mean 'status'?", or empty.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

std::string format_bytes(uint64_t bytes);  // "512 B", "4.2 GiB", "107 MiB"
std::string format_age(duration age);      // the two largest units: "12s", "4m10s", "3d4h"; negative is "0s"

// Digits without sign, space or leading zero; nothing for any other text.
std::optional<uint64_t> parse_decimal(std::string_view text);

}  // namespace zedops::msg
