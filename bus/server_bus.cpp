#include "bus/server_bus.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "bus/detail/event_doors.hpp"
#include "bus/detail/line_limiter.hpp"
#include "bus/detail/outbox.hpp"
#include "bus/detail/socket.hpp"
#include "bus/detail/zap.hpp"
#include "bus/endpoint.hpp"

namespace zedops::bus {
namespace {

using detail::line_limiter;
struct out_item {
  door to;
  std::string routing_id;
  frames message;
  cursor at;                                     // of an event
  std::function<std::vector<raw_event>()> make;  // events that are still to be made
};

struct counters {
  std::atomic<uint64_t> requests{0}, agent_messages{0}, bad_messages{0}, sent{0}, published{0}, unreachable{0}, slow{0},
      refused{0}, wakeups{0};
};

}  // namespace

std::string_view name_of(door d) {
  constexpr std::string_view names[] = {"clients", "agents", "events"};
  return names[static_cast<size_t>(d)];
}

bool server_bus_options::on_network() const {
  for (const auto* uris : {&clients_uris, &agents_uris, &events_uris})
    if (std::any_of(uris->begin(), uris->end(), is_tcp)) return true;
  return false;
}

struct server_bus::impl {
  static constexpr char local_mark = 'l', network_mark = 'n';
  // One ROUTER with the credits of its door.
  struct entrance {
    door name;
    zmq::socket_t socket;
    std::shared_ptr<credit_pool> pool;
    line_limiter lines;
    char mark;  // first letter of its peers' routing ids outside of this class: which socket they belong to
    size_t prefix_bytes() const { return mark == network_mark ? 1 + key_text_bytes : 1; }
  };

  impl(server_bus_options o, server_bus_listener& l)
      : options(std::move(o)),
        listener(l),
        outbox(options.limits.outbox_max, options.limits.outbox_bytes_max),
        events(options, listener, count.bad_messages) {}

  server_bus_options options;
  server_bus_listener& listener;
  std::vector<endpoint_claim> claims;  // given up last, once the sockets are closed
  zmq::context_t context;
  std::unique_ptr<detail::zap_handler> zap;  // while there are sockets on the network
  // Shared with the credits, which may come back after the bus has gone.
  std::shared_ptr<detail::wake_fd> wake = std::make_shared<detail::wake_fd>();
  detail::outbox<out_item> outbox;
  std::vector<entrance> entrances;
  decltype(outbox)::batch batch;  // taken from the outbox, not yet sent
  cursor head;
  counters count;
  detail::event_doors events;
  std::atomic<bool> stopping{false};
  std::atomic<int> linger_ms{0};
  std::thread thread;

