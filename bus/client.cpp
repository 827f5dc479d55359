#include "bus/client.hpp"

#include <algorithm>
#include <utility>

#include "bus/detail/dial.hpp"
#include "bus/detail/socket.hpp"
#include "bus/detail/zap.hpp"
#include "bus/endpoint.hpp"
#include "messages/base/time.hpp"

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
  // Not reused after it broke: what ZeroMQ still holds for a dead manager must not reach the next one. ZMQ_IMMEDIATE
  // would say so more simply, but with it libzmq 4.3.4 aborts when a connection breaks inside a message being read.
  struct connection {
    connection(zmq::context_t& context, const address& to)
        : dealer(detail::make_socket(context, zmq::socket_type::dealer,
                                     {queue_max, queue_max, static_cast<int64_t>(body_max)})),
          monitor(context, dealer) {
      detail::dial_with(dealer, to);
      dealer.connect(to.uri);
    }
    zmq::socket_t dealer;
    detail::monitor monitor;
    bool up = false, broken = false, key_refused = false, not_understood = false;

    void read_monitor() {
      while (auto event = monitor.next()) {
        up |= *event == detail::monitor::event::connected;
        broken |= up && *event == detail::monitor::event::disconnected;
        key_refused |= *event == detail::monitor::event::key_refused || *event == detail::monitor::event::not_now;
        not_understood |= *event == detail::monitor::event::not_understood;
      }
    }
    // Waits until there is something to read, the connection comes or goes, or the time is over.
    void wait(clock::time_point until) {
      zmq_pollitem_t items[2] = {{dealer.handle(), 0, ZMQ_POLLIN, 0}, {monitor.socket().handle(), 0, ZMQ_POLLIN, 0}};
      detail::poll(items, 2, left_ms(until));
      if (items[1].revents) read_monitor();
    }
  };

  explicit impl(address a) : to(std::move(a)), context(detail::shared_context()) { link.emplace(*context, to); }

  const address to;
  const std::string& uri = to.uri;
  std::shared_ptr<zmq::context_t> context;
  std::optional<connection> link;
  uint64_t last_id = 0;
  size_t open = 0;  // requests without a final reply

  msg::result<void> ready(clock::time_point until, milliseconds deadline) {
    constexpr milliseconds look_again(250);  // a manager that dies before it answers the dial shows only in its socket
    if (link) link->read_monitor();
    if (link && link->broken) {
      link.reset();
      if (std::exchange(open, 0) > 0) return msg::fail(lost());  // otherwise nothing was lost: dial again
    }
    while (!link || !link->up) {
      if (auto there = probe(to); !there) return there;
      if (!link) link.emplace(*context, to);
      if (link->key_refused) {
        link.reset();  // ZeroMQ does not dial it again
        return msg::fail(stranger());
      }
      if (clock::now() >= until) return msg::fail(is_tcp(uri) ? nobody(deadline) : too_late(deadline));
      link->wait(std::min(until, clock::now() + look_again));
    }
    return {};
  }

  msg::result<void> send(frames message, milliseconds deadline) {
    auto until = clock::now() + deadline;
    if (auto ok = ready(until, deadline); !ok) return ok;
    while (detail::send_frames(link->dealer, nullptr, std::move(message)) != detail::sent::yes) {
      zmq_pollitem_t room{link->dealer.handle(), 0, ZMQ_POLLOUT, 0};
      detail::poll(&room, 1, left_ms(until));
      if (clock::now() >= until) return msg::fail(too_late(deadline));
    }
    ++open;
    return {};
  }

  msg::error lost() {
    if (auto there = probe(to); !there && there.error().code == msg::ec::agent_unreachable) {
      there.error().message += "; the connection broke while a request was open";
      return there.error();
    }
    return {msg::ec::agent_unreachable,
            "the manager at " + uri + " closed the connection before it answered",
            "it is not known whether the request was carried out: check with zedctl op ls, or repeat it with the same "
            "idempotency key",
            {}};
  }
  msg::error stranger() {
    return {msg::ec::unauthorised,
            "this key is not known to the manager at " + uri,
            "add it on the manager's machine: zedctl key add NAME " + to.own.public_key + " --role operator",
            {}};
  }
  // Over a network silence has many reasons; a handshake that was begun and not understood has two.
  msg::error nobody(milliseconds deadline) {
    if (link && link->not_understood)
      return {msg::ec::forbidden,
              "the program at " + uri + " does not have the key that is expected of the manager (" +
                  fingerprint(to.manager_key) + ")",
              "compare it with zedctl key show --manager on the manager's machine; if the key was changed on purpose, "
              "update the context",
              {}};
    return {msg::ec::agent_unreachable,
            "no manager answers at " + uri + " within " + msg::format_duration(deadline),
            "check that it is running, that it listens there (clients), and that no firewall blocks the port",
            {}};
  }
  msg::error too_late(milliseconds deadline) {
    return {msg::ec::timeout,
            "the manager at " + uri + " did not answer within " + msg::format_duration(deadline),
            "the work may still go on: check with zedctl op ls; allow more time with --timeout",
            {}};
  }
};

msg::result<client> client::connect(const address& to) {
  if (auto there = probe(to); !there) return msg::fail(there.error());
  try {
    return client(std::make_unique<impl>(to));
  } catch (const zmq::error_t& e) {
    return msg::fail(detail::from_zmq("connecting to " + to.uri, e));
  }
}

client::client(std::unique_ptr<impl> p) : impl_(std::move(p)) {}
client::client(client&&) noexcept = default;
client& client::operator=(client&&) noexcept = default;
client::~client() = default;

msg::result<std::string> client::post(const std::string& verb, std::string body, send_options options) {
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
  if (auto sent = impl_->send(std::move(message), options.deadline); !sent) return msg::fail(sent.error());
  return id;
}

msg::result<std::optional<reply>> client::receive(milliseconds wait) {
  auto& link = impl_->link;
  if (!link) return std::nullopt;  // lost before, and reported
  auto in = detail::receive_frames(link->dealer, frame_count_max);
  for (auto until = clock::now() + wait; !in;) {
    bool last_look = link->broken || clock::now() >= until;
    if (!last_look) link->wait(until);
    in = detail::receive_frames(link->dealer, frame_count_max);
    if (in || !last_look) continue;
    if (!link->broken || impl_->open == 0) return std::nullopt;
    link.reset();
    impl_->open = 0;
    return msg::fail(impl_->lost());
  }
  auto parsed = parse_reply(std::move(in->parts));
  if (!parsed) return msg::fail(parsed.error());
  if (is_final(parsed->kind) && impl_->open > 0) --impl_->open;
  return std::optional<reply>(std::move(*parsed));
}

msg::result<reply> client::request(const std::string& verb, std::string body, send_options options,
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
