#include "actors/core/access.hpp"

namespace zedops::core {

using namespace msg;

bool allows(role r, right wanted) {
  switch (r) {
    case role::viewer: return wanted == right::connect || wanted == right::view;
    case role::operator_: return wanted != right::purge && wanted != right::administer;
    case role::admin: return true;
  }
  return false;
}

namespace {
// Uploading an archive is about no service yet. What is done with it later is a request of its own, about a service.
bool brings_upload(const verb_row& verb) {
  return verb.verb == "upload.begin" || verb.verb == "upload.chunk" || verb.verb == "upload.end";
}
bool allowed_anywhere(const principal& who, right wanted) {
  for (const auto& g : who.grants)
    if (allows(g.as, wanted)) return true;
  return false;
}
// How closely a grant fits; -1: it is about something else.
int fit(const grant& g, const access_subject& about) {
  if (!g.server.empty()) return g.server == about.server ? 2 : -1;
  if (!g.agent.empty()) return g.agent == about.agent ? 1 : -1;
  return 0;
}
}  // namespace

std::optional<role> role_for(const principal& who, const access_subject& about) {
  const grant* best = nullptr;
  for (const auto& g : who.grants)
    if (const auto f = fit(g, about);
        f >= 0 && (!best || f > fit(*best, about) || (f == fit(*best, about) && g.as > best->as)))
      best = &g;
  return best ? std::optional(best->as) : std::nullopt;
}

bool may_see(const principal& who, const access_subject& what) {
  const auto as = role_for(who, what);
  return as && allows(*as, right::view);
}

result<void> authorize(const principal& who, const verb_row& verb, const access_subject& about) {
  if (verb.needs == right::enrol) {
    if (!who.enrols.empty()) return {};
    return fail(ec::forbidden, std::string(verb.verb) + " needs a token", "zedctl agent token --name NAME");
  }
  const auto as = role_for(who, about);
  if (as && allows(*as, verb.needs)) return {};
  if (verb.needs == right::connect && !who.grants.empty()) return {};
  if (is_filtered(verb) && !who.grants.empty()) return {};
  if (brings_upload(verb) && allowed_anywhere(who, verb.needs)) return {};
  const auto needed = std::string(name_of(verb.needs));
  return fail(ec::forbidden,
              who.id + (as ? " is " + std::string(name_of(*as)) : std::string(" has no role")) +
                  (about.agent.empty() && about.server.empty() ? "" : " here") + "; " + std::string(verb.verb) +
                  " needs the right '" + needed + "'",
              "ask an admin of this installation");
}

}  // namespace zedops::core
