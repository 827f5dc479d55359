// The record that a create or an adoption begins with: agent, template, ports and names, checked early against what is
// known; the journal decides for good.
#pragma once
#include <unordered_map>

#include "actors/manager/deps.hpp"

namespace zedops::manager {

// Claims of requests that were admitted and are not durable yet: the next request chooses other ports.
class choices {
 public:
  void take(const std::string& claim) { ++taken_[claim]; }
  void release(const std::vector<std::string>& claims) {
    for (const auto& key : claims)
      if (auto c = taken_.find(key); c != taken_.end() && --c->second == 0) taken_.erase(c);
  }
  bool contains(const std::string& claim) const { return taken_.contains(claim); }

 private:
  std::unordered_map<std::string, int> taken_;
};

// Takes the record's claims in `chosen` and names them in `claims`. Errors: bad_request, not_found (agent),
// already_exists, port_conflict, those of the spec and of the store.
msg::result<msg::server> record_of(const shared& world, const msg::create_server& c, choices& chosen,
                                   std::vector<std::string>& claims);

// Whether the ports that an edit adds are free. Errors: port_conflict.
msg::result<void> ports_free(const shared& world, const msg::server& s, const msg::edit_server& e);

// The agent of a create or an adoption. Errors: bad_request when none is given, not_found.
msg::result<agent_ptr> agent_for(const shared& world, const std::string& name);

}  // namespace zedops::manager
