#include "integration/rcon/rcon_client.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "integration/rcon/rcon_packet.hpp"
#include "tests/support/catch.hpp"

using namespace zedops::rcon;
using namespace std::chrono_literals;
using zedops::msg::ec;

namespace {

// A game on a loopback port that follows a script for one connection.
class game {
 public:
  class peer {
   public:
    explicit peer(int fd) : fd_(fd) {}
    bool send(std::string_view bytes) {
      while (!bytes.empty()) {
        auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n <= 0) return false;
        bytes.remove_prefix(static_cast<size_t>(n));
      }
      return true;
    }
    void reply(int32_t id, std::string_view body) { send(encode(id, packet_type::reply, body)); }
    // The client's next packet; one with type -1 when it has closed.
    packet next() {
      for (;;) {
        auto got = reader_.next();
        if (got && *got) return **got;
        char bytes[4096];
        auto n = ::recv(fd_, bytes, sizeof bytes, 0);
        if (n <= 0) return {0, -1, {}};
        reader_.feed({bytes, static_cast<size_t>(n)});
      }
    }
    bool accept_login(std::string_view password = "secret") {
      auto login = next();
      bool right = login.type == static_cast<int32_t>(packet_type::login) && login.body == password;
      reply(login.id, {});  // as Valve's servers do before the answer
      send(encode(right ? login.id : -1, login_reply, {}));
      return right;
    }
    void until_closed() {
      while (next().type != -1) {
      }
    }

   private:
    int fd_;
    packet_reader reader_;
  };

  explicit game(std::function<void(peer&)> script) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listener_, 4) == 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, script = std::move(script)] {
      int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      peer p(fd);
      script(p);
      ::close(fd);
    });
  }
  ~game() {
    ::shutdown(listener_, SHUT_RDWR);  // wakes an accept without a client
    thread_.join();
    ::close(listener_);
  }

  target at(std::chrono::milliseconds reply_timeout = 5s) const {
    return {"127.0.0.1", port_, "secret", 5s, reply_timeout};
  }

 private:
  int listener_;
  uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace

TEST_CASE("rcon: commands are answered in order over one login", "[unit][rcon][acc-16]") {
  game zomboid([](auto& p) {
    if (!p.accept_login()) return;
    auto save = p.next();
    p.reply(save.id, save.body == "save" ? "World saved" : "?");
    auto players = p.next();
    p.reply(players.id, players.body == "players" ? "Players connected (0):" : "?");
    p.until_closed();
  });
  CHECK(rcon_execute(zomboid.at(), {"save", "players"}) == "World saved\nPlayers connected (0):");
}

TEST_CASE("rcon: a wrong password is unauthorised and shown nowhere", "[unit][rcon]") {
  game zomboid([](auto& p) { p.accept_login("other"); });
  auto done = rcon_execute(zomboid.at(), {"save"});
  REQUIRE_FALSE(done);
  CHECK(done.error().code == ec::unauthorised);
  CHECK(done.error().message.find("secret") == std::string::npos);
  CHECK(done.error().hint.find("RCON_PASSWORD") != std::string::npos);
}

TEST_CASE("rcon: a game that hangs up during the login counts as a refused password", "[unit][rcon]") {
  game zomboid([](auto& p) { p.next(); });
  CHECK(rcon_execute(zomboid.at(), {"save"}).error().code == ec::unauthorised);
}

TEST_CASE("rcon: a closed port is an error with the address in it", "[unit][rcon]") {
  target nobody;
  {
    game gone([](auto&) {});
    nobody = gone.at();
  }
  auto done = rcon_execute(nobody, {"save"});
  REQUIRE_FALSE(done);
  CHECK(done.error().code == ec::engine_error);
  CHECK(done.error().message.find("127.0.0.1:" + std::to_string(nobody.port)) != std::string::npos);
}

TEST_CASE("rcon: a game that never answers costs the reply timeout, not more", "[unit][rcon]") {
  game zomboid([](auto& p) {
    p.accept_login();
    p.until_closed();
  });
  auto begin = std::chrono::steady_clock::now();
  CHECK(rcon_execute(zomboid.at(150ms), {"save"}).error().code == ec::timeout);
  auto took = std::chrono::steady_clock::now() - begin;
  CHECK(took >= 150ms);
  CHECK(took < 3s);
}

TEST_CASE("rcon: a game that never answers the login costs the dial timeout", "[unit][rcon]") {
  game zomboid([](auto& p) { p.until_closed(); });
  auto to = zomboid.at();
  to.dial_timeout = 150ms;
  CHECK(rcon_execute(to, {"save"}).error().code == ec::timeout);
}

