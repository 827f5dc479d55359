#include "integration/docker/http/http_client.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <limits>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "integration/docker/refusal.hpp"

namespace zedops::docker {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using socket_type = asio::generic::stream_protocol::socket;

namespace {

constexpr std::size_t chunk_bytes = 16 * 1024;
constexpr msg::duration forever{};

// Each connection negotiates for itself, so the old version is never used with a daemon that was replaced.
struct connection {
  // Beast reads as much at once as there is room for, and 512 bytes when there is none: a dozen reads for one
  // container.
  explicit connection(asio::io_context& io) : socket{io} { buffer.reserve(chunk_bytes); }
  socket_type socket;
  boost::beast::flat_buffer buffer;
  api_version version;

  // The Engine has closed the connection, or sent something unasked.
  bool stale() {
    char byte = 0;
    auto n = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
  }
};

// A peer that is gone shows in many ways, depending on timing: one text for all of them.
std::string reason_of(const error_code& e) {
  namespace errc = boost::system::errc;
  const bool hung_up = e == asio::error::eof || e == http::error::end_of_stream || e == http::error::partial_message ||
                       e == errc::connection_reset || e == errc::broken_pipe || e == errc::connection_aborted;
  return hung_up ? "it closed the connection" : e.message();
}

msg::error nobody_at(const std::string& where, const error_code& e) {
  auto out = no_engine(where, reason_of(e));
  if (e == boost::system::errc::permission_denied)
    out.hint = "run as a user of the socket's group (usermod -aG docker USER), then log in again";
  return out;
}

}  // namespace

struct http_client::impl {
  class exchange;

  impl(endpoint at, std::string shown) : where{std::move(at)}, shown_as{std::move(shown)} {}

  std::unique_ptr<connection> take_idle() {
    while (!idle.empty()) {
      auto c = std::move(idle.back());
      idle.pop_back();
      if (!c->stale()) return c;
    }
    return nullptr;
  }
  void keep(std::unique_ptr<connection> c) {
    if (!closing && idle.size() < idle_connections_max && c->buffer.size() == 0) idle.push_back(std::move(c));
  }

  endpoint where;
  std::string shown_as;
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(io);
  std::vector<std::unique_ptr<connection>> idle;
  std::set<std::shared_ptr<exchange>> open;
  std::size_t open_streams = 0;
  bool closing = false;
  std::thread thread;
};

// One request and its answer. Steps: connect → greet (/_ping, which tells the version) → send → head → body.
//
//   begin ─┬─ idle connection ────────────┐
//          └─ connect ── greet ───────────┴─ send ── head ── body … ── finish
//   deadline, cancel, lost connection: ─────────────────────────────→ finish
class http_client::impl::exchange : public std::enable_shared_from_this<exchange> {
 public:
  exchange(impl& owner, http_request request, stream_handlers handlers, body_maker make_body, bool streaming)
      : owner_{owner},
        request_{std::move(request)},
        handlers_{std::move(handlers)},
        make_body_{std::move(make_body)},
        streaming_{streaming},
        resolver_{owner.io},
        deadline_{owner.io},
        life_{owner.io} {}

  void begin() {
    auto used = streaming_ ? owner_.open_streams : owner_.open.size() - owner_.open_streams;
    if (owner_.closing) return fail({msg::ec::cancelled, "the client of the Docker Engine is shutting down", {}, {}});
    if (used >= (streaming_ ? streams_max : requests_max))
      return fail({msg::ec::busy,
                   std::to_string(used) + " requests to the Docker Engine are in flight already",
                   "try again in a moment",
                   {}});
    owner_.open.insert(shared_from_this());
    owner_.open_streams += streaming_;
    counted_ = true;
    arm(deadline_, request_.deadline);
    if (!streaming_) connection_ = owner_.take_idle();
    reused_ = connection_ != nullptr;
    if (reused_) return send();
    dial();
  }

