// What the two client-facing actors share: decoding a request, and answering it.
#pragma once
#include "actors/manager/deps.hpp"
#include "messages/codec.hpp"

namespace zedops::manager {

template <class T>
msg::result<T> body_of(const rt::client_call& call) {
  if (call.body.empty()) return T{};
  return msg::unpack_map<T>(call.body);
}

inline void answer_error(shared& world, const rt::peer& who, const msg::error& e) {
  world.refused.fetch_add(1);
  world.clients.reply(who.routing_id, who.request_id, rt::answer::error, msg::pack_map(e));
}
template <class T>
void answer_result(shared& world, const rt::peer& who, const T& value) {
  world.clients.reply(who.routing_id, who.request_id, rt::answer::result, msg::pack_map(value));
}
template <class T>
void answer_either(shared& world, const rt::peer& who, const msg::result<T>& r) {
  if (r) answer_result(world, who, *r);
  else answer_error(world, who, r.error());
}

inline msg::server_view view_in(const shared& world, const rt::server_ptr& s) {
  return msg::view_of(*s, world.records.agent(s->agent).get());
}

}  // namespace zedops::manager
