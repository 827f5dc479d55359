#include "actors/manager/doors/admission.hpp"

#include "actors/manager/doors/answers.hpp"

namespace zedops::manager {

using namespace msg;

namespace {

core::access_subject about(const server& s) { return {s.agent, s.id}; }

// What does not exist has no place: only callers who may see everything learn that it does not exist.
core::access_subject server_named(const shared& w, const std::string& name) {
  auto s = w.records.resolve(name);
  return s ? about(**s) : core::access_subject{};
}
core::access_subject agent_named(const shared& w, const std::string& name) {
  auto a = w.records.resolve_agent(name);
  return a ? core::access_subject{(*a)->id, {}} : core::access_subject{};
}
core::access_subject service_named(const shared& w, const std::string& name) {
  auto s = w.records.resolve_service(name.substr(0, name.find('#')));
  return s ? core::access_subject{(*s)->agent, {}} : core::access_subject{};
}
core::access_subject operation_named(const shared& w, const std::string& id) {
  if (const auto owner = w.records.operation_owner({id})) return place_of(w, owner.id());
  auto op = w.history.operation({id});
  return op && *op ? place_of(w, (*op)->target.value) : core::access_subject{};
}

template <class Body>
core::access_subject subject_in(const shared& w, const rt::client_call& call) {
  const auto body = body_of<Body>(call);
  if (!body) return {};  // its handler reports what is wrong
  if constexpr (requires { body->service; }) {
    return body->service.empty() ? core::access_subject{} : service_named(w, body->service);
  } else if constexpr (requires { body->deployment; }) {
    return service_named(w, body->deployment);
  } else if constexpr (requires { body->servers; }) {
    // Several: the rights on one of them say nothing of the others.
    return body->servers.size() == 1 ? server_named(w, body->servers.front()) : core::access_subject{};
  } else if constexpr (requires { body->server; }) {
    if (!body->server.empty()) return server_named(w, body->server);
    if constexpr (requires { body->agent; })
      if (!body->agent.empty()) return agent_named(w, body->agent);
    return {};
  } else if constexpr (requires { body->agent; }) {
    return body->agent.empty() ? core::access_subject{} : agent_named(w, body->agent);
  } else if constexpr (requires { body->id; }) {
    return operation_named(w, body->id);
  } else {
    return {};
  }
}

// What a request is about, in its own words: for people.
template <class Body>
std::string name_in(const rt::client_call& call) {
  const auto body = body_of<Body>(call);
  if (!body) return {};
  if constexpr (requires { body->servers; }) return body->servers.empty() ? std::string{} : body->servers.front();
  else if constexpr (requires { body->service; }) return body->service;
  else if constexpr (requires { body->deployment; }) return body->deployment;
  else if constexpr (
      requires { body->project; } && requires { body->name; })
    return body->project + "/" + body->name;
  else if constexpr (requires { body->project; }) return body->project;
  else if constexpr (requires { body->name; }) return body->name;
  else if constexpr (requires { body->server; }) return body->server;
  else if constexpr (requires { body->agent; }) return body->agent;
  else if constexpr (requires { body->id; }) return body->id;
  else return {};
}

using name_fn = std::string (*)(const rt::client_call&);
template <class... Bodies>
constexpr std::array<name_fn, sizeof...(Bodies)> names_of(const std::tuple<Bodies...>*) {
  return {name_in<Bodies>...};
}
constexpr auto names = names_of(static_cast<const verb_bodies*>(nullptr));

using subject_fn = core::access_subject (*)(const shared&, const rt::client_call&);
template <class... Bodies>
constexpr std::array<subject_fn, sizeof...(Bodies)> subjects_of(const std::tuple<Bodies...>*) {
  return {subject_in<Bodies>...};
}
constexpr auto subjects = subjects_of(static_cast<const verb_bodies*>(nullptr));

error unknown_verb(const std::string& verb) {
  std::vector<std::string> verbs;
  for (const auto& row : verb_table) verbs.emplace_back(row.verb);
  auto hint = did_you_mean(verb, verbs);
  return {ec::bad_request, "unknown verb '" + verb + "'", hint.empty() ? "docs/protocol.md lists them" : hint, {}};
}

}  // namespace

core::access_subject place_of(const shared& world, const std::string& entity) {
  const auto r = world.records.find(entity);
  if (auto s = r.as<server>()) return about(*s);
  if (auto s = r.as<service>()) return {s->agent, {}};
  if (auto a = r.as<agent>()) return {a->id, {}};
  return {};
}

result<void> admit(const shared& world, const rt::client_call& call) {
  if (call.row == verb_not_found) return fail(unknown_verb(call.verb));
  const auto& who = *call.by;
  return core::authorize(who, verb_table[call.row],
                         core::is_scoped(who) ? subjects[call.row](world, call) : core::access_subject{});
}

std::string target_named(const rt::client_call& call) {
  return call.row == verb_not_found ? std::string{} : names[call.row](call);
}

result<request_options> options_of(const rt::client_call& call) {
  request_options out;
  if (!call.options.empty()) {
    auto read = unpack_map<request_options>(call.options);
    if (!read) return fail(read.error());
    out = std::move(*read);
  }
  if (call.by->how == authentication::local) {
    if (out.actor.empty()) out.actor = "local";
  } else {  // records name who was authenticated; the actor that the request names is in brackets
    out.actor = out.actor.empty() ? call.by->id : call.by->id + " (" + out.actor + ")";
  }
  return out;
}

}  // namespace zedops::manager
