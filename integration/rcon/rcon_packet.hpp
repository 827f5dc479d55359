// Source RCON on the wire: little-endian size, id and type, then a text and two zero bytes. Pure; no sockets.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "messages/base/error.hpp"

namespace zedops::rcon {

inline constexpr size_t packet_bytes_max = 64 * 1024;  // the protocol says 4096; games are known to send more
inline constexpr size_t packet_bytes_min = 10;         // id, type, two zero bytes

enum class packet_type : int32_t { reply = 0, command = 2, login = 3 };
inline constexpr auto login_reply = packet_type::command;  // the protocol uses one number for both

struct packet {
  int32_t id = 0;
  int32_t type = 0;
  std::string body;  // any bytes, without the closing zeros
};

std::string encode(int32_t id, packet_type type, std::string_view body);

// Reassembles packets from a stream cut anywhere. Holds at most one packet beyond what one `feed` brought.
class packet_reader {
 public:
  void feed(std::string_view bytes) { buffer_.append(bytes); }
  // The next whole packet, nothing yet, or engine_error: the other end does not speak RCON and cannot be read further.
  msg::result<std::optional<packet>> next();

 private:
  std::string buffer_;
};

}  // namespace zedops::rcon
