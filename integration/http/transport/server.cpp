#include "integration/http/transport/server.hpp"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <deque>
#include <map>
#include <thread>

namespace zedops::web {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using local = asio::local::stream_protocol;
using boost::system::error_code;

constexpr size_t pieces_at_once = 64;  // of a stream, in one write

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool of_this_machine(const asio::ip::address& a) {
  if (a.is_v6() && a.to_v6().is_v4_mapped())
    return asio::ip::make_address_v4(asio::ip::v4_mapped, a.to_v6()).is_loopback();
  return a.is_loopback();
}

// "example:80", "[::1]:80" and "example" are the host alone.
std::string host_of(std::string_view text) {
  if (text.starts_with('[')) return lower(text.substr(0, text.find(']') + 1));
  return lower(text.substr(0, text.find(':')));
}
bool names_this_machine(const std::string& host) {
  return host == "localhost" || host == "[::1]" || host.starts_with("127.") || host.ends_with(".localhost");
}

// What all connections share; on the server's thread, but for the options, which do not change.
struct house {
  server_options options;
  server::handler serve;
  std::map<std::string, size_t> by_address;
  std::atomic<size_t> connections{0};
  void trouble(const std::string& where, const std::string& what) const {
    if (options.on_trouble) options.on_trouble(where, what);
  }
};

// The last address that a proxy of ours has added; what came before it anybody may have written.
std::string_view forwarded_for(std::string_view header) {
  auto last = header.substr(header.rfind(',') + 1);
  while (last.starts_with(' ')) last.remove_prefix(1);
  return last;
}

template <class Protocol>
class connection final : public std::enable_shared_from_this<connection<Protocol>> {
  using self_t = connection<Protocol>;
  using stream_t = beast::basic_stream<Protocol>;

