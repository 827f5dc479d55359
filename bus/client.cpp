#include "bus/client.hpp"

#include <algorithm>

#include "bus/detail/dial.hpp"
#include "bus/detail/socket.hpp"
#include "bus/endpoint.hpp"
#include "messages/time.hpp"

namespace zedops::bus {
namespace {

using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int queue_max = 10'000;  // messages per direction that ZeroMQ holds for a client

long left_ms(clock::time_point until) {
  auto left = std::chrono::ceil<milliseconds>(until - clock::now()).count();
  return left > 0 ? static_cast<long>(left) : 0;
}

}  // namespace

struct client::impl {
  explicit impl(std::string u) : uri(std::move(u)), context(detail::shared_context()) {
    dealer =
        detail::make_socket(*context, zmq::socket_type::dealer, {queue_max, queue_max, static_cast<int64_t>(body_max)});
    dealer.set(zmq::sockopt::immediate, true);
    monitor.emplace(*context, dealer);
    dealer.connect(uri);
  }
  ~impl() { zmq_socket_monitor(dealer.handle(), nullptr, 0); }

  std::string uri;
  std::shared_ptr<zmq::context_t> context;
  zmq::socket_t dealer;
  std::optional<detail::monitor> monitor;
  uint64_t last_id = 0;
  size_t open = 0;      // requests without a final reply
  bool broken = false;  // the connection was lost: nothing more will come for the open requests

  void read_monitor() {
    // A break between requests is nobody's loss: ZeroMQ redials by itself.
    while (auto event = monitor->next()) broken |= open > 0 && *event == detail::monitor::event::disconnected;
  }

  // Waits until the dealer can do `what`, the connection breaks or the time is over.
  bool wait_for(short what, clock::time_point until) {
    for (;;) {
      zmq_pollitem_t items[2] = {{dealer.handle(), 0, what, 0}, {monitor->socket().handle(), 0, ZMQ_POLLIN, 0}};
      long left = left_ms(until);
      detail::poll(items, 2, left);
      if (items[0].revents) return true;
      if (items[1].revents) read_monitor();
      if (broken || left == 0) return false;
    }
  }

  msg::result<void> send(const frames& message, milliseconds deadline) {
    constexpr milliseconds look_again(250);  // a manager that dies before it answers the dial shows only in its socket
    read_monitor();
    auto until = clock::now() + deadline;
    while (!broken && detail::send_frames(dealer, nullptr, message) != detail::sent::yes) {
      if (auto there = probe(uri); !there) return there;
      if (clock::now() >= until) return msg::fail(too_late(deadline));
      wait_for(ZMQ_POLLOUT, std::min(until, clock::now() + look_again));
    }
    if (broken) return msg::fail(lost());
    ++open;
    return {};
  }

  msg::error lost() {
    broken = false;
    open = 0;
    if (auto there = probe(uri); !there && there.error().code == msg::ec::agent_unreachable) {
      there.error().message += "; the connection broke while a request was open";
      return there.error();
    }
    return {msg::ec::agent_unreachable,
            "the manager at " + uri + " closed the connection before it answered",
            "whether the request was carried out is not known: look at the operations, or repeat it with the same "
            "idempotency key",
            {}};
  }
  msg::error too_late(milliseconds deadline) {
    return {msg::ec::timeout,
            "the manager at " + uri + " did not answer within " + msg::format_duration(deadline),
            "the work may still go on: look at the operations; give more time with --timeout",
            {}};
  }
};

msg::result<client> client::connect(const std::string& uri) {
  if (auto there = probe(uri); !there) return msg::fail(there.error());
  try {
    return client(std::make_unique<impl>(uri));
  } catch (const zmq::error_t& e) {
    return msg::fail(detail::from_zmq("connecting to " + uri, e));
  }
}

client::client(std::unique_ptr<impl> p) : impl_(std::move(p)) {}
client::client(client&&) noexcept = default;
client& client::operator=(client&&) noexcept = default;
client::~client() = default;

msg::result<std::string> client::post(const std::string& verb, std::string body, request_options options) {
  struct request r;
  r.id = std::to_string(++impl_->last_id);
  r.verb = verb;
  r.idempotency_key = std::move(options.idempotency_key);
  r.deadline = options.deadline;
  r.options = std::move(options.options);
  r.body = std::move(body);
  if (auto ok = check(r); !ok) return msg::fail(ok.error());
  std::string id = r.id;
  frames message = encode(std::move(r));
  if (auto sent = impl_->send(message, options.deadline); !sent) return msg::fail(sent.error());
  return id;
}

msg::result<std::optional<reply>> client::receive(milliseconds wait) {
  auto in = detail::receive_frames(impl_->dealer, frame_count_max);
  if (!in) {
    if (!impl_->wait_for(ZMQ_POLLIN, clock::now() + wait)) {
      if (impl_->broken) return msg::fail(impl_->lost());
      return std::nullopt;
    }
    in = detail::receive_frames(impl_->dealer, frame_count_max);
    if (!in) return std::nullopt;
  }
  auto parsed = parse_reply(std::move(in->parts));
  if (!parsed) return msg::fail(parsed.error());
  if (is_final(parsed->kind) && impl_->open > 0) --impl_->open;
  return std::optional<reply>(std::move(*parsed));
}

msg::result<reply> client::request(const std::string& verb, std::string body, request_options options,
                                   const interim_fn& on_interim) {
  auto deadline = options.deadline;
  auto until = clock::now() + deadline;
  auto id = post(verb, std::move(body), std::move(options));
  if (!id) return msg::fail(id.error());
  for (;;) {
    auto got = receive(milliseconds(left_ms(until)));
    if (!got) return msg::fail(got.error());
    if (*got && (*got)->request_id == *id) {  // others are late answers to requests that were given up
      if (is_final((*got)->kind)) return std::move(**got);
      if (on_interim) on_interim(**got);
    }
    if (clock::now() >= until) return msg::fail(impl_->too_late(deadline));
  }
}

}  // namespace zedops::bus
