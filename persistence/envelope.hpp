// The envelope of every record on disk: [format u8][XXH3-64 over table, key and payload, little endian][payload].
// LMDB has no checksums of its own: a flipped bit would come back as a silently wrong value.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "persistence/store.hpp"

namespace zedops::store {

inline constexpr uint8_t envelope_format = 1;
inline constexpr size_t envelope_bytes = 9;

// Writes envelope and payload into `out`, which has envelope_bytes + payload.size() bytes.
void seal(table t, std::string_view key, std::string_view payload, char* out);

struct unsealed {
  std::string_view payload;  // a view into the raw bytes
  std::string_view damage;   // why the record cannot be trusted; empty: it can
};
unsealed unseal(table t, std::string_view key, std::string_view raw);

corrupt_record describe_damage(table t, std::string_view key, std::string_view reason, std::string_view raw);
msg::error damaged_record_error(table t, std::string_view key, std::string_view reason);
// A key as text for messages: printable characters stay, others become \xNN.
std::string printable(std::string_view key);

}  // namespace zedops::store