 public:
  connection(typename Protocol::socket socket, std::string from, bool trusted, std::shared_ptr<house> h)
      : stream_(std::move(socket)), from_(std::move(from)), trusted_(trusted), house_(std::move(h)) {
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

  void read_next() {
    parser_.emplace();
    parser_->header_limit(static_cast<uint32_t>(house_->options.header_bytes_max));
    parser_->body_limit(house_->options.body_bytes_max);
    // Nothing of it is there yet: it may rest. From its first byte on it has to come in.
    stream_.expires_after(buffer_.size() > 0 ? house_->options.request_time : house_->options.idle_time);
    auto self = this->shared_from_this();
    if (buffer_.size() > 0) return read_request();
    stream_.async_read_some(buffer_.prepare(4096), [self](error_code wrong, size_t bytes) {
      if (wrong) return self->close();
      self->buffer_.commit(bytes);
      self->stream_.expires_after(self->house_->options.request_time);
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
    head_ = "HTTP/1.1 " + std::to_string(r.status) + ' ' + std::string(reason_of(r.status)) + "\r\n";
    const bool bare = r.status == 204 || r.status == 304;
    if (!bare)
      head_ +=
          "Content-Type: " + r.type + "\r\nContent-Length: " + std::to_string(r.body ? r.body->size() : 0) + "\r\n";
    for (const auto& [name, value] : r.headers) head_ += name + ": " + value + "\r\n";
    head_ += last_ ? "Connection: close\r\n\r\n" : "\r\n";
    body_ = bare || head_only_ ? nullptr : std::move(r.body);
    const std::array<asio::const_buffer, 2> parts{asio::buffer(head_),
                                                  body_ ? asio::buffer(*body_) : asio::const_buffer{}};
    stream_.expires_after(house_->options.write_time);
    asio::async_write(stream_, parts, [self = this->shared_from_this()](error_code wrong, size_t) {
      self->body_.reset();
      if (wrong || self->last_) return self->close();
      self->read_next();
    });
  }

  void begin_stream(response r, std::function<void()> gone) {
    gone_ = std::move(gone);
    std::string head = "HTTP/1.1 200 OK\r\nContent-Type: " + r.type + "\r\nConnection: close\r\n";
    for (const auto& [name, value] : r.headers) head += name + ": " + value + "\r\n";
    write(std::make_shared<const std::string>(head + "\r\n"));
    if (head_only_) return end_stream();
    watch_for_end();
  }
  void write(std::shared_ptr<const std::string> piece) {
    if (closed_) return;
    waiting_bytes_ += piece->size();
    waiting_.push_back(std::move(piece));
    if (waiting_bytes_ > house_->options.stream_bytes_max) return close();  // too slow: he may come again
    if (!writing_) write_some();
  }
  void end_stream() {
    ends_ = true;
    if (!writing_) close();
  }
  bool closed() const { return closed_; }

  void close() {
    if (std::exchange(closed_, true)) return;
    error_code ignored;
    stream_.socket().shutdown(Protocol::socket::shutdown_both, ignored);
    stream_.socket().close(ignored);
    waiting_.clear();
    if (auto gone = std::exchange(gone_, nullptr)) gone();
  }

  auto executor() { return stream_.get_executor(); }

 private:
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
    asio::dispatch(stream_.get_executor(), std::move(f));
  }

  void read_request() {
    http::async_read(stream_, buffer_, *parser_,
                     [self = this->shared_from_this()](error_code wrong, size_t) { self->take(wrong); });
  }

  void take(error_code wrong) {
    using msg::ec;
    if (wrong == http::error::header_limit || wrong == http::error::buffer_overflow)
      return refuse(431, ec::too_large, "the header of the request is too large", "16 KiB at most");
    if (wrong == http::error::body_limit)
      return refuse(413, ec::too_large, "the body of the request is too large", "2 MiB at most");
    if (wrong == http::error::end_of_stream || wrong == asio::error::eof || wrong == beast::error::timeout ||
        wrong == asio::error::connection_reset || wrong == asio::error::operation_aborted)
      return close();
    if (wrong) return refuse(400, ec::bad_request, "this is no HTTP request: " + wrong.message(), "");
    auto& m = parser_->get();
    last_ = !m.keep_alive();
    head_only_ = m.method() == http::verb::head;
    request r;
    r.method = std::string(m.method_string());
    r.from = from_;
    for (const auto& f : m)
      r.headers.emplace_back(lower({f.name_string().data(), f.name_string().size()}), std::string(f.value()));
    r.body = std::move(m.body());
    if (!known_host(r))
      return refuse(421, ec::forbidden, "this is not the host '" + std::string(r.header("host").substr(0, 100)) + "'",
                    "the setting http_url names the address under which people come");
    if (const auto other = forwarded_for(r.header("x-forwarded-for")); trusted_ && !other.empty()) {
      r.from = std::string(other.substr(0, 64));
      r.secure = r.header("x-forwarded-proto") == "https";
    }
    const std::string target(m.target());
    if (auto ok = read_target(target, r); !ok) return respond(error_response(ok.error()));
    // What one request breaks must not end all others.
    auto e = std::make_shared<open_exchange>(this->shared_from_this(), std::move(r));
    try {
      house_->serve(e);
    } catch (const std::exception& x) {
      house_->trouble("a request", x.what());
      e->respond(
          error_response({msg::ec::internal, "this request cannot be served", "the manager's log says more", {}}));
    }
  }

  // A page elsewhere can have a browser send requests to this machine under a name of its own.
  bool known_host(const request& r) const {
    if constexpr (std::is_same_v<Protocol, local>) return true;
    const auto hosts = std::ranges::count_if(r.headers, [](const auto& h) { return h.first == "host"; });
    if (hosts != 1) return false;
    const auto host = host_of(r.header("host"));
    return names_this_machine(host) || std::ranges::find(house_->options.hosts, host) != house_->options.hosts.end();
  }

  // A reader of a stream says nothing more: what comes is its end.
  void watch_for_end() {
    stream_.expires_never();
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
      parts.push_back(asio::buffer(*taken_.back()));
    }
    asio::async_write(stream_, parts, [self = this->shared_from_this()](error_code wrong, size_t bytes) {
      self->writing_ = false;
      if (wrong) return self->close();
      self->waiting_bytes_ -= bytes;
      if (!self->waiting_.empty()) self->write_some();
      else if (self->ends_) self->close();
    });
  }

  stream_t stream_;
  const std::string from_;
  const bool trusted_;  // a proxy of ours
  std::shared_ptr<house> house_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  bool last_ = false, head_only_ = false;  // of the request at hand
  std::string head_;
  std::shared_ptr<const std::string> body_;
  // As a stream:
  std::deque<std::shared_ptr<const std::string>> waiting_;
  std::vector<std::shared_ptr<const std::string>> taken_;  // being written
  size_t waiting_bytes_ = 0;
  bool writing_ = false, ends_ = false, closed_ = false;
  std::function<void()> gone_;
  std::array<char, 256> unread_{};
};

struct place {
  std::string text;
  std::string unix_path;  // or:
  std::string host;
  std::string port;
};

msg::result<place> place_of(const std::string& text) {
  if (text.starts_with("unix:/")) return place{text, text.substr(5), {}, {}};
  const auto colon = text.rfind(':');
  auto host = text.substr(0, colon);
  if (colon == text.npos || host.empty())
    return msg::fail(msg::ec::bad_request, "'" + text + "' is no host:port", "127.0.0.1:7780");
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return place{text, {}, host, text.substr(colon + 1)};
}

}  // namespace

struct server::impl {
  asio::io_context io{1};
  std::shared_ptr<house> all = std::make_shared<house>();
  std::vector<place> places;
  std::vector<std::shared_ptr<asio::steady_timer>> timers;
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  std::thread thread;
  std::vector<std::string> made;  // socket files

