// A client of the manager for tools: blocking requests, and a pipelined form for many in flight. One thread per client.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "bus/protocol.hpp"
#include "bus/security/keys.hpp"

namespace zedops::bus {

struct send_options {
  std::string idempotency_key;
  std::chrono::milliseconds deadline{30'000};  // sent along, and how long request() waits for the final reply
  std::string options;                         // MessagePack map or empty
};

class client {
 public:
  // Looks for the manager at once: agent_unreachable when there is no socket or nothing listens on it, forbidden when
  // the user may not open it, bad_request for an unusable URI. Over tcp the first request finds out: agent_unreachable,
  // unauthorised when the manager does not know this key, forbidden when it has another key than the expected one.
  static msg::result<client> connect(const address& to);
  client(client&&) noexcept;
  client& operator=(client&&) noexcept;
  ~client();

  using interim_fn = std::function<void(const reply&)>;  // accepted, progress, chunk

  // Sends and waits for the final reply, which may be an error reply: its body is for the caller to decode.
  // Errors: timeout (the deadline passed), agent_unreachable (the connection broke; the request may have been carried
  // out), bad_request, too_large.
  msg::result<reply> request(const std::string& verb, std::string body, send_options options = {},
                             const interim_fn& on_interim = {});

  // Pipelined: returns the id of the request as soon as ZeroMQ has it, waiting for room no longer than the deadline.
  msg::result<std::string> post(const std::string& verb, std::string body, send_options options = {});
  // The next reply to any request; nothing when none came in time.
  msg::result<std::optional<reply>> receive(std::chrono::milliseconds wait);

 private:
  struct impl;
  explicit client(std::unique_ptr<impl> p);
  std::unique_ptr<impl> impl_;
};

}  // namespace zedops::bus
