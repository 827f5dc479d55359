#include "tools/manager/known_keys.hpp"

#include <algorithm>

#include "bus/security/invitation.hpp"
#include "config/logging/logging.hpp"
#include "messages/base/names.hpp"

namespace zedops::app {

using namespace msg;

namespace {

key_view view_of(const bus::key_entry& e) {
  return {e.name, e.role, e.public_key, bus::fingerprint(e.public_key), e.agent, e.server, shown(e.expires), e.topic};
}
msg::key_list view_of(const bus::key_list& all) {
  msg::key_list out;
  for (const auto& e : all) out.keys.push_back(view_of(e));
  return out;
}

// The port of the first endpoint on a network; empty: there is none.
std::string port_of(const std::vector<std::string>& uris) {
  for (const auto& uri : uris)
    if (bus::is_tcp(uri)) return uri.substr(uri.rfind(':') + 1);
  return {};
}

std::filesystem::path next_of(const std::filesystem::path& known, const char* more = "") {
  return known.parent_path() / (std::string(bus::manager_key_name) + ".next" + more);
}
constexpr const char* finished = ".finished";  // an empty file beside the next key: the next start uses that key

error cannot(const std::filesystem::path& what, const std::error_code& problem) {
  return {ec::internal, what.string() + ": " + problem.message(), "check the manager's data directory", {}};
}

bool of_agent(const bus::key_entry& e) { return e.role == bus::agent_role || e.role == bus::pending_role; }

}  // namespace

void known_keys::listens(const bus::server_bus_options& options) {
  public_key_ = options.key.public_key;
  clients_port_ = port_of(options.clients_uris);
  agents_port_ = port_of(options.agents_uris);
}

// First the key, then the mark to use it: an interruption anywhere leaves the manager with one of its keys.
result<bus::key_pair> known_keys::own_key() {
  const auto key = file_.parent_path() / bus::manager_key_name;
  std::error_code problem;
  if (std::filesystem::exists(next_of(file_, finished), problem) && std::filesystem::exists(next_of(file_), problem)) {
    std::filesystem::rename(next_of(file_), key, problem);
    if (problem) return fail(cannot(next_of(file_), problem));
    config::log_event("manager.key-rotated", {});
  }
  std::filesystem::remove(next_of(file_, finished), problem);
  if (std::filesystem::exists(next_of(file_), problem)) {
    auto next = bus::load_or_make_key(next_of(file_));
    if (!next) return fail(next.error());
    std::lock_guard guard(next_mutex_);
    next_ = next->public_key;
  }
  return bus::load_or_make_key(key);
}

std::string known_keys::next_key() {
  std::lock_guard guard(next_mutex_);
  return next_;
}

result<rotation_view> known_keys::rotate(const rotate_key& k) {
  std::lock_guard guard(next_mutex_);
  if (public_key_.empty())
    return fail(ec::wrong_state, "this manager does not listen on a network, and needs no key",
                "docs/network.md describes how to let it listen");
  std::error_code problem;
  if ((k.finish || k.cancel) && next_.empty())
    return fail(ec::wrong_state, "there is no next key", "zedctl key rotate makes one");
  if (k.cancel) {
    for (const auto* what : {finished, ""}) {
      std::filesystem::remove(next_of(file_, what), problem);
      if (problem) return fail(cannot(next_of(file_, what), problem));
    }
    next_.clear();
    finished_ = false;
  } else if (k.finish) {
    if (auto ok = bus::write_guarded(next_of(file_, finished), ""); !ok) return fail(ok.error());
    finished_ = true;
  } else if (next_.empty()) {
    auto made = bus::load_or_make_key(next_of(file_));
    if (!made) return fail(made.error());
    next_ = made->public_key;
  }
  rotation_view v;
  v.public_key = public_key_;
  v.next_key = next_;
  v.at_next_start = finished_;
  return v;
}

bus::admission known_keys::admits(bus::door at, std::string_view key) {
  const auto known = ring_.look_up(key);
  if (!known) return bus::admission::cannot_tell;
  bool pending = false;
  for (const auto& e : *known) {
    // Events are about everything: keys with rights on a part only do not get them.
    if (at == bus::door::events && !(e.agent.empty() && e.server.empty())) continue;
    if (e.role == bus::enrol_role) {
      if (at == bus::door::clients) return bus::admission::yes;  // whether it is still valid is judged with the request
      continue;
    }
    pending |= e.role == bus::pending_role && at == bus::door::agents;
    if (e.role == bus::pending_role) continue;
    if (e.role == bus::subscriber_role) {
      if (at == bus::door::events) return bus::admission::yes;
      continue;
    }
    if ((e.role == bus::agent_role) == (at == bus::door::agents)) return bus::admission::yes;
  }
  config::log_limited(log_level::warn, pending ? "agent.waits-for-approval" : "bus.key-refused",
                      {{"door", bus::name_of(at)},
                       {"key", std::string(key)},
                       {"hint", pending ? "zedctl agent approve" : "zedctl key add"}});
  return pending ? bus::admission::cannot_tell : bus::admission::not_known;
}

bool known_keys::may_watch(std::string_view key, std::string_view topic) {
  for (const auto& e : ring_.entries_of(key)) {
    if (e.role == bus::subscriber_role && topic.starts_with(e.topic)) return true;
    if (enum_from_name<role>(e.role) && e.agent.empty() && e.server.empty()) return true;
  }
  return false;
}

bus::admission known_keys::speaks_for(std::string_view key, const std::optional<std::string>& name) {
  const auto known = ring_.look_up(key);
  if (!known) return bus::admission::cannot_tell;
  for (const auto& e : *known)
    if (e.role == bus::agent_role && (!name || *name == e.name)) return bus::admission::yes;
  return bus::admission::not_known;
}

result<msg::key_list> known_keys::keys() {
  auto all = bus::read_keys(file_);
  if (!all) return fail(all.error());
  return view_of(*all);
}

result<msg::key_list> known_keys::add(const add_key& k) {
  bus::key_list now;
  if (k.role == bus::enrol_role || k.role == bus::pending_role)
    return fail(ec::bad_request, "the role '" + k.role + "' is given only by a token",
                "zedctl agent token --name NAME");
  const bus::key_entry e{k.name, k.role.empty() ? "viewer" : k.role, k.public_key, k.agent, k.server, {}, k.topic};
  auto ok = bus::change_keys(file_, [&](bus::key_list& all) -> result<void> {
    if (auto added = bus::add_key(all, e); !added) return added;
    std::copy_if(all.begin(), all.end(), std::back_inserter(now), [&](const auto& x) { return x.name == k.name; });
    return {};
  });
  if (!ok) return fail(ok.error());
  return view_of(now);
}

result<msg::key_list> known_keys::remove(const remove_key& k) {
  bus::key_list gone;
  auto ok = bus::change_keys(file_, [&](bus::key_list& all) -> result<void> {
    auto removed = bus::remove_key(all, k.name);
    if (!removed) return fail(removed.error());
    gone = std::move(*removed);
    return {};
  });
  if (!ok) return fail(ok.error());
  return view_of(gone);
}

result<token_reply> known_keys::make_token(const msg::make_token& t, time_point now) {
  if (clients_port_.empty() || agents_port_.empty())
    return fail(ec::wrong_state, "this manager does not listen for agents and clients on a network",
                "set clients and agents to a tcp:// endpoint each, beside the socket files: docs/network.md");
  const auto secret = bus::new_key_pair();
  const bus::key_entry e{t.agent, std::string(bus::enrol_role), secret.public_key, {}, {}, now + t.ttl, {}, t.approve};
  auto ok = bus::change_keys(file_, [&](bus::key_list& all) -> result<void> {
    std::erase_if(all, [&](const auto& x) { return x.role == bus::enrol_role && x.expires <= now; });
    const auto has = std::find_if(all.begin(), all.end(),
                                  [&](const auto& x) { return x.name == t.agent && x.role != bus::enrol_role; });
    if (has != all.end() && !(t.replace && of_agent(*has)))
      return fail(ec::already_exists, t.agent + " has a key already",
                  of_agent(*has) ? "with --replace that key is revoked when a new agent has enrolled in its place"
                                 : "use another name, or zedctl key rm " + t.agent);
    return bus::add_key(all, e);
  });
  if (!ok) return fail(ok.error());
  return token_reply{
      t.agent, bus::to_line({t.agent, secret.secret_key, host_, clients_port_, agents_port_, public_key_}), e.expires};
}

result<enrol_reply> known_keys::enrol(const enrol_agent& q, const principal& by, time_point now) {
  constexpr std::string_view id_of_key = "token:";
  const auto token = by.id.starts_with(id_of_key) ? by.id.substr(id_of_key.size()) : std::string{};
  enrol_reply out;
  auto ok = bus::change_keys(file_, [&](bus::key_list& all) -> result<void> {
    const auto t = std::find_if(all.begin(), all.end(),
                                [&](const auto& x) { return x.role == bus::enrol_role && x.public_key == token; });
    if (t == all.end())
      return fail(ec::unauthorised, "this token was used already", "make another one: zedctl agent token --name NAME");
    if (t->expires <= now)
      return fail(
          ec::unauthorised,
          "this token expired at " + to_rfc3339(t->expires) + "; by this manager's clock it is " + to_rfc3339(now),
          "make another one: zedctl agent token --name " + t->name);
    if (!q.agent.empty() && q.agent != t->name)
      return fail(ec::forbidden, "this token is for agent " + t->name + ", not for " + q.agent.substr(0, 64),
                  "use a token of its own");
    const auto invited = *t;
    all.erase(t);  // even if what follows is refused: a token is tried only once
    std::erase_if(all, [&](const auto& x) { return x.name == invited.name && of_agent(x); });
    out = {invited.name, !invited.approve};
    return bus::add_key(
        all, {invited.name, std::string(invited.approve ? bus::pending_role : bus::agent_role), q.public_key});
  });
  if (!ok) return fail(ok.error());
  config::log_event("agent.enrolled",
                    {{"name", out.agent}, {"key", bus::fingerprint(q.public_key)}, {"approved", out.approved}});
  return out;
}

result<enrol_reply> known_keys::approve(const approve_agent& a) {
  auto ok = bus::change_keys(file_, [&](bus::key_list& all) -> result<void> {
    const auto e =
        std::find_if(all.begin(), all.end(), [&](const auto& x) { return x.name == a.agent && of_agent(x); });
    if (e == all.end())
      return fail(ec::not_found, "no agent '" + a.agent.substr(0, 64) + "' has enrolled", "zedctl key ls");
    e->role = bus::agent_role;
    return {};
  });
  if (!ok) return fail(ok.error());
  return enrol_reply{a.agent, true};
}

}  // namespace zedops::app
