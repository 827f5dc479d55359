// What may be asked of projects and services, apart from records: sizes, names, combinations. Pure.
#pragma once
#include "messages/records/deploy.hpp"

namespace zedops::core {

// Errors: bad_request or too_large, with the remedy.
msg::result<void> check_domain(const std::string& d);
msg::result<void> check_description(const std::string& d);
msg::result<void> check_health_path(const std::string& p);
msg::result<void> check_retention(uint32_t n);
msg::result<void> check_lives(msg::duration d);
msg::result<void> check_hook(const msg::service_hook& h);
msg::result<void> check_settings(msg::service_kind kind, const msg::service_settings& s);

}  // namespace zedops::core