  void fail(msg::error e) { finish(msg::fail(std::move(e))); }
  void cancel() { fail({msg::ec::cancelled, "cancelled: " + what(), {}, {}}); }

 private:
  std::string what() const { return request_.method + " " + request_.target.substr(0, request_.target.find('?')); }

  void dial() {
    connection_ = std::make_unique<connection>(owner_.io);
    if (!owner_.where.unix_path.empty())
      return connect({asio::local::stream_protocol::endpoint{owner_.where.unix_path}});
    resolver_.async_resolve(owner_.where.host, owner_.where.port,
                            [self = shared_from_this()](error_code e, auto found) {
                              if (self->done_) return;
                              if (e) return self->fail(nobody_at(self->owner_.shown_as, e));
                              std::vector<asio::generic::stream_protocol::endpoint> all;
                              for (const auto& entry : found) all.emplace_back(entry.endpoint());
                              self->connect(std::move(all));
                            });
  }

  void arm(asio::steady_timer& timer, msg::duration after) {
    timer.expires_after(after);
    timer.async_wait([self = shared_from_this(), &timer, after](error_code e) {
      // An expiry that was queued just before the timer was moved is no expiry.
      if (e || self->done_ || timer.expiry() > std::chrono::steady_clock::now()) return;
      self->fail({msg::ec::timeout,
                  "the Docker Engine did not answer " + self->what() + " within " + msg::format_duration(after),
                  "if this repeats, dockerd hangs or the host is overloaded: look at its log",
                  {}});
    });
  }

  void connect(std::vector<asio::generic::stream_protocol::endpoint> rest) {
    auto next = rest.back();
    rest.pop_back();
    connection_->socket.async_connect(next, [self = shared_from_this(), rest = std::move(rest)](error_code e) mutable {
      if (self->done_) return;
      if (!e) return self->greet();
      if (rest.empty()) return self->fail(nobody_at(self->owner_.shown_as, e));
      error_code ignored;
      self->connection_->socket.close(ignored);
      self->connect(std::move(rest));
    });
  }

  void greet() {
    greeting_ = true;
    write(http::verb::get, "/_ping", {});
  }

  void send() {
    greeting_ = false;
    if (make_body_) request_.body = make_body_(connection_->version);
    if (!request_.body_file.empty()) return write_file();
    write(http::string_to_verb(request_.method), "/v" + to_string(connection_->version) + request_.target,
          request_.body);
  }

  void write(http::verb verb, const std::string& target, const std::string& body) {
    parser_.reset();
    message_ = {verb, target, 11};
    message_.set(http::field::host, "docker");
    message_.set(http::field::user_agent, "zedops/" ZEDOPS_VERSION);
    if (!body.empty()) message_.set(http::field::content_type, "application/json");
    message_.body() = body;
    message_.prepare_payload();
    http::async_write(connection_->socket, message_, [self = shared_from_this()](error_code e, std::size_t) {
      if (self->done_) return;
      if (e) return self->lost(e);
      self->read_head();
    });
  }

  void write_file() {
    parser_.reset();
    file_message_ = {http::string_to_verb(request_.method), "/v" + to_string(connection_->version) + request_.target,
                     11};
    file_message_.set(http::field::host, "docker");
    file_message_.set(http::field::user_agent, "zedops/" ZEDOPS_VERSION);
    file_message_.set(http::field::content_type, "application/x-tar");
    error_code e;
    file_message_.body().open(request_.body_file.c_str(), boost::beast::file_mode::scan, e);
    if (e) return fail({msg::ec::not_found, request_.body_file + ": " + e.message(), {}, {}});
    file_message_.prepare_payload();
    http::async_write(connection_->socket, file_message_, [self = shared_from_this()](error_code, std::size_t) {
      if (self->done_) return;
      self->file_message_.body().close();
      self->read_head();  // also when it hung up in the middle: it may have said why before
    });
  }

