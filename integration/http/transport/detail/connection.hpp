// One connection: requests one after another, or a stream without end. All of it on the server's thread.
#pragma once
#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <deque>
#include <map>
#include <optional>

#include "integration/http/transport/server.hpp"

namespace zedops::web::detail {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using local = asio::local::stream_protocol;
using boost::system::error_code;

constexpr std::chrono::seconds read_out_time{2};  // for each piece of input that is discarded
constexpr size_t read_out_max = 16u << 20;        // bytes
constexpr size_t pieces_at_once = 64;             // of a stream, in one write
constexpr std::chrono::seconds look_for_end{1};   // while an answer takes long

inline std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

// "example:80", "[::1]:80" and "example" are the host alone.
inline std::string host_of(std::string_view text) {
  if (text.starts_with('[')) return lower(text.substr(0, text.find(']') + 1));
  return lower(text.substr(0, text.find(':')));
}
// Not what merely begins like an address: 127.example.com may belong to anyone.
inline bool names_this_machine(const std::string& host) {
  error_code no_address;
  const auto v4 = asio::ip::make_address_v4(host, no_address);
  return host == "localhost" || host == "[::1]" || host.ends_with(".localhost") || (!no_address && v4.is_loopback());
}

// What all connections share; on the server's thread, except the options, which do not change.
struct house {
  server_options options;
  server::handler serve;
  std::map<std::string, size_t> by_address;
  std::atomic<size_t> connections{0};
  std::atomic<bool> stopped{false};  // no request is served any more
  void trouble(const std::string& where, const std::string& what) const {
    if (options.on_trouble) options.on_trouble(where, what);
  }
};

// The last address, which our own proxy has added; anything before it may be forged.
inline std::string_view forwarded_for(const pairs& headers) {
  const auto found =
      std::find_if(headers.rbegin(), headers.rend(), [](const auto& h) { return h.first == "x-forwarded-for"; });
  const std::string_view header = found == headers.rend() ? std::string_view{} : found->second;
  auto last = header.substr(header.rfind(',') + 1);
  while (last.starts_with(' ')) last.remove_prefix(1);
  return last;
}

// The types that a connection is made of.
template <class P>
struct plain {
  using protocol = P;
  using stream = beast::basic_stream<P>;
  static constexpr bool secure = false;
};
struct over_tls {
  using protocol = tcp;
  using stream = beast::ssl_stream<beast::basic_stream<tcp>>;
  static constexpr bool secure = true;
};
using tls_context = std::shared_ptr<asio::ssl::context>;  // null: none

template <class Kind>
class connection final : public std::enable_shared_from_this<connection<Kind>> {
  using self_t = connection<Kind>;
  using protocol = typename Kind::protocol;

 public:
  connection(typename protocol::socket socket, std::string from, bool trusted, std::shared_ptr<house> h,
             tls_context tls = {})
      : tls_(std::move(tls)),
        stream_(make_stream(std::move(socket), tls_)),
        from_(std::move(from)),
        trusted_(trusted),
        house_(std::move(h)) {
    ++house_->connections;
    ++house_->by_address[from_];
  }
  ~connection() {
    --house_->connections;
    if (auto i = house_->by_address.find(from_); --i->second == 0) house_->by_address.erase(i);
  }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  bool one_too_many() const {
    const auto& o = house_->options;
    return house_->connections > o.connections_max || house_->by_address[from_] > o.connections_per_address_max;
  }

  void begin() {
    if constexpr (Kind::secure) {
      lowest().expires_after(house_->options.request_time);
      stream_.async_handshake(asio::ssl::stream_base::server, [self = this->shared_from_this()](error_code wrong) {
        if (wrong) return self->close();
        self->read_next();
      });
    } else read_next();
  }

