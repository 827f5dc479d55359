// HTTP/1.1 over TCP and socket files, on one thread. It does not interpret requests: a handler gets each request and
// answers it when it can, or turns its connection into a stream.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "integration/http/transport/message.hpp"

namespace zedops::web {

struct tls_files {
  std::string certificate;  // with its chain; both PEM
  std::string key;
};

struct server_options {
  std::vector<std::string> addresses;  // host:port, tls:host:port or unix:/path
  tls_files tls{};
  std::vector<std::string> hosts;    // names allowed in a Host header beside those of this machine
  std::vector<std::string> proxies;  // addresses that may connect without TLS from other machines, and name clients
  size_t header_bytes_max = 16 * 1024;
  uint64_t body_bytes_max = 2u << 20;
  size_t connections_max = 12'000;
  size_t connections_per_address_max = 10'000;
  std::chrono::seconds request_time{15};  // for a whole request to arrive
  std::chrono::seconds idle_time{75};     // between requests
  std::chrono::seconds write_time{30};    // for the client to take what was written
  size_t stream_bytes_max = 1u << 20;     // waiting for one reader; a slower one is dropped
  std::chrono::milliseconds listen_again{5'000};
  // Reports an address that cannot be listened on and is tried again, or a failure while serving a request.
  std::function<void(const std::string& where, const std::string& problem)> on_trouble;
};

// One request that waits for its answer. From any thread; the connection may be closed meanwhile, which is no error.
class exchange {
 public:
  virtual ~exchange() = default;
  virtual const request& asked() const = 0;
  virtual void respond(response r) = 0;  // once
  // Before an answer that may take long, on the server's thread: `gone` is called there once, within a second or two,
  // when the client has hung up and will not get it.
  virtual void when_gone(std::function<void()> gone) = 0;
  // Instead: the head of an answer without end, and its pieces. `gone` is called once, on the server's thread and never
  // from inside write, when the reader has gone.
  virtual void begin_stream(response head, std::function<void()> gone) = 0;
  virtual void write(std::shared_ptr<const std::string> piece) = 0;
  virtual size_t waiting_bytes() const = 0;  // written and not taken yet; on the server's thread
  virtual void end_stream() = 0;
};

class server {
 public:
  using handler = std::function<void(std::shared_ptr<exchange>)>;  // on the server's thread; must not block
  // Errors: bad_request for an invalid address, or for a certificate that cannot be used.
  static msg::result<std::unique_ptr<server>> start(server_options options, handler serve);
  ~server();
  // For new connections. Errors: as above, and the previous one stays in use. Not on the server's thread.
  msg::result<void> reload_certificate();
  void post(std::function<void()> what);  // on the server's thread
  void every(std::chrono::milliseconds period, std::function<void()> what);
  void after(std::chrono::milliseconds pause, std::function<void()> what);  // once
  // Serves no more requests. Every exchange has to be released before the server is destroyed.
  void stop();
  size_t connections() const;

 private:
  struct impl;
  explicit server(std::unique_ptr<impl> p);
  std::unique_ptr<impl> impl_;
};

}  // namespace zedops::web
