// A scripted Engine for faults that a real one does not produce on demand: hangs, cut streams, nonsense. It knows
// nothing of containers; whatever a test needs of the API is written as a rule.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace zedops::fake {

struct rule {
  enum class action {
    respond,  // the whole body, with its length
    chunks,   // the body chunked, piece by piece, with a proper end
    cut,      // the body chunked, then the connection is closed in mid-stream
    hold,     // the body chunked, then silence
    hang,     // no answer at all
    raw,      // the body as the bytes on the wire, then close
    close,    // the connection is closed without an answer
  };
  std::string method;  // "*": any
  std::string path;    // part of the target, version and query included; "*": any
  action act = action::respond;
  int status = 200;
  std::string body;
  int times = -1;  // how often it applies; negative: always
};

struct request {
  std::string method;
  std::string target;
  std::string body;
};

// One rule per line: METHOD PATH ACTION[*TIMES] [STATUS] [BODY to the end of the line]; "\n" in the body is a newline;
// empty lines and #-lines are skipped. Throws std::runtime_error naming the line.
std::vector<rule> parse_rules(const std::string& text);

// Serves a unix socket until destroyed, one thread per connection (connections_max in its life, more are closed).
// Without a rule: /_ping answers with `api_version`, anything else 404.
class engine {
 public:
  static constexpr std::size_t connections_max = 512;  // more than a client of the Engine has requests
  engine(std::string socket_path, std::vector<rule> rules, std::string api_version = "1.41");
  ~engine();
  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;

  // As DOCKER_HOST.
  std::string host() const;
  void set_rules(std::vector<rule> rules);
  void set_api_version(std::string version);
  // Waits until `count` requests (handshakes not counted) have come; returns those that came so far.
  std::vector<request> requests(std::size_t count, std::chrono::milliseconds deadline = std::chrono::seconds{5});
  // Closes every connection, as a restart would.
  void drop_connections();

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace zedops::fake