  void listen(const place& at) {
    try {
      if (!at.unix_path.empty()) {
        // One that nobody answers at is left from before; one that is answered at is somebody's.
        local::socket probe(io);
        error_code wrong;
        probe.connect(local::endpoint(at.unix_path), wrong);
        if (!wrong) throw boost::system::system_error(asio::error::address_in_use);
        struct stat info {};
        if (::lstat(at.unix_path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) ::unlink(at.unix_path.c_str());
        const auto before = ::umask(0117);
        auto a = std::make_shared<local::acceptor>(io, local::endpoint(at.unix_path));
        ::umask(before);
        made.push_back(at.unix_path);
        return accept(std::move(a));
      }
      tcp::resolver names(io);
      const auto found = names.resolve(at.host, at.port);
      auto a = std::make_shared<tcp::acceptor>(io, found.begin()->endpoint());
      accept(std::move(a));
    } catch (const boost::system::system_error& e) {
      all->trouble(at.text, e.code().message());
      auto again = std::make_shared<asio::steady_timer>(io, all->options.listen_again);
      timers.push_back(again);
      again->async_wait([this, at, again](error_code stopped) {
        std::erase(timers, again);
        if (!stopped) listen(at);
      });
    }
  }

  // Who comes in, and whether he may speak for others; nothing: he may not come in.
  std::optional<std::pair<std::string, bool>> who_is(tcp::socket& s) {
    error_code wrong;
    const auto peer = s.remote_endpoint(wrong);
    if (wrong) return std::nullopt;
    auto address = peer.address();
    if (address.is_v6() && address.to_v6().is_v4_mapped())
      address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
    const auto text = address.to_string();
    const bool proxy = std::ranges::find(all->options.proxies, text) != all->options.proxies.end();
    if (!proxy && !of_this_machine(address)) return std::nullopt;
    error_code ignored;
    s.set_option(tcp::no_delay(true), ignored);
    return std::pair(text, proxy);
  }
  std::optional<std::pair<std::string, bool>> who_is(local::socket& s) {
    ucred peer{};
    socklen_t bytes = sizeof peer;
    if (::getsockopt(s.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) return std::nullopt;
    return std::pair("unix:" + std::to_string(peer.uid), false);
  }

  template <class Acceptor>
  void accept(std::shared_ptr<Acceptor> a) {
    using protocol = typename Acceptor::protocol_type;
    a->async_accept([this, a](error_code wrong, typename protocol::socket s) {
      if (wrong == asio::error::operation_aborted) return;
      if (wrong) {  // out of descriptors, most likely: those at hand have to end first
        auto pause = std::make_shared<asio::steady_timer>(io, std::chrono::milliseconds(100));
        return pause->async_wait([this, a, pause](error_code stopped) {
          if (!stopped) accept(a);
        });
      }
      if (auto who = who_is(s)) {
        auto c = std::make_shared<connection<protocol>>(std::move(s), who->first, who->second, all);
        if (c->one_too_many()) c->refuse(503, msg::ec::rate_limited, "there are too many connections", "try again");
        else c->read_next();
      }
      accept(a);
    });
  }
};

server::server(std::unique_ptr<impl> p) : impl_(std::move(p)) {}
server::~server() { stop(); }

msg::result<std::unique_ptr<server>> server::start(server_options options, handler serve) {
  auto p = std::make_unique<impl>();
  for (const auto& text : options.addresses) {
    auto at = place_of(text);
    if (!at) return msg::fail(at.error());
    p->places.push_back(std::move(*at));
  }
  p->all->options = std::move(options);
  p->all->serve = std::move(serve);
  for (const auto& at : p->places) p->listen(at);
  p->thread = std::thread([i = p.get()] {
    pthread_setname_np(pthread_self(), "zedops-http");
    for (bool more = true; more;) {
      try {
        i->io.run();
        more = false;
      } catch (const std::exception& x) {
        i->all->trouble("the server", x.what());
      }
    }
  });
  return std::unique_ptr<server>(new server(std::move(p)));
}

void server::post(std::function<void()> what) { asio::post(impl_->io, std::move(what)); }

void server::every(std::chrono::milliseconds period, std::function<void()> what) {
  asio::post(impl_->io, [i = impl_.get(), period, what = std::move(what)] {
    auto timer = std::make_shared<asio::steady_timer>(i->io);
    auto again = std::make_shared<std::function<void()>>();
    *again = [timer, period, what, weak = std::weak_ptr(again)] {
      timer->expires_after(period);
      timer->async_wait([what, keep = weak.lock()](error_code stopped) {
        if (stopped || !keep) return;
        what();
        (*keep)();
      });
    };
    (*again)();
  });
}

void server::after(std::chrono::milliseconds pause, std::function<void()> what) {
  auto timer = std::make_shared<asio::steady_timer>(impl_->io, pause);
  timer->async_wait([timer, what = std::move(what)](error_code stopped) {
    if (!stopped) what();
  });
}

void server::stop() {
  if (!impl_->thread.joinable()) return;
  impl_->io.stop();
  impl_->thread.join();
  for (const auto& file : impl_->made) ::unlink(file.c_str());
}

size_t server::connections() const { return impl_->all->connections; }

}  // namespace zedops::web
