// Who may do what. One pure function for every door; what it does not allow is not allowed.
#pragma once
#include "messages/api/operations.hpp"
#include "messages/base/error.hpp"
#include "messages/records/principal.hpp"

namespace zedops::core {

// What a request is about, as far as it is about one thing; both empty: about everything, or about what does not exist.
struct access_subject {
  msg::agent_id agent;
  msg::server_id server;
};

// What a role may do.
bool allows(msg::role r, msg::right wanted);

// The role that holds for a subject: the most specific grant decides, also where it is the lesser one. Nothing: none
// does.
std::optional<msg::role> role_for(const msg::principal& who, const access_subject& about);

// Errors: forbidden, with the right that is missing and who may give it.
msg::result<void> authorize(const msg::principal& who, const msg::verb_row& verb, const access_subject& about);

// Whether something is in the lists that a principal sees.
bool may_see(const msg::principal& who, const access_subject& what);

// Whether it matters what requests of a principal are about; for most it does not, and need not be looked up.
inline bool is_scoped(const msg::principal& who) {
  for (const auto& g : who.grants)
    if (!g.agent.empty() || !g.server.empty()) return true;
  return false;
}

}  // namespace zedops::core
