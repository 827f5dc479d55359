#include "actors/core/plan/secrets.hpp"

#include <algorithm>

namespace zedops::core {

using namespace msg;

bool is_secret(const server_template* t, std::string_view key) {
  return !t || std::find(t->env_secret.begin(), t->env_secret.end(), key) != t->env_secret.end();
}

void mask_secrets(std::map<std::string, std::string>& env, const server_template* t) {
  for (auto& [key, value] : env)
    if (!value.empty() && is_secret(t, key)) value = secret_mask;
}

void mask_secrets(fact& f, const server_template* t) {
  if (auto* made = std::get_if<server_created>(&f)) {
    auto shown = *made->record;
    mask_secrets(shown.env, t);
    made->record = std::move(shown);
  }
  if (auto* edited = std::get_if<server_edited>(&f)) mask_secrets(edited->env, t);
}

bool may_tell_secrets(const fact& f) {
  return std::holds_alternative<server_created>(f) || std::holds_alternative<server_edited>(f);
}

}  // namespace zedops::core
