#include "integration/rcon/rcon_client.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "integration/rcon/rcon_packet.hpp"

namespace zedops::rcon {
namespace {

using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// A first packet this long may be followed by others. A shorter one ends the reply: no end mark is sent, since some
// games take two packets in one segment for one, or close on a type they do not know.
constexpr size_t perhaps_more_bytes = 2048;

std::string errno_text(int error) { return std::generic_category().message(error); }

enum class wait_for { read, write };
enum class waited { ready, timeout, broken };

waited wait_until(int fd, wait_for what, clock::time_point deadline) {
  for (;;) {
    auto left = std::chrono::ceil<milliseconds>(deadline - clock::now()).count();
    if (left <= 0) return waited::timeout;
    pollfd p{fd, static_cast<short>(what == wait_for::read ? POLLIN : POLLOUT), 0};
    int n = ::poll(&p, 1, static_cast<int>(std::min<int64_t>(left, 60'000)));
    if (n > 0) return waited::ready;
    if (n < 0 && errno != EINTR) return waited::broken;
  }
}

enum class read_outcome { packet, closed, timeout };

}  // namespace

struct client::state {
  target to;
  int fd = -1;
  int32_t last_id = 0;
  packet_reader reader;
  packet got;  // by the last `read` that said packet

  ~state() {
    if (fd >= 0) ::close(fd);
  }

  std::string where() const { return fmt::format("RCON at {}:{}", to.host, to.port); }

  msg::result<void> dial(clock::time_point deadline) {
    sockaddr_storage address{};
    socklen_t size = 0;
    auto host = to.host == "localhost" ? std::string("127.0.0.1") : to.host;
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address);
    if (::inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
      v4->sin_family = AF_INET, v4->sin_port = htons(to.port), size = sizeof *v4;
    } else if (address = {}; ::inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
      v6->sin6_family = AF_INET6, v6->sin6_port = htons(to.port), size = sizeof *v6;
    } else {
      return msg::fail(msg::ec::bad_request, fmt::format("RCON host '{}' is not a numeric address", to.host),
                       "give the container's address");
    }
    auto unreachable = [&](int error) {
      return msg::fail(msg::ec::engine_error, fmt::format("{}: {}", where(), errno_text(error)),
                       "the game may still be starting, or RCON is off in its settings");
    };
    fd = ::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return unreachable(errno);
    int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), size) == 0) return {};
    if (errno != EINPROGRESS) return unreachable(errno);
    switch (wait_until(fd, wait_for::write, deadline)) {
      case waited::timeout: return late("no connection");
      case waited::broken: return unreachable(errno);
      case waited::ready: break;
    }
    int error = 0;
    socklen_t error_size = sizeof error;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size);
    if (error) return unreachable(error);
    return {};
  }

  tl::unexpected<msg::error> late(std::string_view what) const {
    return msg::fail(msg::ec::timeout, fmt::format("{}: {} in time", where(), what),
                     "the game may be busy or hung; look at its log");
  }

  tl::unexpected<msg::error> closed(std::string_view when) const {
    return msg::fail(msg::ec::engine_error, fmt::format("{}: the game closed the connection {}", where(), when),
                     "look at the game's log: it may have stopped");
  }

  // false: the game has closed.
  msg::result<bool> send(std::string_view bytes, clock::time_point deadline) {
    while (!bytes.empty()) {
      auto n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n > 0) {
        bytes.remove_prefix(static_cast<size_t>(n));
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        auto w = wait_until(fd, wait_for::write, deadline);
        if (w != waited::ready) return late("the command was not taken");
      } else if (errno != EINTR) {
        return false;
      }
    }
    return true;
  }

  msg::result<read_outcome> read(clock::time_point deadline) {
    for (;;) {
      auto next = reader.next();
      if (!next) return msg::fail(next.error());
      if (*next) {
        got = std::move(**next);
        return read_outcome::packet;
      }
      switch (wait_until(fd, wait_for::read, deadline)) {
        case waited::timeout: return read_outcome::timeout;
        case waited::broken: return read_outcome::closed;
        case waited::ready: break;
      }
      char bytes[16 * 1024];
      auto n = ::recv(fd, bytes, sizeof bytes, 0);
      if (n > 0) reader.feed({bytes, static_cast<size_t>(n)});
      else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) return read_outcome::closed;
    }
  }

  msg::result<void> login(clock::time_point deadline) {
    auto id = ++last_id;
    auto sent = send(encode(id, packet_type::login, to.password), deadline);
    if (!sent) return msg::fail(sent.error());
    auto refused = [&](std::string_view why) {
      return msg::fail(msg::ec::unauthorised, fmt::format("{}: {}", where(), why),
                       "compare RCON_PASSWORD of the server with the game's settings");
    };
    for (size_t seen = 0; *sent && seen < reply_packets_max; ++seen) {
      auto read_one = read(deadline);
      if (!read_one) return msg::fail(read_one.error());
      if (*read_one == read_outcome::timeout) return late("no answer to the login");
      if (*read_one == read_outcome::closed) break;
      if (got.type != static_cast<int32_t>(login_reply)) continue;  // an empty reply precedes the answer
      if (got.id == id) return {};
      if (got.id == -1) return refused("the password was refused");
    }
    return refused("the game ended the connection during the login, as some do when the password is wrong");
  }

  msg::result<std::string> command(std::string_view text, on_close closing) {
    const auto deadline = clock::now() + to.reply_timeout;
    const auto id = ++last_id;
    int32_t end_mark = 0;  // id of the empty packet that the game answers after the whole reply; 0: not sent
    auto sent = send(encode(id, packet_type::command, text), deadline);
    if (!sent) return msg::fail(sent.error());
    std::string reply;
    bool answered = false;
    auto on_closed = [&]() -> msg::result<std::string> {
      if (closing == on_close::accept) return reply;
      return closed(answered ? "within its reply" : "instead of answering");
    };
    if (!*sent) return on_closed();
    for (size_t seen = 0; seen < reply_packets_max; ++seen) {
      auto until = answered ? std::min(deadline, clock::now() + quiet_time) : deadline;
      auto read_one = read(until);
      if (!read_one) return msg::fail(read_one.error());
      if (*read_one == read_outcome::closed) return on_closed();
      if (*read_one == read_outcome::timeout) {
        if (answered && until < deadline) return reply;
        return late(answered ? "the reply did not end" : "no reply");
      }
      if (end_mark && got.id == end_mark) return reply;
      if (got.id != id || got.type != static_cast<int32_t>(packet_type::reply)) continue;
      if (reply.size() + got.body.size() > reply_bytes_max)
        return msg::fail(msg::ec::too_large, fmt::format("{}: a reply of more than {} bytes", where(), reply_bytes_max),
                         "ask for less, or look at the game's log");
      reply += got.body;
      if (!answered && got.body.size() < perhaps_more_bytes) return reply;
      if (!end_mark) {
        end_mark = ++last_id;
        auto marked = send(encode(end_mark, packet_type::reply, {}), deadline);
        if (!marked) return msg::fail(marked.error());
      }
      answered = true;
    }
    return msg::fail(msg::ec::too_large, fmt::format("{}: a reply of more than {} packets", where(), reply_packets_max),
                     "check that the RCON port is the game's");
  }
};

