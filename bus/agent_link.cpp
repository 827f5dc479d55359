#include "bus/agent_link.hpp"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <random>
#include <thread>

#include "bus/detail/outbox.hpp"
#include "bus/detail/socket.hpp"
#include "bus/detail/zap.hpp"
#include "bus/endpoint.hpp"

namespace zedops::bus {
namespace {

using clock = std::chrono::steady_clock;

std::string new_routing_id() {
  std::random_device entropy;
  std::string id = "agent-";
  for (int i = 0; i < 16; ++i) id += "0123456789abcdef"[entropy() % 16];
  return id;
}

struct counters {
  std::atomic<uint64_t> received{0}, sent{0}, bad_messages{0}, dropped{0}, connects{0}, wakeups{0};
};

}  // namespace

struct agent_link::impl {
  impl(agent_link_options o, agent_link_listener& l)
      : options(std::move(o)),
        listener(l),
        outbox(options.outbox_max, options.outbox_bytes_max),
        pool(std::make_shared<credit_pool>(options.inbound_max, [w = wake] { w->fire(); })) {
    outbox.set_closed(true);  // until connected
  }

  agent_link_options options;
  agent_link_listener& listener;
  const std::string routing_id = new_routing_id();
  zmq::context_t context;
  std::shared_ptr<detail::wake_fd> wake = std::make_shared<detail::wake_fd>();
  detail::outbox<frames> outbox;
  std::shared_ptr<credit_pool> pool;
  // A socket per connection, closed when it breaks: what it still holds was meant for the connection before. That is
  // what ZMQ_IMMEDIATE is for, but with it libzmq 4.3.4 aborts when a connection breaks inside a message being read.
  struct connection {
    connection(zmq::context_t& context, const agent_link_options& o, const std::string& routing_id);
    zmq::socket_t dealer;
    detail::monitor monitor;
  };
  std::optional<connection> link;
  clock::time_point redial_at{};                   // without a link: when to make the next
  std::optional<clock::time_point> unknown_since;  // since then the manager only answers that this key is unknown
  clock::time_point dialled_at{};
  mutable std::mutex keys;  // guards the manager's keys in the options, and which of them has answered
  std::string answered;
  decltype(outbox)::batch batch;
  bool blocked = false;  // ZeroMQ took no more: wait until it does
  counters count;
  std::atomic<bool> connected{false}, stopping{false};
  std::atomic<int> linger_ms{0};
  std::thread thread;