  void open();
  msg::result<void> bind(zmq::socket_t& socket, const std::vector<std::string>& uris);
  msg::result<void> bind_network(zmq::socket_t& socket, const std::vector<std::string>& uris);
  msg::result<void> bind_all();
  entrance make_entrance(door name, char mark);
  void run() noexcept;
  void turn();
  void send_some(size_t budget);
  void send_one(out_item& item);
  void send_event(const frames& message);
  void read(entrance& from);
  void accept(entrance& from, detail::incoming in);
  void refuse(entrance& from, std::string routing_id, std::string request_id, msg::error reason);
};

server_bus::impl::entrance server_bus::impl::make_entrance(door name, char mark) {
  const auto& limits = options.limits;
  entrance e{name,
             detail::make_socket(context, zmq::socket_type::router,
                                 {limits.peer_queue_max, limits.peer_queue_max, static_cast<int64_t>(body_max),
                                  name != door::agents}),  // those have pings of their own
             std::make_shared<credit_pool>(limits.inbound_max, [w = wake] { w->fire(); }),
             line_limiter(limits.bad_lines_per_second_max), mark};
  e.socket.set(zmq::sockopt::router_mandatory, true);
  // The last connection with an id has it. An agent keeps its id when it redials and must not be locked out by its own
  // dead connection; at a socket file no client may do more than another. On the network clients get their id from
  // ZeroMQ, and none may take over the replies of another.
  const bool network = mark == network_mark;
  if (name == door::agents || !network) e.socket.set(zmq::sockopt::router_handover, true);
  if (network) detail::guard(e.socket, options.key, name_of(name));
  else detail::guard_local(e.socket);
  return e;
}

void server_bus::impl::open() {
  context.set(zmq::ctxopt::max_sockets, detail::sockets_max);
  entrances.push_back(make_entrance(door::clients, local_mark));
  entrances.push_back(make_entrance(door::agents, local_mark));
  events.add(context, false);
  head = options.head;
  if (!options.on_network() || options.key.secret_key.empty()) return;
  zap = std::make_unique<detail::zap_handler>(context, [this](std::string_view domain, std::string_view key) {
    for (auto d : {door::clients, door::agents, door::events})
      if (name_of(d) == domain && options.admits) return options.admits(d, key);
    return admission::not_known;
  });
  entrances.push_back(make_entrance(door::clients, network_mark));
  entrances.push_back(make_entrance(door::agents, network_mark));
  events.add(context, true);
}

msg::result<void> server_bus::impl::bind(zmq::socket_t& socket, const std::vector<std::string>& uris) {
  for (const auto& uri : uris) {
    if (is_tcp(uri)) continue;
    auto claim = endpoint_claim::take(uri);
    if (!claim) return msg::fail(claim.error());
    try {
      socket.bind(uri);
    } catch (const zmq::error_t& e) {
      return msg::fail(detail::from_zmq("listening at " + uri, e));
    }
    if (auto guarded = claim->guard(); !guarded) return guarded;
    claims.push_back(std::move(*claim));
  }
  return {};
}

msg::result<void> server_bus::impl::bind_network(zmq::socket_t& socket, const std::vector<std::string>& uris) {
  for (const auto& uri : uris) {
    if (!is_tcp(uri)) continue;
    try {
      socket.bind(uri);
    } catch (const zmq::error_t& e) {
      return msg::fail(e.num() == EADDRINUSE ? msg::ec::already_exists : msg::ec::bad_request,
                       "cannot listen at " + uri + ": " + e.what(),
                       "the address must be one of this machine, and the port free: ss -ltn");
    }
  }
  return {};
}

msg::result<void> server_bus::impl::bind_all() {
  for (const auto* uris : {&options.clients_uris, &options.agents_uris, &options.events_uris})
    for (const auto& uri : *uris)
      if (auto ok = usable(uri, !options.key.secret_key.empty()); !ok) return ok;
  if (!options.runtime_dir.empty())
    if (auto made = ensure_runtime_dir(options.runtime_dir); !made) return made;
  if (zap && !detail::refuses_strangers(context, options.key))
    return msg::fail(msg::ec::internal, "the test at start-up failed: a connection with an unknown key was not refused",
                     "the manager does not listen on the network with this libzmq: check the version of libzmq5");
  if (auto ok = bind(entrances[0].socket, options.clients_uris); !ok) return ok;
  if (auto ok = bind(entrances[1].socket, options.agents_uris); !ok) return ok;
  if (auto ok = bind(events.sockets()[0], options.events_uris); !ok || !zap) return ok;
  if (auto ok = bind_network(entrances[2].socket, options.clients_uris); !ok) return ok;
  if (auto ok = bind_network(entrances[3].socket, options.agents_uris); !ok) return ok;
  return bind_network(events.sockets()[1], options.events_uris);
}

void server_bus::impl::run() noexcept {
  pthread_setname_np(pthread_self(), "zedops-bus");
  while (!stopping) turn();
  do send_some(outbox.count());
  while (outbox.count() > 0);
  for (auto& e : entrances) {
    e.socket.set(zmq::sockopt::linger, linger_ms.load());
    e.socket.close();
  }
  for (auto& e : events.sockets()) {
    e.set(zmq::sockopt::linger, linger_ms.load());
    e.close();
  }
}

void server_bus::impl::turn() {
  send_some(detail::turn_budget_max);
  constexpr size_t sockets = 7;  // eventfd, two for events, four entrances
  zmq_pollitem_t items[sockets];
  entrance* readable[sockets];
  size_t n = 0;
  items[n++] = {nullptr, wake->fd(), ZMQ_POLLIN, 0};
  for (auto& e : events.sockets()) items[n++] = {e.handle(), 0, ZMQ_POLLIN, 0};
  const size_t first = n;
  for (auto& e : entrances) {
    if (!e.pool->may_read()) continue;
    readable[n - first] = &e;
    items[n++] = {e.socket.handle(), 0, ZMQ_POLLIN, 0};
  }
  // Not batch.empty(): more may have been pushed, and its wake-up drained, while the batch was being sent.
  constexpr int rights_ms = 1'000;
  const bool looks = events.look_after_rights(std::chrono::steady_clock::now());
  detail::poll(items, n, outbox.count() > 0 ? 0 : looks ? rights_ms : -1);
  ++count.wakeups;
  // Drained before the outbox is looked at: a push from now on fires again.
  if (items[0].revents) wake->drain();
  for (size_t i = 0; i < events.sockets().size(); ++i)
    if (items[1 + i].revents) events.read(i, head);
  for (size_t i = first; i < n; ++i)
    if (items[i].revents) read(*readable[i - first]);
}

void server_bus::impl::send_some(size_t budget) {
  if (batch.empty()) batch = outbox.take();
  size_t n = 0, bytes = 0;
  for (; n < budget && !batch.empty(); ++n) {
    send_one(batch.front().first);
    bytes += batch.front().second;
    batch.pop_front();
  }
  if (n > 0) outbox.done(n, bytes);
}

void server_bus::impl::send_one(out_item& item) {
  if (item.to == door::events) {
    if (!item.make) send_event(item.message);
    else if (events.watched())
      for (auto& e : item.make()) send_event(encode(std::move(e)));
    head = item.at;
    return;
  }
  const auto to = std::find_if(entrances.begin(), entrances.end(), [&](const entrance& e) {
    return e.name == item.to && !item.routing_id.empty() && e.mark == item.routing_id.front();
  });
  if (to == entrances.end()) return listener.on_unreachable(item.to, item.routing_id);
  const auto peer = item.routing_id.substr(std::min(to->prefix_bytes(), item.routing_id.size()));
  switch (detail::send_frames(to->socket, &peer, std::move(item.message))) {
    case detail::sent::yes: ++count.sent; return;
    case detail::sent::full: ++count.slow; return listener.on_slow(item.to, item.routing_id);
    case detail::sent::unreachable: ++count.unreachable; return listener.on_unreachable(item.to, item.routing_id);
  }
}

void server_bus::impl::send_event(const frames& message) {
  events.send(message);
  ++count.published;
}

void server_bus::impl::read(entrance& from) {
  constexpr size_t with_routing_id = frame_count_max + 1;
  for (size_t n = 0; n < detail::turn_budget_max && from.pool->may_read(); ++n) {
    auto in = detail::receive_frames(from.socket, with_routing_id);
    if (!in) return;
    accept(from, std::move(*in));
  }
}

void server_bus::impl::accept(entrance& from, detail::incoming in) {
  if (from.mark == local_mark) in.key.clear();  // nobody checks keys there: the peer itself can have named one
  // With the key: a peer chooses the rest itself, and must not be taken for another that has chosen the same.
  std::string routing_id = from.mark + in.key + in.parts.front();
  in.parts.erase(in.parts.begin());
  std::string request_id = from.name == door::clients ? request_id_of(in.parts) : std::string();
  if (in.oversized)
    return refuse(from, std::move(routing_id), std::move(request_id),
                  {msg::ec::bad_request,
                   "the message has more than " + std::to_string(frame_count_max) + " frames",
                   "docs/protocol.md describes the frames",
                   {}});
  if (from.name == door::clients) {
    auto parsed = parse_request(std::move(in.parts));
    if (!parsed) return refuse(from, std::move(routing_id), std::move(request_id), std::move(parsed.error()));
    ++count.requests;
    listener.on_request(
        {std::move(*parsed), std::move(routing_id), std::move(in.address), std::move(in.key), credit(from.pool)});
  } else {
    auto parsed = parse_agent_message(std::move(in.parts));
    if (!parsed) return refuse(from, std::move(routing_id), std::move(request_id), std::move(parsed.error()));
    ++count.agent_messages;
    listener.on_agent_message({std::move(*parsed), std::move(routing_id), std::move(in.key), credit(from.pool)});
  }
}

void server_bus::impl::refuse(entrance& from, std::string routing_id, std::string request_id, msg::error reason) {
  ++count.bad_messages;
  auto line = from.lines.permit();
  listener.on_bad_message(
      {from.name, std::move(routing_id), std::move(request_id), std::move(reason), line.value_or(0), line.has_value()});
}

msg::result<std::unique_ptr<server_bus>> server_bus::start(server_bus_options options, server_bus_listener& listener) {
  try {
    auto p = std::make_unique<impl>(std::move(options), listener);
    if (p->wake->fd() < 0)
      return msg::fail(msg::ec::internal, "the process is out of file descriptors", "raise the limit (ulimit -n)");
    p->open();
    if (auto bound = p->bind_all(); !bound) return msg::fail(bound.error());
    std::unique_ptr<server_bus> bus(new server_bus(std::move(p)));
    bus->impl_->thread = std::thread([b = bus.get()] {
      b->impl_->listener.on_start(*b);
      b->impl_->run();
    });
    return bus;
  } catch (const zmq::error_t& e) {
    return msg::fail(detail::from_zmq("opening the bus", e));
  } catch (const std::system_error& e) {
    return msg::fail(msg::ec::internal, std::string("cannot start the bus thread: ") + e.what(),
                     "check the limits of threads and of memory");
  }
}

server_bus::server_bus(std::unique_ptr<impl> p) : impl_(std::move(p)) {}
server_bus::~server_bus() { stop(std::chrono::milliseconds(0)); }

bool server_bus::send(door to, std::string routing_id, frames message) {
  size_t bytes = sizeof(out_item) + routing_id.size() + detail::bytes_of(message);
  if (impl_->outbox.push({to, std::move(routing_id), std::move(message), {}, {}}, bytes, *impl_->wake)) return true;
  ++impl_->count.refused;
  return false;
}

bool server_bus::publish(raw_event event) {
  cursor at = event.at;
  frames message = encode(std::move(event));
  size_t bytes = sizeof(out_item) + detail::bytes_of(message);
  if (impl_->outbox.push({door::events, {}, std::move(message), at, {}}, bytes, *impl_->wake)) return true;
  ++impl_->count.refused;
  return false;
}

bool server_bus::watched() const { return impl_->events.watched(); }

bool server_bus::publish_if_watched(unmade_events e) {
  const size_t bytes = sizeof(out_item) + e.bytes;
  if (impl_->outbox.push({door::events, {}, {}, e.last, std::move(e.make)}, bytes, *impl_->wake)) return true;
  ++impl_->count.refused;
  return false;
}

void server_bus::stop(std::chrono::milliseconds deadline) {
  if (!impl_->thread.joinable()) return;
  impl_->outbox.set_closed(true);
  impl_->linger_ms = static_cast<int>(deadline.count());
  impl_->stopping = true;
  impl_->wake->fire();
  impl_->thread.join();
  impl_->zap.reset();
  impl_->context.close();  // waits until ZeroMQ has handed over what is queued, at most the linger time
  impl_->claims.clear();
}

server_bus_stats server_bus::stats() const {
  const auto& c = impl_->count;
  server_bus_stats s;
  s.requests = c.requests, s.agent_messages = c.agent_messages, s.bad_messages = c.bad_messages;
  s.sent = c.sent, s.published = c.published, s.unreachable = c.unreachable, s.slow = c.slow;
  s.refused = c.refused, s.wakeups = c.wakeups, s.subscriptions = impl_->events.subscriptions(),
  s.outbox = impl_->outbox.count();
  s.outbox_bytes = impl_->outbox.bytes();
  for (const auto& e : impl_->entrances)
    (e.name == door::clients ? s.credits_clients : s.credits_agents) += e.pool->outstanding();
  return s;
}

}  // namespace zedops::bus