  void read_next() {
    parser_.emplace();
    parser_->header_limit(static_cast<uint32_t>(house_->options.header_bytes_max));
    parser_->body_limit(house_->options.body_bytes_max);
    // Before its first byte the connection may be idle. From then on the request has to arrive in time.
    lowest().expires_after(buffer_.size() > 0 ? house_->options.request_time : house_->options.idle_time);
    auto self = this->shared_from_this();
    if (buffer_.size() > 0) return read_request();
    stream_.async_read_some(buffer_.prepare(4096), [self](error_code wrong, size_t bytes) {
      if (wrong) return self->close();
      self->buffer_.commit(bytes);
      self->lowest().expires_after(self->house_->options.request_time);
      self->read_request();
    });
  }

  void refuse(int status, msg::ec code, std::string what, std::string hint) {
    last_ = true;
    auto r = error_response({code, std::move(what), std::move(hint), {}});
    r.status = status;
    respond(std::move(r));
  }

  void respond(response r) {
    watch_no_more();
    head_ = "HTTP/1.1 " + std::to_string(r.status) + ' ' + std::string(reason_of(r.status)) + "\r\n";
    const bool bare = r.status == 204 || r.status == 304;
    if (!bare)
      head_ +=
          "Content-Type: " + r.type + "\r\nContent-Length: " + std::to_string(r.body ? r.body->size() : 0) + "\r\n";
    for (const auto& [name, value] : r.headers) head_ += name + ": " + value + "\r\n";
    head_ += last_ ? "Connection: close\r\n\r\n" : "\r\n";
    body_ = bare || head_only_ ? nullptr : std::move(r.body);
    lowest().expires_after(house_->options.write_time);
    write_all({asio::buffer(head_), body_ ? asio::buffer(*body_) : asio::const_buffer{}},
              [self = this->shared_from_this()](error_code wrong, size_t) {
                self->body_.reset();
                if (wrong) return self->close();
                if (self->last_) return self->read_out();
                self->read_next();
              });
  }

  void begin_stream(response r, std::function<void()> gone) {
    watch_no_more();
    gone_ = std::move(gone);
    // A stream may last for days: what only requests need is released.
    parser_.reset();
    buffer_ = {};
    lowest().expires_never();
    error_code ignored;
    lowest().socket().non_blocking(true, ignored);
    std::string head = "HTTP/1.1 200 OK\r\nContent-Type: " + r.type + "\r\nConnection: close\r\n";
    for (const auto& [name, value] : r.headers) head += name + ": " + value + "\r\n";
    write(std::make_shared<const std::string>(head + "\r\n"));
    if (head_only_) return end_stream();
    watch_for_end();
  }
  void write(std::shared_ptr<const std::string> piece) {
    if (closed_) return;
    size_t sent = 0;
    if constexpr (!Kind::secure) {
      if (waiting_.empty() && !writing_) {  // most readers keep up: no turn of the loop for them
        error_code full;
        sent = stream_.socket().write_some(asio::buffer(*piece), full);
        if (full && full != asio::error::would_block) return close();
        if (sent == piece->size()) return;
      }
    }
    if (waiting_.empty()) front_sent_ = sent;
    waiting_bytes_ += piece->size() - sent;
    waiting_.push_back(std::move(piece));
    if (waiting_bytes_ > house_->options.stream_bytes_max) return close();  // too slow: the client may reconnect
    if (!writing_) write_some();
  }
  void end_stream() {
    ends_ = true;
    if (!writing_) close();
  }
  bool closed() const { return closed_; }
  void watch(std::function<void()> gone) {
    gone_ = std::move(gone);
    look(++watch_);
  }

  void close() {
    if (std::exchange(closed_, true)) return;
    error_code ignored;
    lowest().socket().shutdown(protocol::socket::shutdown_both, ignored);
    lowest().socket().close(ignored);
    waiting_.clear();
    // Not from inside a write: the caller may be iterating over a list of readers.
    if (gone_) asio::post(stream_.get_executor(), std::exchange(gone_, nullptr));
  }

 private:
  static typename Kind::stream make_stream(typename protocol::socket socket, const tls_context& tls) {
    if constexpr (Kind::secure) return typename Kind::stream(std::move(socket), *tls);
    else return typename Kind::stream(std::move(socket));
  }
  auto& lowest() { return beast::get_lowest_layer(stream_); }

