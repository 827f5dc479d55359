// What the two client-facing actors share: decoding a request, and answering it.
#pragma once
#include "actors/core/plan/secrets.hpp"
#include "actors/manager/deps.hpp"
#include "messages/base/names.hpp"
#include "messages/wire/codec.hpp"

namespace zedops::manager {

template <class T>
msg::result<T> body_of(const rt::client_call& call) {
  if (call.body.empty()) return T{};
  return msg::unpack_map<T>(call.body);
}

// The request of an operation, by its kind.
template <size_t I = 0>
msg::result<msg::server_request> request_of(msg::op_kind kind, const rt::client_call& call) {
  if constexpr (I < std::variant_size_v<msg::server_request>) {
    using body = std::variant_alternative_t<I, msg::server_request>;
    if (body::kind != kind) return request_of<I + 1>(kind, call);
    auto b = body_of<body>(call);
    if (!b) return msg::fail(b.error());
    return msg::server_request{std::move(*b)};
  } else {
    return msg::fail(msg::ec::internal, "an operation without a request", "");
  }
}

// All names of an enum, for the hint of a refusal.
template <msg::named_enum E>
std::string names_text() {
  std::string out;
  for (auto name : msg::enum_names<E>::list) (out += out.empty() ? "" : ", ") += name;
  return out;
}

// Roles keep a server's id: shows its name instead, as long as the server exists.
template <class List, class Row>
msg::result<List> servers_by_name(const shared& world, msg::result<List> all, std::vector<Row> List::*rows) {
  if (!all) return all;
  for (auto& row : (*all).*rows)
    if (auto s = row.server.empty() ? nullptr : world.records.server({row.server});
        s && s->status != msg::server_status::purged)
      row.server = s->name;
  return all;
}

inline void answer_error(shared& world, const rt::peer& who, const msg::error& e) {
  world.refused.fetch_add(1);
  who.via->reply(who, rt::answer::error, msg::pack_map(e));
}
template <class T>
void answer_result(const rt::peer& who, const T& value) {
  who.via->reply(who, rt::answer::result, msg::pack_map(value));
}
template <class T>
void answer_either(shared& world, const rt::peer& who, const msg::result<T>& r) {
  if (r) answer_result(who, *r);
  else answer_error(world, who, r.error());
}

// The record as clients see it: no secrets. Every sync that found nothing to change has confirmed it.
inline msg::server_view view_in(const shared& world, const msg::server& s, const msg::agent* a,
                                msg::time_point last_sync) {
  auto v = msg::view_of(s, a);
  core::mask_secrets(v.config, world.find_template(s.template_name));
  const bool current = a && a->status == msg::agent_status::online && !s.stale;
  if (current && last_sync > s.observed_at) v.observed_at = last_sync;
  return v;
}
inline msg::server_view view_in(const shared& world, const rt::server_ptr& s) {
  return view_in(world, *s, world.records.agent(s->agent).get(), world.records.touched(s->agent).last_sync);
}

inline msg::agent_view view_in(const shared& world, const msg::agent& a) {
  auto v = msg::view_of(a);
  const auto n = world.records.count(a.id);
  v.servers = n.servers;
  v.running = n.running;
  const auto t = world.records.touched(a.id);
  if (t.last_seen > a.last_seen) v.last_seen = t.last_seen;
  v.last_sync = msg::shown(t.last_sync);
  return v;
}

// A committed fact as subscribers see it: no secrets either.
inline void mask_secrets(const shared& world, msg::event& e) {
  if (!core::may_tell_secrets(e.data)) return;
  const msg::server_template* t = nullptr;
  if (const auto* made = std::get_if<msg::server_created>(&e.data)) {
    t = world.find_template(made->record->template_name);
  } else if (auto s = world.records.server({e.subject.substr(e.subject.find('.') + 1)})) {
    t = world.find_template(s->template_name);
  }
  core::mask_secrets(e.data, t);
}
inline msg::result<msg::event_page> without_secrets(const shared& world, msg::result<msg::event_page> page) {
  if (page)
    for (auto& e : page->events) mask_secrets(world, e);
  return page;
}

inline msg::error no_template(const shared& world, const std::string& wanted) {
  std::vector<std::string> names;
  for (const auto& [key, x] : world.templates) names.push_back(key);
  auto hint = msg::did_you_mean(wanted, names);
  return {msg::ec::bad_request,
          "there is no template '" + wanted.substr(0, 64) + "'",
          hint.empty() ? "zedctl status lists the templates" : hint,
          {}};
}

}  // namespace zedops::manager
