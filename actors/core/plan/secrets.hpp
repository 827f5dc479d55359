// Values that a template calls secret. Records and the log keep them, agents get them; whatever people or subscribers
// see shows the mask instead. An edit may therefore not give the mask as a value: it was read, not meant.
#pragma once
#include <map>
#include <string>
#include <string_view>

#include "messages/records/facts.hpp"
#include "messages/records/template.hpp"

namespace zedops::core {

inline constexpr std::string_view secret_mask = msg::masked_value;

// Without a template it is not known which values are secret: then all of them are.
bool is_secret(const msg::server_template* t, std::string_view key);

void mask_secrets(std::map<std::string, std::string>& env, const msg::server_template* t);
void mask_secrets(msg::fact& f, const msg::server_template* t);
// True for facts that carry an environment.
bool may_tell_secrets(const msg::fact& f);

}  // namespace zedops::core
