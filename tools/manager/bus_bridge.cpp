#include "tools/manager/bus_bridge.hpp"

#include "config/logging/logging.hpp"
#include "messages/wire/codec.hpp"
#include "tools/manager/grants.hpp"

namespace zedops::app {

using config::log_limited;
using msg::log_level;

namespace {
constexpr size_t event_bytes_guess = 1'024;  // of one that is not encoded yet, for the outbox's limit
}

msg::result<void> bus_bridge::let_in(bus::server_bus_options& options) {
  if (!options.on_network()) return {};
  auto own = keys_.own_key();
  if (!own) return msg::fail(own.error());
  if (auto known = keys_.keys(); !known) return msg::fail(known.error());
  options.key = *own;
  options.admits = [this](bus::door at, std::string_view key) { return keys_.admits(at, key); };
  options.may_watch = [this](std::string_view key, std::string_view topic) { return keys_.may_watch(key, topic); };
  keys_.listens(options);
  config::log_event("manager.key",
                    {{"public_key", own->public_key}, {"fingerprint", bus::fingerprint(own->public_key)}});
  return {};
}

msg::result<void> bus_bridge::open(bus::server_bus_options options, manager::node& to) {
  node_.store(&to);
  auto started = bus::server_bus::start(std::move(options), *this);
  if (!started) return msg::fail(started.error());
  bus_ = std::move(*started);
  return {};
}

void bus_bridge::close(std::chrono::milliseconds deadline) {
  if (!bus_) return;
  bus_->stop(deadline);
}

bool bus_bridge::reply(const rt::peer& to, rt::answer kind, std::string body) {
  auto* b = open_.load();
  if (!b) return false;
  bus::reply r;
  switch (kind) {
    case rt::answer::accepted: r.kind = bus::reply_kind::accepted; break;
    case rt::answer::progress: r.kind = bus::reply_kind::progress; break;
    case rt::answer::item: r.kind = bus::reply_kind::chunk; break;
    case rt::answer::result: r.kind = bus::reply_kind::result; break;
    case rt::answer::error: r.kind = bus::reply_kind::error; break;
  }
  r.request_id = to.request;
  if (body.size() > bus::body_max) {
    const msg::error e{msg::ec::too_large, "the answer is larger than a message may be", "ask for smaller pages", {}};
    r.kind = bus::reply_kind::error;
    body = msg::pack_map(e);
  }
  r.body = std::move(body);
  return b->send(bus::door::clients, to.connection, bus::encode(std::move(r)));
}

bool bus_bridge::send(const std::string& routing_id, uint64_t session, const msg::to_agent& message) {
  auto* b = open_.load();
  if (!b) return false;
  return b->send(bus::door::agents, routing_id,
                 bus::encode(bus::agent_message{std::to_string(message.index()), session, msg::pack(message)}));
}

bool bus_bridge::publish(rt::public_event e) {
  auto* b = open_.load();
  return b && b->publish({std::move(e.topic), {epoch_, e.seq}, std::move(e.body)});
}

bool bus_bridge::watched() const {
  auto* b = open_.load();
  return b && b->watched();
}

bool bus_bridge::publish_if_watched(uint64_t last_seq, size_t count,
                                    std::function<std::vector<rt::public_event>()> make) {
  auto* b = open_.load();
  if (!b) return false;
  return b->publish_if_watched(
      {{epoch_, last_seq}, count * event_bytes_guess, [epoch = epoch_, make = std::move(make)] {
         std::vector<bus::raw_event> out;
         for (auto& e : make()) out.push_back({std::move(e.topic), {epoch, e.seq}, std::move(e.body)});
         return out;
       }});
}

std::map<std::string, uint64_t> bus_bridge::counters() const {
  const auto* b = open_.load();
  if (!b) return {};
  const auto s = b->stats();
  return {{"bus_requests", s.requests},
          {"bus_agent_messages", s.agent_messages},
          {"bus_bad_messages", s.bad_messages},
          {"bus_slow", s.slow},
          {"bus_unreachable", s.unreachable},
          {"bus_refused", s.refused},
          {"bus_outbox", s.outbox},
          {"bus_outbox_bytes", s.outbox_bytes},
          {"bus_credits_clients", s.credits_clients},
          {"bus_credits_agents", s.credits_agents},
          {"bus_subscriptions", s.subscriptions}};
}

// The peer of a socket file, as the kernel reports it: "host:uid:gid:pid".
std::shared_ptr<const msg::principal> bus_bridge::local_user(const std::string& address) {
  const auto uid_at = address.find(':') + 1;
  const auto uid = uid_at == 0 ? std::string{} : address.substr(uid_at, address.find(':', uid_at) - uid_at);
  auto& known = local_[uid];
  if (!known)
    known = std::make_shared<const msg::principal>(msg::local_principal(uid.empty() ? "local" : "uid:" + uid));
  return known;
}

// Looked up for each request: what a key may do now counts, not what it could do when it connected.
std::shared_ptr<const msg::principal> bus_bridge::who_is(const bus::client_request& request) {
  if (request.key.empty()) return local_user(request.address);
  auto who = std::make_shared<msg::principal>();
  who->id = "key:" + request.key;
  who->how = msg::authentication::key;
  // A socket for both families shows IPv4 addresses in the form of IPv6.
  constexpr std::string_view mapped = "::ffff:";
  who->from = request.address.starts_with(mapped) ? request.address.substr(mapped.size()) : request.address;
  for (const auto& e : keys_.entries_of(request.key)) {
    if (e.role == bus::enrol_role) {
      who->id = "token:" + e.public_key;
      who->enrols = e.name;
      continue;
    }
    who->id = "key:" + e.name;
    // An agent has no grant: it makes no requests here.
    if (auto g = grant_of(e.role, e.agent, e.server, node_.load()->records())) who->grants.push_back(std::move(*g));
  }
  return who;
}

// An agent on the network is the one that its key belongs to, under no other name.
bus::admission bus_bridge::speaks_for(const std::string& key, const msg::from_agent& what) {
  if (key.empty()) return bus::admission::yes;
  const auto* hello = std::get_if<msg::hello>(&what);
  const auto answer = keys_.speaks_for(key, hello ? std::optional(hello->name) : std::nullopt);
  if (answer == bus::admission::yes) return answer;
  const bool other_name = hello && keys_.speaks_for(key, std::nullopt) == bus::admission::yes;
  log_limited(log_level::warn,
              answer == bus::admission::cannot_tell ? "agent.keys-unreadable"
              : other_name                          ? "agent.wrong-name"
                                                    : "agent.key-revoked",
              {{"key", bus::fingerprint(key)}, {"says", hello ? hello->name : ""}});
  return answer;
}

void bus_bridge::on_request(bus::client_request&& request) noexcept {
  rt::client_call call;
  call.by = who_is(request);
  call.who = {this, std::move(request.routing_id), std::move(request.id)};
  call.verb = std::move(request.verb);
  call.idempotency_key = std::move(request.idempotency_key);
  call.deadline = request.deadline;
  call.options = std::move(request.options);
  call.body = std::move(request.body);
  call.credit = std::make_shared<bus::credit>(std::move(request.token));
  node_.load()->request(std::move(call));
}

void bus_bridge::on_agent_message(bus::agent_inbound&& message) noexcept {
  auto what = msg::unpack<msg::from_agent>(message.body);
  if (!what) {
    log_limited(log_level::warn, "agent.bad-message", {{"tag", message.tag}, {"error", what.error().message}});
    return;
  }
  const auto admitted = speaks_for(message.key, *what);
  if (admitted == bus::admission::cannot_tell) return;  // ignored, but not refused for good either
  if (admitted == bus::admission::not_known) {
    // It gets an answer: an agent that is not admitted must not try for ever.
    send(message.routing_id, message.session,
         msg::refused{{msg::ec::unauthorised,
                       "the manager no longer knows this agent's key, or the key belongs to another agent",
                       "enrol it again: zedctl agent token --name NAME, then zedops-agent join",
                       {}},
                      true});
    return;
  }
  node_.load()->said(
      {std::move(message.routing_id), std::move(*what), std::make_shared<bus::credit>(std::move(message.token))});
}

void bus_bridge::on_bad_message(const bus::bad_message& bad) noexcept {
  if (bad.log)
    log_limited(log_level::warn, "bus.bad-message",
                {{"door", bus::name_of(bad.from)}, {"error", bad.reason.message}, {"suppressed", bad.suppressed}});
  if (bad.from == bus::door::clients && !bad.request_id.empty())
    reply({this, bad.routing_id, bad.request_id}, rt::answer::error, msg::pack_map(bad.reason));
}

void bus_bridge::on_unreachable(bus::door to, const std::string& routing_id) noexcept {
  auto* node = node_.load();
  if (!node) return;  // before the node is set no client can wait for an answer
  if (to == bus::door::agents) node->lost({routing_id});
  else if (to == bus::door::clients) node->client_lost({routing_id, this});
}

void bus_bridge::on_slow(bus::door to, const std::string&) noexcept {
  log_limited(log_level::warn, "bus.slow-peer", {{"door", bus::name_of(to)}});
}

}  // namespace zedops::app
