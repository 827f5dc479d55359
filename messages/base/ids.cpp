#include "messages/base/ids.hpp"

#include <sodium.h>

#include <cstring>

namespace zedops::msg {
namespace {

struct bits128 {
  uint64_t high = 0;
  uint64_t low = 0;
};

bits128 hash128(std::string_view text) {
  unsigned char out[16];
  crypto_generichash(out, sizeof out, reinterpret_cast<const unsigned char*>(text.data()), text.size(), nullptr, 0);
  bits128 b;
  std::memcpy(&b.high, out, 8);
  std::memcpy(&b.low, out + 8, 8);
  return b;
}

constexpr std::string_view digits = "0123456789abcdefghjkmnpqrstvwxyz";  // no i, l, o, u: easily misread

}  // namespace

std::string ordered_ids::text() const {
  std::string out(id_length, kind_);
  auto rest = last_;
  for (size_t i = id_length - 1; i > 0; --i, rest >>= 5) out[i] = digits[rest & 31];
  return out;
}

std::string id_text(char kind, uint64_t high, uint64_t low) {
  std::string out(id_length, kind);
  for (size_t i = 1; i < id_length; ++i) {
    auto& source = i <= 7 ? high : low;
    out[i] = digits[source & 31];
    source >>= 5;
  }
  return out;
}

operation_id operation_id_from_key(std::string_view actor, std::string_view idempotency_key) {
  std::string text = "key\n";
  text.append(actor).append("\n").append(idempotency_key);
  auto b = hash128(text);
  return {id_text('o', b.high, b.low)};
}

operation_id system_operation_id(const server_id& server, std::string_view kind, uint64_t revision) {
  std::string text = "system\n";
  text.append(server.value).append("\n").append(kind).append("\n").append(std::to_string(revision));
  auto b = hash128(text);
  return {id_text('o', b.high, b.low)};
}

uint64_t text_hash(std::string_view text) { return hash128(text).low; }

std::string chained_hash(std::string_view before, std::string_view bytes) {
  crypto_generichash_state state;
  unsigned char raw[crypto_generichash_BYTES];
  crypto_generichash_init(&state, nullptr, 0, sizeof raw);
  const auto add = [&](std::string_view part) {
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(part.data()), part.size());
  };
  add(before);
  add("\n");
  add(bytes);
  crypto_generichash_final(&state, raw, sizeof raw);
  char text[2 * sizeof raw + 1];
  sodium_bin2hex(text, sizeof text, raw, sizeof raw);
  return text;
}

}  // namespace zedops::msg
