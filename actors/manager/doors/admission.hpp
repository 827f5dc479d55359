// The gate behind all doors: may this caller have this done? Asked once for each request, before anything of it is
// looked at by those who serve it.
#pragma once
#include "actors/core/access.hpp"
#include "actors/manager/deps.hpp"

namespace zedops::manager {

// Errors: forbidden; bad_request for an unknown verb.
msg::result<void> admit(const shared& world, const rt::client_call& call);

// Where rights on an entity have to hold, also on one that is gone; both empty: everywhere, or there is none with this
// id.
core::access_subject place_of(const shared& world, const std::string& entity);

// What a request is about, in its own words; empty: nothing by itself, or it cannot be read.
std::string target_named(const rt::client_call& call);

// Decoded options of a request, complete. Errors: bad_request.
msg::result<msg::request_options> options_of(const rt::client_call& call);

}  // namespace zedops::manager
