// What a reported push means for a service: whether its sender knows the secret, and whether it is one to be deployed.
// GitHub, Gitea and GitLab, by their headers.
#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "messages/base/error.hpp"
#include "messages/records/deploy.hpp"

namespace zedops::app {

struct push {
  std::string branch;
  std::string by;       // who pushed, by the forge's name for the user
  std::string ignored;  // why nothing is to be done; empty: it is to be deployed
};

// `header`: a header's value by its name in lower case, or empty. Errors: unauthorised (not signed with the secret),
// bad_request (not a push, or not readable).
msg::result<push> judge_push(const msg::service_hook& hook, const std::function<std::string(std::string_view)>& header,
                             std::string_view body);

}  // namespace zedops::app
