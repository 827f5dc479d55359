// Requests for projects and services, from what a client sent to what their machines take.
#pragma once
#include "actors/manager/deps.hpp"
#include "actors/manager/doors/new_server.hpp"

namespace zedops::manager {

struct prepared_request {
  rt::entity_call call;
  std::optional<rt::entity_call> first;  // of another entity: has to succeed first
  std::string name;                      // of what it is about, for people
};

// Claims that are chosen are taken in `chosen` and added to `claims`; the caller releases them.
msg::result<prepared_request> prepare(const shared& world, msg::op_kind kind, const rt::client_call& call,
                                      const core::request_info& who, choices& chosen, std::vector<std::string>& claims);

}  // namespace zedops::manager