  // TLS gets one buffer: Boost 1.74 stops behind the first of several when the next is large.
  template <class Then>
  void write_all(const std::vector<asio::const_buffer>& parts, Then then) {
    if constexpr (Kind::secure) {
      joined_.clear();
      for (const auto& p : parts) joined_.append(static_cast<const char*>(p.data()), p.size());
      asio::async_write(stream_, asio::buffer(joined_), std::move(then));
    } else {
      asio::async_write(stream_, parts, std::move(then));
    }
  }

  class open_exchange final : public exchange {
   public:
    open_exchange(std::shared_ptr<self_t> on, request asked) : on_(std::move(on)), asked_(std::move(asked)) {}
    ~open_exchange() override {
      if (!answered_.load()) on_->post([on = on_] { on->close(); });
    }
    const request& asked() const override { return asked_; }
    void respond(response r) override {
      if (answered_.exchange(true)) return;
      on_->post([on = on_, r = std::move(r)]() mutable {
        if (!on->closed()) on->respond(std::move(r));
      });
    }
    void when_gone(std::function<void()> gone) override {
      if (answered_) return;
      if (on_->closed()) gone();
      else on_->watch(std::move(gone));
    }
    void begin_stream(response head, std::function<void()> gone) override {
      if (answered_.exchange(true)) return;
      on_->post([on = on_, head = std::move(head), gone = std::move(gone)]() mutable {
        if (on->closed()) gone();
        else on->begin_stream(std::move(head), std::move(gone));
      });
    }
    void write(std::shared_ptr<const std::string> piece) override {
      on_->post([on = on_, piece = std::move(piece)]() mutable { on->write(std::move(piece)); });
    }
    size_t waiting_bytes() const override { return on_->waiting_bytes_; }
    void end_stream() override {
      on_->post([on = on_] { on->end_stream(); });
    }

   private:
    std::shared_ptr<self_t> on_;
    const request asked_;
    std::atomic<bool> answered_{false};
  };

  // On the server's thread already: at once, so that an answer costs no turn of the loop.
  template <class F>
  void post(F f) {
    if (house_->stopped) return;
    asio::dispatch(stream_.get_executor(), std::move(f));
  }

  void read_request() {
    http::async_read(stream_, buffer_, *parser_,
                     [self = this->shared_from_this()](error_code wrong, size_t) { self->take(wrong); });
  }

  void take(error_code wrong) {
    using msg::ec;
    if (wrong == http::error::header_limit || wrong == http::error::buffer_overflow)
      return refuse(431, ec::too_large, "the header of the request is too large", "use at most 16 KiB");
    if (wrong == http::error::body_limit)
      return refuse(413, ec::too_large, "the body of the request is too large", "use at most 2 MiB");
    if (wrong == http::error::end_of_stream || wrong == asio::error::eof || wrong == beast::error::timeout ||
        wrong == asio::error::connection_reset || wrong == asio::error::operation_aborted)
      return close();
    if (wrong) return refuse(400, ec::bad_request, "this is not an HTTP request: " + wrong.message(), "");
    auto& m = parser_->get();
    last_ = !m.keep_alive();
    head_only_ = m.method() == http::verb::head;
    request r;
    r.method = std::string(m.method_string());
    r.from = from_;
    r.secure = Kind::secure;
    for (const auto& f : m)
      r.headers.emplace_back(lower({f.name_string().data(), f.name_string().size()}), std::string(f.value()));
    r.body = std::move(m.body());
    if (!known_host(r))
      return refuse(421, ec::forbidden, "this is not the host '" + std::string(r.header("host").substr(0, 100)) + "'",
                    "set http_url to the address under which clients reach this manager");
    if (const auto other = forwarded_for(r.headers); trusted_ && !other.empty()) {
      r.from = std::string(other.substr(0, 64));
      r.secure = r.header("x-forwarded-proto") == "https";
    }
    const std::string target(m.target());
    if (auto ok = read_target(target, r); !ok) return respond(error_response(ok.error()));
    // A failure in one request must not end all others.
    auto e = std::make_shared<open_exchange>(this->shared_from_this(), std::move(r));
    try {
      house_->serve(e);
    } catch (const std::exception& x) {
      house_->trouble("a request", x.what());
      e->respond(error_response(
          {msg::ec::internal, "this request cannot be served", "the manager's log shows the cause", {}}));
    }
  }

