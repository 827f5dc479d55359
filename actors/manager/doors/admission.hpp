// The gate behind all doors: may this caller do this? Asked once for each request, before the handler of its verb looks
// at it.
#pragma once
#include "actors/core/access.hpp"
#include "actors/manager/deps.hpp"

namespace zedops::manager {

// Errors: forbidden; bad_request for an unknown verb.
msg::result<void> admit(const shared& world, const rt::client_call& call);

// Where rights on an entity have to hold, also on one that is removed; both empty: everywhere, or no entity has this
// id.
core::access_subject place_of(const shared& world, const std::string& entity);

// What a request is about, in its own words; empty: nothing in particular, or the request cannot be read.
std::string target_named(const rt::client_call& call);

// Decoded options of a request, complete. Errors: bad_request.
msg::result<msg::request_options> options_of(const rt::client_call& call);

}  // namespace zedops::manager
