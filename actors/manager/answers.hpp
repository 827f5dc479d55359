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

// The record as clients see it. Every sync that found nothing to change has confirmed it.
inline msg::server_view view_in(const msg::server& s, const msg::agent* a, msg::time_point last_sync) {
  auto v = msg::view_of(s, a);
  const bool current = a && a->status == msg::agent_status::online && !s.stale;
  if (current && last_sync > s.observed_at) v.observed_at = last_sync;
  return v;
}
inline msg::server_view view_in(const shared& world, const rt::server_ptr& s) {
  return view_in(*s, world.records.agent(s->agent).get(), world.records.touched(s->agent).last_sync);
}

}  // namespace zedops::manager
