#include "bus/detail/zap.hpp"

#include <pthread.h>

#include "bus/detail/outbox.hpp"
#include "bus/detail/socket.hpp"

namespace zedops::bus::detail {
namespace {

// Of socket files: a process that may open the file is admitted.
constexpr std::string_view local_domain = "local";

}  // namespace

zap_handler::zap_handler(zmq::context_t& context, admit_fn admit)
    : socket_(context, zmq::socket_type::rep), admit_(std::move(admit)), stop_(std::make_unique<wake_fd>()) {
  socket_.set(zmq::sockopt::linger, 0);
  socket_.bind("inproc://zeromq.zap.01");
  thread_ = std::thread([this] { run(); });
}

zap_handler::~zap_handler() {
  stop_->fire();
  thread_.join();
}

void zap_handler::run() noexcept {
  pthread_setname_np(pthread_self(), "zedops-zap");
  for (;;) {
    zmq_pollitem_t items[2] = {{nullptr, stop_->fd(), ZMQ_POLLIN, 0}, {socket_.handle(), 0, ZMQ_POLLIN, 0}};
    poll(items, 2, -1);
    if (items[0].revents) break;
    if (items[1].revents) answer();
  }
  socket_.close();
}

// [version][request id][domain][address][identity][mechanism][credentials: the key, raw]
void zap_handler::answer() {
  constexpr size_t frames_max = 16;
  auto in = receive_frames(socket_, frames_max);
  if (!in) return;
  const auto& p = in->parts;
  std::string key;
  auto answer = admission::not_known;
  constexpr size_t key_bytes = 32;
  if (!in->oversized && p.size() == 7 && p[0] == "1.0" && p[5] == "CURVE" && p[6].size() == key_bytes) {
    key = key_text(p[6]);
    answer = admit_(p[2], key);
  } else if (!in->oversized && p.size() == 6 && p[2] == local_domain && p[5] == "NULL") {
    answer = admission::yes;
  }
  const bool admitted = answer == admission::yes;
  send_frames(socket_, nullptr,
              {"1.0", p.size() > 1 ? p[1] : std::string{},
               admitted                         ? "200"
               : answer == admission::not_known ? "400"
                                                : "500",
               admitted ? "" : "this key is not admitted", admitted ? key : std::string{}, ""});
}

void guard(zmq::socket_t& socket, const key_pair& own, std::string_view domain) {
  // Connections of peers that have vanished silently are closed after a minute.
  constexpr int idle_s = 30, probe_s = 10, probes = 3;
  socket.set(zmq::sockopt::tcp_keepalive, 1);
  socket.set(zmq::sockopt::tcp_keepalive_idle, idle_s);
  socket.set(zmq::sockopt::tcp_keepalive_intvl, probe_s);
  socket.set(zmq::sockopt::tcp_keepalive_cnt, probes);
  socket.set(zmq::sockopt::curve_server, true);
  socket.set(zmq::sockopt::curve_secretkey, z85_of(own.secret_key));
  socket.set(zmq::sockopt::zap_domain, std::string(domain));
  socket.set(zmq::sockopt::ipv6, true);
}

void guard_local(zmq::socket_t& socket) { socket.set(zmq::sockopt::zap_domain, std::string(local_domain)); }

void dial_with(zmq::socket_t& socket, const address& to) {
  if (to.manager_key.empty()) return;
  socket.set(zmq::sockopt::curve_serverkey, z85_of(to.manager_key));
  socket.set(zmq::sockopt::curve_publickey, z85_of(to.own.public_key));
  socket.set(zmq::sockopt::curve_secretkey, z85_of(to.own.secret_key));
  socket.set(zmq::sockopt::ipv6, true);
}

bool refuses_strangers(zmq::context_t& context, const key_pair& own) {
  constexpr int queue = 8;
  constexpr long wait_ms = 3'000;
  auto door = make_socket(context, zmq::socket_type::router, {queue, queue, 1'024, false});
  guard(door, own, "test");
  door.bind("tcp://127.0.0.1:*");
  auto stranger = make_socket(context, zmq::socket_type::dealer, {queue, queue, 1'024, false});
  dial_with(stranger, {"", own.public_key, new_key_pair()});
  monitor events(context, stranger);
  stranger.connect(door.get(zmq::sockopt::last_endpoint));
  zmq_pollitem_t item{events.socket().handle(), 0, ZMQ_POLLIN, 0};
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(wait_ms);
  while (std::chrono::steady_clock::now() < until) {
    poll(&item, 1, 100);
    while (auto e = events.next()) {
      if (*e == monitor::event::key_refused) return true;
      if (*e == monitor::event::connected) return false;
    }
  }
  return false;
}

}  // namespace zedops::bus::detail
