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
  // Of services every value is one.
  if (auto* made = std::get_if<service_created>(&f)) {
    auto shown = *made->record;
    mask_secrets(shown.settings.env, nullptr);
    made->record = std::move(shown);
  }
  if (auto* edited = std::get_if<service_edited>(&f)) {
    if (edited->settings) mask_secrets(edited->settings->env, nullptr);
    if (edited->hook && !edited->hook->secret.empty()) edited->hook->secret = secret_mask;
  }
  if (auto* begun = std::get_if<deployment_started>(&f); begun && begun->record->settings) {
    auto shown = *begun->record;
    mask_secrets(shown.settings->env, nullptr);
    begun->record = std::move(shown);
  }
}

bool may_tell_secrets(const fact& f) {
  return std::holds_alternative<server_created>(f) || std::holds_alternative<server_edited>(f) ||
         std::holds_alternative<service_created>(f) || std::holds_alternative<service_edited>(f) ||
         std::holds_alternative<deployment_started>(f);
}

}  // namespace zedops::core