client::client(std::unique_ptr<state> s) : state_(std::move(s)) {}
client::client(client&&) noexcept = default;
client& client::operator=(client&&) noexcept = default;
client::~client() = default;

msg::result<client> client::connect(const target& to) {
  auto s = std::make_unique<state>();
  s->to = to;
  const auto deadline = clock::now() + to.dial_timeout;
  if (to.password.size() > command_bytes_max || to.password.find('\0') != std::string::npos)
    return msg::fail(msg::ec::bad_request, "the RCON password is too long or holds a zero byte", "set another one");
  if (auto ok = s->dial(deadline); !ok) return msg::fail(ok.error());
  if (auto ok = s->login(deadline); !ok) return msg::fail(ok.error());
  return client(std::move(s));
}

msg::result<std::string> client::command(std::string_view text, on_close closing) {
  if (text.empty() || text.size() > command_bytes_max || text.find_first_of(std::string_view("\0\r\n", 3)) != text.npos)
    return msg::fail(msg::ec::bad_request,
                     fmt::format("an RCON command is one line of 1-{} bytes without zero bytes", command_bytes_max),
                     "send one command at a time");
  return state_->command(text, closing);
}

msg::result<std::string> rcon_execute(const target& to, const std::vector<std::string>& commands, on_close closing) {
  auto session = client::connect(to);
  if (!session) return msg::fail(session.error());
  std::string replies;
  for (size_t i = 0; i < commands.size(); ++i) {
    auto reply = session->command(commands[i], i + 1 == commands.size() ? closing : on_close::fail);
    if (!reply) return reply;
    if (!replies.empty() && !reply->empty()) replies += '\n';
    replies += *reply;
  }
  return replies;
}

}  // namespace zedops::rcon
