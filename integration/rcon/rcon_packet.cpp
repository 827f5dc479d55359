#include "integration/rcon/rcon_packet.hpp"

#include <fmt/format.h>

namespace zedops::rcon {
namespace {

void put(std::string& out, int32_t value) {
  auto bits = static_cast<uint32_t>(value);
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(bits >> shift & 0xff);
}

int32_t get(std::string_view at) {
  uint32_t bits = 0;
  for (size_t i = 0; i < 4; ++i) bits |= static_cast<uint32_t>(static_cast<unsigned char>(at[i])) << (8 * i);
  return static_cast<int32_t>(bits);
}

}  // namespace

std::string encode(int32_t id, packet_type type, std::string_view body) {
  std::string out;
  out.reserve(body.size() + 14);
  put(out, static_cast<int32_t>(body.size() + packet_bytes_min));
  put(out, id);
  put(out, static_cast<int32_t>(type));
  return out.append(body).append(2, '\0');
}

msg::result<std::optional<packet>> packet_reader::next() {
  if (buffer_.size() < 4) return std::nullopt;
  auto size = get(buffer_);
  if (size < static_cast<int32_t>(packet_bytes_min) || size > static_cast<int32_t>(packet_bytes_max))
    return msg::fail(msg::ec::engine_error, fmt::format("the RCON peer announced a packet of {} bytes", size),
                     "check that the RCON port is the game's");
  auto length = static_cast<size_t>(size);
  if (buffer_.size() < 4 + length) return std::nullopt;
  packet p{get(std::string_view(buffer_).substr(4)), get(std::string_view(buffer_).substr(8)),
           buffer_.substr(12, length - 8)};
  while (!p.body.empty() && p.body.back() == '\0') p.body.pop_back();
  buffer_.erase(0, 4 + length);
  return p;
}

}  // namespace zedops::rcon