  void run() noexcept;
  void turn();
  void send_some(size_t budget);
  void drop_unsent();
  void wait_to_redial();
  void dial();
  void try_other_key();
  std::optional<std::chrono::milliseconds> until_other_key() const;
  void on_break();
  void read();
  void read_monitor();
};

agent_link::impl::connection::connection(zmq::context_t& context, const agent_link_options& o,
                                         const std::string& routing_id)
    : dealer(detail::make_socket(context, zmq::socket_type::dealer,
                                 {o.peer_queue_max, o.peer_queue_max, static_cast<int64_t>(body_max),
                                  // A network can lose messages silently: heartbeats then end the connection, and
                                  // it is dialled anew. On one machine the kernel reports it.
                                  is_tcp(o.manager.uri)})),
      monitor(context, dealer) {
  dealer.set(zmq::sockopt::heartbeat_ttl, 0);  // the manager has thousands of these, and pings of its own
  dealer.set(zmq::sockopt::routing_id, routing_id);
  dealer.set(zmq::sockopt::reconnect_ivl, static_cast<int>(o.redial_min.count()));
  dealer.set(zmq::sockopt::reconnect_ivl_max, static_cast<int>(o.redial_max.count()));
  detail::dial_with(dealer, o.manager);
  dealer.connect(o.manager.uri);
}

void agent_link::impl::run() noexcept {
  pthread_setname_np(pthread_self(), "zedops-link");
  while (!stopping) link ? turn() : wait_to_redial();
  if (!link) return;
  do send_some(outbox.count());
  while (outbox.count() > 0 && !blocked);
  link->dealer.set(zmq::sockopt::linger, linger_ms.load());
  link.reset();
}

// A dial that fails is repeated by ZeroMQ; a connection that breaks is followed by this pause, so that a manager which
// hangs up at once is not dialled in a tight loop.
void agent_link::impl::wait_to_redial() {
  zmq_pollitem_t item{nullptr, wake->fd(), ZMQ_POLLIN, 0};
  auto left = std::chrono::ceil<std::chrono::milliseconds>(redial_at - clock::now()).count();
  detail::poll(&item, 1, left > 0 ? left : 0);
  if (item.revents) wake->drain();
  if (!stopping && clock::now() >= redial_at) dial();
}

void agent_link::impl::dial() {
  std::lock_guard guard(keys);
  dialled_at = clock::now();
  link.emplace(context, options, routing_id);
}

// A manager with another key than the one that is expected does not say so: it hangs up, or says nothing.
std::optional<std::chrono::milliseconds> agent_link::impl::until_other_key() const {
  std::lock_guard guard(keys);
  if (connected || options.other_key.empty()) return std::nullopt;
  return std::max(std::chrono::milliseconds(0),
                  std::chrono::ceil<std::chrono::milliseconds>(dialled_at + options.key_patience - clock::now()));
}

void agent_link::impl::try_other_key() {
  link.reset();
  {
    std::lock_guard guard(keys);
    std::swap(options.manager.manager_key, options.other_key);
  }
  redial_at = clock::now();
}

void agent_link::impl::turn() {
  if (!blocked) send_some(detail::turn_budget_max);
  short wanted = static_cast<short>((pool->may_read() ? ZMQ_POLLIN : 0) | (blocked ? ZMQ_POLLOUT : 0));
  zmq_pollitem_t items[3] = {{nullptr, wake->fd(), ZMQ_POLLIN, 0},
                             {link->monitor.socket().handle(), 0, ZMQ_POLLIN, 0},
                             {link->dealer.handle(), 0, wanted, 0}};
  // Not batch.empty(): more may have been pushed, and its wake-up drained, while the batch was being sent.
  const auto patience = until_other_key();
  const long idle = patience ? static_cast<long>(patience->count()) : -1;
  detail::poll(items, wanted ? 3 : 2, outbox.count() == 0 || blocked ? idle : 0);
  ++count.wakeups;
  if (patience && patience->count() == 0) return try_other_key();
  if (items[0].revents) wake->drain();
  if (items[2].revents & ZMQ_POLLOUT) blocked = false;
  if (items[2].revents & ZMQ_POLLIN) read();
  if (items[1].revents) read_monitor();
}

void agent_link::impl::send_some(size_t budget) {
  if (batch.empty()) batch = outbox.take();
  size_t n = 0, bytes = 0;
  for (; n < budget && !batch.empty(); ++n) {
    if (detail::send_frames(link->dealer, nullptr, std::move(batch.front().first)) != detail::sent::yes) {
      blocked = true;
      break;
    }
    bytes += batch.front().second;
    batch.pop_front();
  }
  count.sent += n;
  if (n > 0) outbox.done(n, bytes);
}

void agent_link::impl::drop_unsent() {
  for (;;) {
    if (batch.empty()) batch = outbox.take();
    if (batch.empty()) break;
    size_t bytes = 0;
    for (const auto& [message, size] : batch) bytes += size;
    count.dropped += batch.size();
    outbox.done(batch.size(), bytes);
    batch.clear();
  }
  blocked = false;
}

void agent_link::impl::read_monitor() {
  while (auto event = link->monitor.next()) {
    if (*event == detail::monitor::event::connected) {
      ++count.connects;
      unknown_since.reset();
      {
        std::lock_guard guard(keys);
        answered = options.manager.manager_key;
      }
      connected = true;
      outbox.set_closed(stopping);
      listener.on_connected();
    } else if (*event == detail::monitor::event::disconnected) {
      if (connected) return on_break();
    } else if (*event == detail::monitor::event::key_refused || *event == detail::monitor::event::not_now) {
      const auto now = clock::now();
      if (*event == detail::monitor::event::not_now) unknown_since.reset();
      else if (!unknown_since) unknown_since = now;
      // ZeroMQ gives such a connection up for good; the key may be admitted later.
      link.reset();
      redial_at = now + options.redial_max;
      listener.on_refused(unknown_since && now - *unknown_since >= options.refused_max);
      return;
    }
  }
}

void agent_link::impl::on_break() {
  outbox.set_closed(true);
  link.reset();
  redial_at = clock::now() + options.redial_min;
  drop_unsent();
  if (connected.exchange(false)) listener.on_disconnected();
}

void agent_link::impl::read() {
  for (size_t n = 0; n < detail::turn_budget_max && pool->may_read(); ++n) {
    auto in = detail::receive_frames(link->dealer, frame_count_max);
    if (!in) return;
    auto parsed = parse_agent_message(std::move(in->parts));
    if (!parsed) {
      ++count.bad_messages;
      listener.on_bad_message(parsed.error());
      continue;
    }
    ++count.received;
    listener.on_message({std::move(*parsed), credit(pool)});
  }
}

msg::result<std::unique_ptr<agent_link>> agent_link::start(agent_link_options options, agent_link_listener& listener) {
  if (auto ok = usable(options.manager.uri, !options.manager.manager_key.empty()); !ok) return msg::fail(ok.error());
  try {
    auto p = std::make_unique<impl>(std::move(options), listener);
    if (p->wake->fd() < 0)
      return msg::fail(msg::ec::internal, "the process is out of file descriptors", "raise the limit (ulimit -n)");
    p->dial();
    std::unique_ptr<agent_link> link(new agent_link(std::move(p)));
    link->impl_->thread = std::thread([l = link.get()] {
      l->impl_->listener.on_start(*l);
      l->impl_->run();
    });
    return link;
  } catch (const zmq::error_t& e) {
    return msg::fail(detail::from_zmq("opening the link to the manager", e));
  } catch (const std::exception& e) {
    return msg::fail(msg::ec::internal, std::string("cannot start the link to the manager: ") + e.what(),
                     "check the limits of threads and of memory");
  }
}

agent_link::agent_link(std::unique_ptr<impl> p) : impl_(std::move(p)) {}
agent_link::~agent_link() { stop(std::chrono::milliseconds(0)); }

bool agent_link::send(agent_message message) {
  frames f = encode(std::move(message));
  size_t bytes = detail::bytes_of(f);
  return impl_->outbox.push(std::move(f), bytes, *impl_->wake);
}

bool agent_link::connected() const { return impl_->connected; }
void agent_link::also_expect(std::string manager_key) {
  {
    std::lock_guard guard(impl_->keys);
    if (manager_key == impl_->options.manager.manager_key) return;
    impl_->options.other_key = std::move(manager_key);
  }
  impl_->wake->fire();
}
std::string agent_link::answered_with() const {
  std::lock_guard guard(impl_->keys);
  return impl_->answered;
}
const std::string& agent_link::routing_id() const { return impl_->routing_id; }

void agent_link::stop(std::chrono::milliseconds deadline) {
  if (!impl_->thread.joinable()) return;
  impl_->outbox.set_closed(true);
  impl_->linger_ms = static_cast<int>(deadline.count());
  impl_->stopping = true;
  impl_->wake->fire();
  impl_->thread.join();
  impl_->context.close();
}

agent_link_stats agent_link::stats() const {
  const auto& c = impl_->count;
  agent_link_stats s;
  s.received = c.received, s.sent = c.sent, s.bad_messages = c.bad_messages, s.dropped = c.dropped;
  s.connects = c.connects, s.wakeups = c.wakeups;
  s.outbox = impl_->outbox.count(), s.outbox_bytes = impl_->outbox.bytes();
  return s;
}

}  // namespace zedops::bus