  // A foreign page can make a browser send requests to this machine under a name of its own, also through a proxy.
  bool known_host(const request& r) const {
    if (std::is_same_v<protocol, local> && !is_forwarded(r)) return true;
    if (std::ranges::count(r.headers, "host", &pairs::value_type::first) != 1) return false;
    const auto host = host_of(r.header("host"));
    return names_this_machine(host) || std::ranges::find(house_->options.hosts, host) != house_->options.hosts.end();
  }

  // A client that still sends needs time to read: closed at once, it would lose the answer.
  void read_out() {
    if constexpr (!Kind::secure) {  // an answer over TLS has its length, and the peer ends
      error_code ignored;
      lowest().socket().shutdown(protocol::socket::shutdown_send, ignored);
    }
    lowest().expires_after(read_out_time);
    stream_.async_read_some(asio::buffer(unread_), [self = this->shared_from_this()](error_code wrong, size_t bytes) {
      self->read_out_bytes_ += bytes;
      if (wrong || self->read_out_bytes_ > read_out_max) return self->close();
      self->read_out();
    });
  }

  // By polling now and then, not by reading: what the client has sent already is its next request, and TLS signals its
  // end in bytes.
  void look(uint64_t watch) {
    auto timer = std::make_shared<asio::steady_timer>(stream_.get_executor(), look_for_end);
    timer->async_wait([self = this->shared_from_this(), timer, watch](error_code stopped) {
      if (stopped || self->closed_ || self->watch_ != watch) return;
      pollfd end{self->lowest().socket().native_handle(), POLLRDHUP, 0};
      if (::poll(&end, 1, 0) > 0) return self->close();
      self->look(watch);
    });
  }
  void watch_no_more() {
    ++watch_;
    gone_ = nullptr;
  }

  // A reader of a stream sends nothing more: what comes is its end.
  void watch_for_end() {
    stream_.async_read_some(asio::buffer(unread_), [self = this->shared_from_this()](error_code wrong, size_t) {
      if (wrong) return self->close();
      self->watch_for_end();
    });
  }

  void write_some() {
    writing_ = true;
    std::vector<asio::const_buffer> parts;
    taken_.clear();
    while (!waiting_.empty() && taken_.size() < pieces_at_once) {
      taken_.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
      parts.push_back(asio::buffer(*taken_.back()) + std::exchange(front_sent_, 0));
    }
    write_all(parts, [self = this->shared_from_this()](error_code wrong, size_t bytes) {
      self->writing_ = false;
      self->taken_.clear();
      if (wrong) return self->close();
      self->waiting_bytes_ -= bytes;
      if (!self->waiting_.empty()) self->write_some();
      else if (self->ends_) self->close();
    });
  }

  const tls_context tls_;
  typename Kind::stream stream_;
  const std::string from_;
  const bool trusted_;  // our own proxy
  std::shared_ptr<house> house_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  bool last_ = false, head_only_ = false;  // of the current request
  std::string head_, joined_;
  std::shared_ptr<const std::string> body_;
  // As a stream:
  std::deque<std::shared_ptr<const std::string>> waiting_;
  std::vector<std::shared_ptr<const std::string>> taken_;  // being written
  size_t waiting_bytes_ = 0, front_sent_ = 0;
  bool writing_ = false, ends_ = false, closed_ = false;
  std::function<void()> gone_;
  uint64_t watch_ = 0;  // the current one: the answer ends it
  std::array<char, 512> unread_{};
  size_t read_out_bytes_ = 0;
};

}  // namespace zedops::web::detail
