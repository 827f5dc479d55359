#include "integration/http/transport/server.hpp"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <thread>

#include "integration/http/transport/detail/connection.hpp"

namespace zedops::web {
namespace {

using namespace detail;

bool of_this_machine(const asio::ip::address& a) {
  if (a.is_v6() && a.to_v6().is_v4_mapped())
    return asio::ip::make_address_v4(asio::ip::v4_mapped, a.to_v6()).is_loopback();
  return a.is_loopback();
}

struct place {
  std::string text;
  std::string unix_path;  // or:
  std::string host;
  std::string port;
  bool tls = false;
};

msg::result<place> place_of(const std::string& text) {
  if (text.starts_with("unix:/")) return place{text, text.substr(5), {}, {}};
  const bool tls = text.starts_with("tls:");
  const auto address = text.substr(tls ? 4 : 0);
  const auto colon = address.rfind(':');
  auto host = address.substr(0, colon);
  if (colon == address.npos || host.empty())
    return msg::fail(msg::ec::bad_request, "'" + text + "' is not host:port", "such as 127.0.0.1:7780");
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return place{text, {}, host, address.substr(colon + 1), tls};
}

msg::result<tls_context> read_certificate(const tls_files& files) {
  for (const auto& file : {files.certificate, files.key})
    if (::access(file.c_str(), R_OK) != 0)
      return msg::fail(msg::ec::bad_request, "TLS cannot read " + file + ": " + std::strerror(errno),
                       "give PEM files that the manager may read");
  struct stat info {};
  if (::stat(files.key.c_str(), &info) == 0 && (info.st_mode & S_IRWXO) != 0)
    return msg::fail(msg::ec::forbidden, files.key + " can be read by every user", "chmod o= " + files.key);
  auto c = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  error_code wrong;
  std::string what = files.certificate;
  c->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                     asio::ssl::context::no_tlsv1_1 | asio::ssl::context::no_compression,
                 wrong);
  if (!wrong) c->use_certificate_chain_file(files.certificate, wrong);
  if (!wrong) {
    what = files.key;
    c->use_private_key_file(files.key, asio::ssl::context::pem, wrong);
  }
  if (!wrong && SSL_CTX_check_private_key(c->native_handle()) != 1) wrong = asio::error::invalid_argument;
  if (wrong)
    return msg::fail(msg::ec::bad_request, "TLS cannot use " + what + ": " + wrong.message(),
                     "give a certificate with its chain, and the private key that belongs to it, as PEM files");
  return c;
}

}  // namespace

struct server::impl {
  asio::io_context io{1};
  std::shared_ptr<house> all = std::make_shared<house>();
  std::vector<place> places;
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  std::thread thread;
  std::vector<std::string> made;  // socket files
  tls_context tls;                // of connections from now on

  void listen(const place& at) {
    try {
      if (!at.unix_path.empty()) {
        // A socket file without a listener is left from an earlier run; one with a listener is in use.
        local::socket probe(io);
        error_code wrong;
        probe.connect(local::endpoint(at.unix_path), wrong);
        if (!wrong) throw boost::system::system_error(asio::error::address_in_use);
        struct stat info {};
        if (::lstat(at.unix_path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) ::unlink(at.unix_path.c_str());
        auto a = std::make_shared<local::acceptor>(io);
        a->open();
        ::fchmod(a->native_handle(), 0660);  // before others can see it
        a->bind(local::endpoint(at.unix_path));
        a->listen();
        made.push_back(at.unix_path);
        return accept(std::move(a));
      }
      tcp::resolver names(io);
      const auto found = names.resolve(at.host, at.port);
      auto a = std::make_shared<tcp::acceptor>(io, found.begin()->endpoint());
      accept(std::move(a), at.tls);
    } catch (const boost::system::system_error& e) {
      all->trouble(at.text, e.code().message());
      auto again = std::make_shared<asio::steady_timer>(io, all->options.listen_again);
      again->async_wait([this, at, again](error_code stopped) {
        if (!stopped) listen(at);
      });
    }
  }

  // The client's address, and whether it may name others; nothing: the client is not admitted.
  std::optional<std::pair<std::string, bool>> who_is(tcp::socket& s, bool secure) {
    error_code wrong;
    const auto peer = s.remote_endpoint(wrong);
    if (wrong) return std::nullopt;
    auto address = peer.address();
    if (address.is_v6() && address.to_v6().is_v4_mapped())
      address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
    const auto text = address.to_string();
    const bool proxy = std::ranges::find(all->options.proxies, text) != all->options.proxies.end();
    if (!secure && !proxy && !of_this_machine(address)) return std::nullopt;
    error_code ignored;
    s.set_option(tcp::no_delay(true), ignored);
    return std::pair(text, proxy);
  }
  std::optional<std::pair<std::string, bool>> who_is(local::socket& s, bool) {
    ucred peer{};
    socklen_t bytes = sizeof peer;
    if (::getsockopt(s.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) return std::nullopt;
    return std::pair("unix:" + std::to_string(peer.uid), true);  // may do everything, and name others, too
  }

  template <class Kind>
  void begin(typename Kind::protocol::socket s, const std::pair<std::string, bool>& who) {
    auto c = std::make_shared<connection<Kind>>(std::move(s), who.first, who.second, all, tls);
    if (!c->one_too_many()) c->begin();
    else if (Kind::secure) c->close();  // an answer would need a handshake, which costs too much here
    else c->refuse(503, msg::ec::rate_limited, "there are too many connections", "try again");
  }

  template <class Acceptor>
  void accept(std::shared_ptr<Acceptor> a, bool secure = false) {
    using protocol = typename Acceptor::protocol_type;
    a->async_accept([this, a, secure](error_code wrong, typename protocol::socket s) {
      if (wrong == asio::error::operation_aborted) return;
      if (wrong) {  // out of descriptors, most likely: open ones have to end first
        auto pause = std::make_shared<asio::steady_timer>(io, std::chrono::milliseconds(100));
        return pause->async_wait([this, a, pause, secure](error_code stopped) {
          if (!stopped) accept(a, secure);
        });
      }
      accept(a, secure);  // first, so that others are accepted whatever happens to this one
      if (auto who = who_is(s, secure)) {
        if constexpr (std::is_same_v<protocol, tcp>) {
          if (secure) begin<over_tls>(std::move(s), *who);
          else begin<plain<tcp>>(std::move(s), *who);
        } else begin<plain<protocol>>(std::move(s), *who);
      }
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
  const bool any_tls = std::ranges::any_of(p->places, &place::tls);
  if (any_tls) {
    auto c = read_certificate(options.tls);
    if (!c) return msg::fail(c.error());
    p->tls = std::move(*c);
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

msg::result<void> server::reload_certificate() {
  if (std::ranges::none_of(impl_->places, &place::tls)) return {};
  auto c = read_certificate(impl_->all->options.tls);
  if (!c) return msg::fail(c.error());
  post([i = impl_.get(), c = std::move(*c)] { i->tls = c; });
  return {};
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
  impl_->all->stopped = true;
  impl_->io.stop();
  impl_->thread.join();
  for (const auto& file : impl_->made) ::unlink(file.c_str());
}

size_t server::connections() const { return impl_->all->connections; }

}  // namespace zedops::web
