#include "tools/fake-engine/fake_engine.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <condition_variable>
#include <cstdio>
#include <list>
#include <map>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace zedops::fake {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using local = asio::local::stream_protocol;
using boost::system::error_code;

std::vector<rule> parse_rules(const std::string& text) {
  static const std::map<std::string, rule::action> actions = {
      {"respond", rule::action::respond}, {"chunks", rule::action::chunks}, {"cut", rule::action::cut},
      {"hold", rule::action::hold},       {"hang", rule::action::hang},     {"raw", rule::action::raw},
      {"close", rule::action::close}};
  std::vector<rule> out;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == '#') continue;
    std::istringstream words{line};
    rule r;
    std::string action;
    words >> r.method >> r.path >> action;
    if (auto star = action.find('*'); star != std::string::npos) {
      r.times = std::atoi(action.c_str() + star + 1);
      action.resize(star);
    }
    auto known = actions.find(action);
    if (known == actions.end()) throw std::runtime_error("no action in rule: " + line);
    r.act = known->second;
    words >> r.status >> std::ws;
    std::getline(words, r.body);
    for (std::size_t at = 0; (at = r.body.find("\\n", at)) != std::string::npos; ++at) r.body.replace(at, 2, "\n");
    out.push_back(std::move(r));
  }
  return out;
}

struct engine::impl {
  impl(std::string path_, std::vector<rule> rules_, std::string version_)
      : path{std::move(path_)}, rules{std::move(rules_)}, version{std::move(version_)} {
    ::unlink(path.c_str());
    acceptor.open();
    acceptor.bind(local::endpoint{path});
    acceptor.listen();
    thread = std::thread{[this] { accept_loop(); }};
  }

  ~impl() {
    {
      std::lock_guard guard{lock};
      closing = true;
    }
    ::shutdown(acceptor.native_handle(), SHUT_RDWR);
    thread.join();
    drop();
    for (auto& c : connections) c.thread.join();
    ::unlink(path.c_str());
  }

  struct connection {
    explicit connection(local::socket s) : socket{std::move(s)} {}
    local::socket socket;
    std::thread thread;
  };

  void accept_loop() {
    for (;;) {
      local::socket socket{io};
      error_code e;
      acceptor.accept(socket, e);
      std::lock_guard guard{lock};
      if (closing) return;
      if (e || connections.size() >= connections_max) continue;
      auto& c = connections.emplace_back(std::move(socket));
      c.thread = std::thread{[this, &c] { serve(c.socket); }};
    }
  }

  void drop() {
    std::lock_guard guard{lock};
    for (auto& c : connections) ::shutdown(c.socket.native_handle(), SHUT_RDWR);
  }

  void serve(local::socket& socket) {
    boost::beast::flat_buffer buffer;
    error_code e;
    while (!e) {
      http::request<http::string_body> message;
      http::read(socket, buffer, message, e);
      if (e) break;
      request r{std::string{message.method_string()}, std::string{message.target()}, message.body()};
      if (!answer(socket, r)) break;
    }
    ::shutdown(socket.native_handle(), SHUT_RDWR);
  }

  rule choose(const request& r) {
    std::lock_guard guard{lock};
    if (r.target != "/_ping") {
      seen.push_back(r);
      changed.notify_all();
    }
    for (auto& candidate : rules) {
      if (candidate.times == 0) continue;
      if (candidate.method != "*" && candidate.method != r.method) continue;
      if (candidate.path != "*" && r.target.find(candidate.path) == std::string::npos) continue;
      if (candidate.times > 0) --candidate.times;
      return candidate;
    }
    bool ping = r.target.find("/_ping") != std::string::npos;
    return {"*", "*", rule::action::respond, ping ? 200 : 404, ping ? "OK" : R"({"message":"page not found"})", -1};
  }

  std::string head(const rule& chosen, const std::string& framing) {
    std::lock_guard guard{lock};
    return "HTTP/1.1 " + std::to_string(chosen.status) + " Scripted\r\nApi-Version: " + version + "\r\n" + framing +
           "\r\n\r\n";
  }

  // False: the connection has to end.
  bool answer(local::socket& socket, const request& r) {
    auto chosen = choose(r);
    error_code e;
    auto send = [&](const std::string& bytes) { asio::write(socket, asio::buffer(bytes), e); };
    switch (chosen.act) {
      case rule::action::respond:
        send(head(chosen, "Content-Length: " + std::to_string(chosen.body.size())) + chosen.body);
        return !e;
      case rule::action::chunks:
      case rule::action::cut:
      case rule::action::hold: {
        send(head(chosen, "Transfer-Encoding: chunked"));
        for (std::size_t at = 0; at < chosen.body.size();) {  // pieces end after each newline
          auto end = std::min(chosen.body.find('\n', at), chosen.body.size() - 1) + 1;
          char size[20];
          std::snprintf(size, sizeof size, "%zx\r\n", end - at);
          send(size + chosen.body.substr(at, end - at) + "\r\n");
          at = end;
        }
        if (chosen.act == rule::action::chunks) send("0\r\n\r\n");
        if (chosen.act == rule::action::hold) wait_for_end(socket);
        return chosen.act == rule::action::chunks && !e;
      }
      case rule::action::hang: wait_for_end(socket); return false;
      case rule::action::raw: send(chosen.body); return false;
      case rule::action::close: return false;
    }
    return false;
  }

  static void wait_for_end(local::socket& socket) {
    char byte = 0;
    while (::recv(socket.native_handle(), &byte, 1, 0) > 0) {
    }
  }

  std::string path;
  asio::io_context io;
  local::acceptor acceptor{io};
  std::mutex lock;
  std::condition_variable changed;
  std::vector<rule> rules;
  std::string version;
  std::vector<request> seen;
  std::list<connection> connections;
  bool closing = false;
  std::thread thread;
};

engine::engine(std::string socket_path, std::vector<rule> rules, std::string api_version)
    : impl_{std::make_unique<impl>(std::move(socket_path), std::move(rules), std::move(api_version))} {}
engine::~engine() = default;

std::string engine::host() const { return "unix://" + impl_->path; }

void engine::set_rules(std::vector<rule> rules) {
  std::lock_guard guard{impl_->lock};
  impl_->rules = std::move(rules);
}

void engine::set_api_version(std::string version) {
  std::lock_guard guard{impl_->lock};
  impl_->version = std::move(version);
}

std::vector<request> engine::requests(std::size_t count, std::chrono::milliseconds deadline) {
  std::unique_lock guard{impl_->lock};
  impl_->changed.wait_for(guard, deadline, [&] { return impl_->seen.size() >= count; });
  return impl_->seen;
}

void engine::drop_connections() { impl_->drop(); }

}  // namespace zedops::fake