  void read_head() {
    collected_.clear();
    parser_.emplace();
    parser_->body_limit((std::numeric_limits<std::uint64_t>::max)());  // collect() has the limit that counts
    http::async_read_header(connection_->socket, connection_->buffer, *parser_,
                            [self = shared_from_this()](error_code e, std::size_t) {
                              if (self->done_) return;
                              if (e) return self->lost(e);
                              self->on_head();
                            });
  }

  void on_head() {
    status_ = static_cast<int>(parser_->get().result_int());
    flowing_ = streaming_ && !greeting_ && status_ < 300;
    if (flowing_) {
      deadline_.expires_at((std::chrono::steady_clock::time_point::max)());
      if (request_.idle != forever) arm(deadline_, request_.idle);
      if (request_.total != forever) arm(life_, request_.total);
      if (handlers_.on_open) handlers_.on_open();
      if (done_) return;
    }
    read_body();
  }

  void read_body() {
    if (parser_->is_done()) return on_complete();
    auto& body = parser_->get().body();
    body.data = chunk_.data();
    body.size = chunk_.size();
    body.more = true;
    http::async_read_some(connection_->socket, connection_->buffer, *parser_,
                          [self = shared_from_this()](error_code e, std::size_t) {
                            if (self->done_) return;
                            if (e == http::error::need_buffer) e = {};  // the chunk is full: not an error
                            if (e) return self->lost(e);
                            self->on_chunk();
                          });
  }

  void on_chunk() {
    std::string_view bytes{chunk_.data(), chunk_.size() - parser_->get().body().size};
    if (!flowing_) {
      auto limit = status_ < 300 ? request_.body_max : refusal_body_max;
      if (collected_.size() + bytes.size() > limit)
        return fail({msg::ec::engine_error,
                     "the Docker Engine's answer to " + what() + " is longer than " + std::to_string(limit) + " bytes",
                     {},
                     {}});
      collected_.append(bytes);
    } else if (!bytes.empty()) {
      if (request_.idle != forever) arm(deadline_, request_.idle);
      if (!handlers_.on_data(bytes))
        return fail({msg::ec::engine_error, "the Docker Engine's answer to " + what() + " is not understood", {}, {}});
      if (done_) return;
    }
    read_body();
  }

  void on_complete() {
    if (!greeting_) {
      bool keep = !streaming_ && parser_->keep_alive();
      http_response answer{status_, std::move(collected_), connection_->version};
      if (keep) owner_.keep(std::move(connection_));
      return finish(std::move(answer));
    }
    auto header = parser_->get()["Api-Version"];
    if (status_ != 200)
      return fail({msg::ec::engine_error,
                   "the Docker Engine at " + owner_.shown_as + " is not healthy: its ping answers " +
                       std::to_string(status_) + " " + collected_.substr(0, 200),
                   "the log of dockerd on that host says more",
                   {}});
    auto version = negotiate({header.data(), header.size()});
    if (!version) return fail(version.error());
    connection_->version = *version;
    send();
  }

  void lost(error_code e) {
    if (greeting_) return fail(nobody_at(owner_.shown_as, e));  // nothing was asked yet
    // A kept connection may have been dead already. A read-only request is sent again, to the Engine that listens now.
    if (reused_ && request_.method == "GET" && connection_->buffer.size() == 0 && !parser_started()) {
      reused_ = false;
      error_code ignored;
      connection_->socket.close(ignored);
      return dial();
    }
    fail(engine_hung_up(owner_.shown_as, what(), reason_of(e)));
  }
  bool parser_started() const { return parser_ && parser_->got_some(); }

  void finish(msg::result<http_response> outcome) {
    if (done_) return;
    done_ = true;
    auto self = shared_from_this();
    deadline_.cancel();
    life_.cancel();
    resolver_.cancel();
    error_code ignored;
    if (connection_) connection_->socket.close(ignored);  // pending steps end with an error and see done_
    if (counted_) {
      owner_.open.erase(self);
      owner_.open_streams -= streaming_;
    }
    auto on_end = std::move(handlers_.on_end);
    handlers_ = {};
    on_end(std::move(outcome));
  }