TEST_CASE("rcon: a reply that drips byte by byte does not stretch the deadline", "[unit][rcon]") {
  game zomboid([](auto& p) {
    p.accept_login();
    auto command = p.next();
    auto bytes = encode(command.id, packet_type::reply, std::string(60'000, 'x'));
    pollfd never{-1, 0, 0};
    for (size_t i = 0; i < bytes.size() && p.send(bytes.substr(i, 1)); ++i)
      ::poll(&never, 1, 5);  // the pace of the bytes
  });
  auto begin = std::chrono::steady_clock::now();
  CHECK(rcon_execute(zomboid.at(200ms), {"save"}).error().code == ec::timeout);
  CHECK(std::chrono::steady_clock::now() - begin < 1500ms);
}

TEST_CASE("rcon: a long reply in many packets is put together up to the end mark", "[unit][rcon]") {
  game source([](auto& p) {
    p.accept_login();
    auto command = p.next();
    for (char c : {'a', 'b', 'c'}) p.reply(command.id, std::string(4000, c));
    auto mark = p.next();
    if (mark.type == static_cast<int32_t>(packet_type::reply)) p.reply(mark.id, {});
    p.until_closed();
  });
  CHECK(rcon_execute(source.at(), {"cvarlist"}) ==
        std::string(4000, 'a') + std::string(4000, 'b') + std::string(4000, 'c'));
}

TEST_CASE("rcon: a game that ignores the end mark is done when it falls quiet", "[unit][rcon]") {
  game plain([](auto& p) {
    p.accept_login();
    auto command = p.next();
    p.reply(command.id, std::string(4000, 'a'));
    p.reply(command.id, "tail");
    p.until_closed();
  });
  CHECK(rcon_execute(plain.at(), {"help"}) == std::string(4000, 'a') + "tail");
}

TEST_CASE("rcon: packets of other commands are not mixed in", "[unit][rcon]") {
  game chatty([](auto& p) {
    p.accept_login();
    auto command = p.next();
    p.reply(command.id + 1000, "somebody else's");
    p.reply(command.id, "mine");
    p.until_closed();
  });
  CHECK(rcon_execute(chatty.at(), {"players"}) == "mine");
}

TEST_CASE("rcon: an endless reply is cut off by its size and by its packets", "[unit][rcon]") {
  auto body = GENERATE(as<size_t>{}, 4000, 60'000, 1);
  game hostile([body](auto& p) {
    p.accept_login();
    auto command = p.next();
    p.reply(command.id, std::string(4000, 'x'));
    for (size_t i = 0; i < 2 * reply_packets_max; ++i) p.reply(command.id, std::string(body, 'x'));
    p.until_closed();
  });
  auto done = rcon_execute(hostile.at(), {"help"});
  REQUIRE_FALSE(done);
  CHECK(done.error().code == ec::too_large);
}

TEST_CASE("rcon: a peer that does not speak RCON is an error", "[unit][rcon]") {
  game web([](auto& p) {
    p.next();
    p.send("HTTP/1.1 400 Bad Request\r\n\r\n");
    p.until_closed();
  });
  CHECK(rcon_execute(web.at(), {"save"}).error().code == ec::engine_error);
}

TEST_CASE("rcon: hanging up instead of answering is success only for a command that ends the game", "[unit][rcon]") {
  auto quits = [](auto& p) {
    p.accept_login();
    p.next();
  };
  {
    game zomboid(quits);
    CHECK(rcon_execute(zomboid.at(), {"quit"}, on_close::accept) == "");
  }
  {
    game zomboid(quits);
    CHECK(rcon_execute(zomboid.at(), {"save"}).error().code == ec::engine_error);
  }
  {
    // Only the last command may: a game that dies during the save has not saved.
    game zomboid(quits);
    CHECK(rcon_execute(zomboid.at(), {"save", "quit"}, on_close::accept).error().code == ec::engine_error);
  }
}

TEST_CASE("rcon: commands and hosts that cannot be sent safely are refused", "[unit][rcon]") {
  game zomboid([](auto& p) {
    p.accept_login();
    p.until_closed();
  });
  auto session = client::connect(zomboid.at());
  REQUIRE(session);
  for (std::string bad :
       {std::string{}, std::string("a\nb"), std::string("a\0b", 3), std::string(command_bytes_max + 1, 'a')})
    CHECK(session->command(bad).error().code == ec::bad_request);
  CHECK(client::connect({"game.example.org", 1, "x"}).error().code == ec::bad_request);
}
