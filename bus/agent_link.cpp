#include "bus/agent_link.hpp"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <random>
#include <thread>

#include "bus/detail/outbox.hpp"
#include "bus/detail/socket.hpp"
#include "bus/endpoint.hpp"

namespace zedops::bus {
namespace {

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
  zmq::socket_t dealer;
  std::optional<detail::monitor> monitor;
  decltype(outbox)::batch batch;
  bool blocked = false;  // ZeroMQ took no more: wait until it does
  counters count;
  std::atomic<bool> connected{false}, stopping{false};
  std::atomic<int> linger_ms{0};
  std::thread thread;

  void open();
  void run() noexcept;
  void turn();
  void send_some(size_t budget);
  void drop_unsent();
  void read();
  void read_monitor();
};

void agent_link::impl::open() {
  dealer = detail::make_socket(context, zmq::socket_type::dealer,
                               {options.peer_queue_max, options.peer_queue_max, static_cast<int64_t>(body_max)});
  dealer.set(zmq::sockopt::routing_id, routing_id);
  dealer.set(zmq::sockopt::immediate, true);
  dealer.set(zmq::sockopt::reconnect_ivl, static_cast<int>(options.redial_min.count()));
  dealer.set(zmq::sockopt::reconnect_ivl_max, static_cast<int>(options.redial_max.count()));
  monitor.emplace(context, dealer);
  dealer.connect(options.manager_uri);
}

void agent_link::impl::run() noexcept {
  pthread_setname_np(pthread_self(), "zedops-link");
  while (!stopping) turn();
  do send_some(outbox.count());
  while (outbox.count() > 0 && !blocked);
  zmq_socket_monitor(dealer.handle(), nullptr, 0);
  monitor.reset();
  dealer.set(zmq::sockopt::linger, linger_ms.load());
  dealer.close();
}

void agent_link::impl::turn() {
  if (!blocked) send_some(detail::turn_budget_max);
  short wanted = static_cast<short>((pool->may_read() ? ZMQ_POLLIN : 0) | (blocked ? ZMQ_POLLOUT : 0));
  zmq_pollitem_t items[3] = {{nullptr, wake->fd(), ZMQ_POLLIN, 0},
                             {monitor->socket().handle(), 0, ZMQ_POLLIN, 0},
                             {dealer.handle(), 0, wanted, 0}};
  detail::poll(items, wanted ? 3 : 2, batch.empty() || blocked ? -1 : 0);
  ++count.wakeups;
  if (items[0].revents) wake->drain();
  if (items[1].revents) read_monitor();
  if (items[2].revents & ZMQ_POLLOUT) blocked = false;
  if (items[2].revents & ZMQ_POLLIN) read();
}

void agent_link::impl::send_some(size_t budget) {
  if (batch.empty()) batch = outbox.take();
  size_t n = 0, bytes = 0;
  for (; n < budget && !batch.empty(); ++n) {
    if (detail::send_frames(dealer, nullptr, batch.front().first) != detail::sent::yes) {
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
  while (auto event = monitor->next()) {
    if (*event == detail::monitor::event::connected && !connected) {
      ++count.connects;
      connected = true;
      outbox.set_closed(stopping);
      listener.on_connected();
    } else if (*event == detail::monitor::event::disconnected && connected) {
      outbox.set_closed(true);
      connected = false;
      drop_unsent();
      listener.on_disconnected();
    }
  }
}

void agent_link::impl::read() {
  for (size_t n = 0; n < detail::turn_budget_max && pool->may_read(); ++n) {
    auto in = detail::receive_frames(dealer, frame_count_max);
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
  if (auto path = ipc_path(options.manager_uri); !path) return msg::fail(path.error());
  try {
    auto p = std::make_unique<impl>(std::move(options), listener);
    if (p->wake->fd() < 0)
      return msg::fail(msg::ec::internal, "the process is out of file descriptors", "raise the limit (ulimit -n)");
    p->open();
    p->thread = std::thread([raw = p.get()] { raw->run(); });
    return std::unique_ptr<agent_link>(new agent_link(std::move(p)));
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
