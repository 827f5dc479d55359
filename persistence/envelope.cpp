#include "persistence/envelope.hpp"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

namespace zedops::store {
namespace {

// Two one-shot hashes, chained by the seed: about three times as fast as the streaming form for records of 400 bytes.
uint64_t checksum(table t, std::string_view key, std::string_view payload) {
  const uint64_t place = XXH3_64bits_withSeed(key.data(), key.size(), static_cast<uint64_t>(t) + 1);
  return XXH3_64bits_withSeed(payload.data(), payload.size(), place);
}

void store_le(uint64_t value, char* out) {
  for (int i = 0; i < 8; ++i) out[i] = static_cast<char>(value >> (8 * i));
}

uint64_t load_le(const char* in) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(in[i]);
  return value;
}

}  // namespace

void seal(table t, std::string_view key, std::string_view payload, char* out) {
  out[0] = static_cast<char>(envelope_format);
  store_le(checksum(t, key, payload), out + 1);
  if (!payload.empty()) std::memcpy(out + envelope_bytes, payload.data(), payload.size());
}

unsealed unseal(table t, std::string_view key, std::string_view raw) {
  if (raw.size() < envelope_bytes) return {{}, "shorter than its envelope"};
  if (static_cast<uint8_t>(raw[0]) != envelope_format) return {{}, "unknown envelope format"};
  const std::string_view payload = raw.substr(envelope_bytes);
  if (load_le(raw.data() + 1) != checksum(t, key, payload)) return {{}, "checksum does not match"};
  return {payload, {}};
}

corrupt_record describe_damage(table t, std::string_view key, std::string_view reason, std::string_view raw) {
  return {t, std::string(key), std::string(reason), std::string(raw.substr(0, damaged_raw_max))};
}

std::string printable(std::string_view key) {
  static constexpr char hex[] = "0123456789abcdef";
  std::string text;
  for (const char c : key) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '\\') {
      text += c;
    } else {
      text += {'\\', 'x', hex[byte >> 4], hex[byte & 15]};
    }
  }
  return text;
}

msg::error damaged_record_error(table t, std::string_view key, std::string_view reason) {
  return {msg::ec::internal,
          "record " + std::string(name_of(t)) + "/" + printable(key) + " is damaged: " + std::string(reason),
          "run zedctl store verify; to restore a backup, run zedctl store restore",
          {}};
}

}  // namespace zedops::store
