// Who the user of an image is, by the account files in it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace zedops::docker {

struct account {
  uint32_t uid = 0;
  uint32_t gid = 0;
  friend bool operator==(const account&, const account&) = default;
};

// `user`: as in USER of a Dockerfile: name or number, with or without ":group". As the Engine does it: a number needs
// no entry, its group is then that of its entry or 0; a name without an entry is unknown.
std::optional<account> account_of(std::string_view user, std::string_view passwd, std::string_view group);

}  // namespace zedops::docker
