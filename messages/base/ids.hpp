// Identities. An id is a letter for its kind and 14 base-32 digits (70 random bits): it fits a string's small buffer.
#pragma once
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace zedops::msg {

template <class Tag>
struct id {
  std::string value;

  bool empty() const { return value.empty(); }
  friend bool operator==(const id&, const id&) = default;
  friend auto operator<=>(const id&, const id&) = default;
};

using server_id = id<struct server_tag>;
using agent_id = id<struct agent_tag>;
using operation_id = id<struct operation_tag>;
// Of a server, an agent or anything else that has a record: its first letter shows which.
using entity_id = id<struct entity_tag>;

inline constexpr size_t id_length = 15;

// `random` is any 128 unpredictable bits; equal bits give equal ids.
std::string id_text(char kind, uint64_t high, uint64_t low);

// Ids that sort in the order in which they are made: a number that never decreases, then 22 bits that start at a random
// value in their lower half and count up, carrying into the number if need be. Records stored under such ids are
// adjacent, so that many of them change few pages.
class ordered_ids {
 public:
  explicit ordered_ids(char kind) : kind_(kind) {}
  // `random` gives 64 unpredictable bits, and is called when the number has grown.
  template <class F>
  std::string next(uint64_t number, F random) {
    const uint64_t first = number << count_bits;
    if (first > last_) last_ = first | (random() & ((uint64_t{1} << (count_bits - 1)) - 1));
    else ++last_;
    return text();
  }

 private:
  static constexpr unsigned count_bits = 22;
  std::string text() const;

  char kind_;
  uint64_t last_ = 0;
};

// Ids derived from what they are for: the same actor and idempotency key always name the same operation.
operation_id operation_id_from_key(std::string_view actor, std::string_view idempotency_key);
// The operation that the manager itself opens on a server at a revision.
operation_id system_operation_id(const server_id& server, std::string_view kind, uint64_t revision);

// 64 bits that change when the text does; stable across versions and machines (stored with operations).
uint64_t text_hash(std::string_view text);
// Hexadecimal BLAKE2b-256 over `before`, a line end, and `bytes`.
std::string chained_hash(std::string_view before, std::string_view bytes);

}  // namespace zedops::msg

template <class Tag>
struct std::hash<zedops::msg::id<Tag>> {
  size_t operator()(const zedops::msg::id<Tag>& x) const noexcept { return std::hash<std::string>{}(x.value); }
};