  impl& owner_;
  http_request request_;
  stream_handlers handlers_;
  body_maker make_body_;
  bool streaming_;
  asio::ip::tcp::resolver resolver_;
  asio::steady_timer deadline_;
  asio::steady_timer life_;
  std::unique_ptr<connection> connection_;
  http::request<http::string_body> message_;
  http::request<http::file_body> file_message_;
  std::optional<http::response_parser<http::buffer_body>> parser_;
  std::array<char, chunk_bytes> chunk_{};
  std::string collected_;
  int status_ = 0;
  bool greeting_ = false;
  bool reused_ = false;   // the connection was kept from an earlier request
  bool flowing_ = false;  // the answer goes to on_data
  bool counted_ = false;
  bool done_ = false;
};

http_client::http_client(endpoint where, std::string shown_as)
    : impl_{std::make_shared<impl>(std::move(where), std::move(shown_as))} {
  impl_->thread = std::thread{[p = impl_.get()] { p->io.run(); }};
}

http_client::~http_client() {
  asio::post(impl_->io, [p = impl_.get()] {
    p->closing = true;
    auto open = p->open;
    for (const auto& x : open) x->cancel();
    p->idle.clear();
    p->work.reset();
  });
  impl_->thread.join();
}

void http_client::request(http_request request, std::function<void(msg::result<http_response>)> done,
                          body_maker make_body) {
  auto x = std::make_shared<impl::exchange>(*impl_, std::move(request), stream_handlers{{}, {}, std::move(done)},
                                            std::move(make_body), false);
  asio::post(impl_->io, [x] { x->begin(); });
}

std::function<void()> http_client::stream(http_request request, stream_handlers handlers) {
  auto x = std::make_shared<impl::exchange>(*impl_, std::move(request), std::move(handlers), body_maker{}, true);
  asio::post(impl_->io, [x] { x->begin(); });
  return [owner = std::weak_ptr{impl_}, weak = std::weak_ptr{x}] {
    if (auto p = owner.lock())
      asio::post(p->io, [weak] {
        if (auto alive = weak.lock()) alive->cancel();
      });
  };
}

msg::result<endpoint> parse_endpoint(const std::string& docker_host) {
  constexpr std::size_t unix_path_max = 107;
  auto refuse = [&](std::string why) {
    return msg::fail(msg::ec::bad_request, "docker_host \"" + docker_host + "\" " + why,
                     "write unix:///var/run/docker.sock or tcp://127.0.0.1:2375");
  };
  endpoint out;
  if (docker_host.rfind("unix://", 0) == 0) {
    out.unix_path = docker_host.substr(7);
    if (out.unix_path.empty() || out.unix_path.front() != '/') return refuse("names no absolute path");
    if (out.unix_path.size() > unix_path_max)
      return refuse("is longer than the " + std::to_string(unix_path_max) + " characters a socket path may have");
    return out;
  }
  if (docker_host.rfind("tcp://", 0) != 0) return refuse("is neither unix:// nor tcp://");
  auto rest = docker_host.substr(6);
  while (!rest.empty() && rest.back() == '/') rest.pop_back();
  auto colon = rest.rfind(':');
  out.host = rest.substr(0, colon);
  out.port = colon == std::string::npos || rest.back() == ']' ? "2375" : rest.substr(colon + 1);
  if (out.host.size() > 1 && out.host.front() == '[' && out.host.back() == ']')
    out.host = out.host.substr(1, out.host.size() - 2);
  if (out.host.empty() || out.port.empty() ||
      !std::all_of(out.port.begin(), out.port.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return refuse("names no host and port");
  return out;
}

}  // namespace zedops::docker
