// A client of Source RCON, the console of game servers. Blocking, every wait has a deadline; for worker threads.
// The password never appears in an error.
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "messages/base/error.hpp"

namespace zedops::rcon {

inline constexpr size_t command_bytes_max = 4000;            // a packet of the protocol holds no more
inline constexpr size_t reply_bytes_max = 1024 * 1024;       // of one command, from however many packets
inline constexpr size_t reply_packets_max = 1024;            // of one command, foreign ones included
inline constexpr std::chrono::milliseconds quiet_time{400};  // ends a long reply of a game that ignores our end mark

struct target {
  std::string host;  // a numeric address, or "localhost"; a name is refused: its lookup would have no deadline
  uint16_t port = 0;
  std::string password;
  std::chrono::milliseconds dial_timeout{5000};   // connecting and logging in
  std::chrono::milliseconds reply_timeout{5000};  // each command, sending included
};

// What it means if the game closes the connection instead of answering a command.
enum class on_close {
  fail,
  accept,  // the command ends the game ("quit"): an empty reply
};

// Errors: engine_error (no connection, closed, or the peer broke the protocol), unauthorised (password refused),
// timeout, too_large, bad_request. After an error the connection is of no further use.
class client {
 public:
  static msg::result<client> connect(const target& to);
  client(client&&) noexcept;
  client& operator=(client&&) noexcept;
  ~client();

  // The reply as the game sent it: any bytes, not always UTF-8.
  msg::result<std::string> command(std::string_view text, on_close closing = on_close::fail);

 private:
  struct state;
  explicit client(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

// Connects, sends the commands one after the other, and gives the replies that are not empty, one per line.
// `closing` is about the last command. The first failure ends it.
msg::result<std::string> rcon_execute(const target& to, const std::vector<std::string>& commands,
                                      on_close closing = on_close::fail);

}  // namespace zedops::rcon
