// Reads the array form of MessagePack straight into a value, without a tree in between: a start-up decodes every record
// there is. Private to the codec sources.
//
// Nothing is trusted: each step looks at what is left, room is made item by item, and nesting is bounded.
#pragma once
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

#include "messages/codec.hpp"
#include "messages/codec_traits.hpp"

namespace zedops::msg::detail {

class array_reader {
 public:
  explicit array_reader(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  template <class T>
  bool read(T& x) {
    if constexpr (std::is_same_v<T, bool>) {
      const uint8_t b = next();
      if (b != 0xc2 && b != 0xc3) return bad("true or false was expected");
      x = b == 0xc3;
      return true;
    } else if constexpr (std::is_same_v<T, std::string>) {
      std::string_view text;
      if (!read_text(text)) return false;
      x.assign(text);
      return true;
    } else if constexpr (is_id<T>) {
      return read(x.value);
    } else if constexpr (std::is_same_v<T, time_point>) {
      int64_t ms = 0;
      if (!take_nil() && !read_integer(ms)) return false;
      x = time_point{duration{ms}};
      return true;
    } else if constexpr (std::is_same_v<T, duration>) {
      int64_t ms = 0;
      if (!read_integer(ms)) return false;
      x = duration{ms};
      return true;
    } else if constexpr (std::is_same_v<T, ec> || named_enum<T>) {
      return read_enum(x);
    } else if constexpr (std::is_integral_v<T>) {
      return read_integer(x);
    } else if constexpr (is_optional<T>) {
      if (!take_nil()) return read(x.emplace());
      x.reset();
      return true;
    } else if constexpr (is_boxed<T>) {
      typename T::value_type value{};
      if (!read(value)) return false;
      x = std::move(value);
      return true;
    } else if constexpr (is_vector<T>) {
      size_t items = 0;
      if (!read_array(items, "a list was expected")) return false;
      x.clear();
      for (; items > 0; --items)
        if (!read(x.emplace_back())) return false;
      return true;
    } else if constexpr (is_map<T>) {
      size_t pairs = 0;
      if (!read_map(pairs)) return false;
      x.clear();
      for (; pairs > 0; --pairs) {
        std::string key;
        typename T::mapped_type value{};
        if (!read(key) || !read(value)) return false;
        // As written by us the keys come in order, and the place is the end.
        x.insert_or_assign(x.end(), std::move(key), std::move(value));
      }
      return true;
    } else if constexpr (is_variant<T>) {
      return read_variant(x);
    } else {
      return read_fields(x);
    }
  }

  const std::string& problem() const { return problem_; }

 private:
  bool bad(std::string_view what) {
    if (problem_.empty()) problem_ = what;
    return false;
  }
  size_t left() const { return static_cast<size_t>(end_ - at_); }
  // Past the end stands a byte that MessagePack never uses: whoever reads it finds it wrong.
  uint8_t next() { return at_ < end_ ? static_cast<uint8_t>(*at_++) : 0xc1; }
  uint8_t peek() const { return at_ < end_ ? static_cast<uint8_t>(*at_) : 0xc1; }
  bool take_nil() {
    if (peek() != 0xc0) return false;
    ++at_;
    return true;
  }
  bool big_endian(size_t bytes, uint64_t& n) {
    if (left() < bytes) return bad("it ends too early");
    n = 0;
    for (; bytes > 0; --bytes) n = n << 8 | static_cast<uint8_t>(*at_++);
    return true;
  }
  bool pass(uint64_t bytes) {
    if (left() < bytes) return bad("it ends too early");
    at_ += bytes;
    return true;
  }
  // Every item takes a byte at least.
  bool claim(uint64_t items, uint64_t each) {
    if (items * each > left()) return bad("the message claims more items than it has bytes");
    return items <= decode_items_max || bad("a list is too long");
  }

  template <class T>
  bool read_integer(T& x) {
    const uint8_t b = next();
    uint64_t n = 0;
    if (b < 0x80) {
      n = b;
    } else if (b >= 0xe0) {
      return negative(static_cast<int8_t>(b), x);
    } else if (b >= 0xcc && b <= 0xcf) {
      if (!big_endian(size_t{1} << (b - 0xcc), n)) return false;
    } else if (b >= 0xd0 && b <= 0xd3) {
      const size_t bytes = size_t{1} << (b - 0xd0);
      if (!big_endian(bytes, n)) return false;
      const auto shift = 64 - 8 * bytes;
      const auto value = static_cast<int64_t>(n << shift) >> shift;
      if (value < 0) return negative(value, x);
    } else {
      return bad("an integer was expected");
    }
    if (n > static_cast<uint64_t>(std::numeric_limits<T>::max())) return bad("an integer is too large");
    x = static_cast<T>(n);
    return true;
  }
  template <class T>
  bool negative(int64_t value, T& x) {
    if (std::is_unsigned_v<T> || value < static_cast<int64_t>(std::numeric_limits<T>::min()))
      return bad("an integer is too small");
    x = static_cast<T>(value);
    return true;
  }

  template <class T>
  bool read_enum(T& x) {
    uint64_t n = 0;
    if (!read_integer(n)) return false;
    std::optional<T> value;
    if constexpr (std::is_same_v<T, ec>) value = ec_from_number(n);
    else value = enum_from_number<T>(n);
    if (!value) return bad("an enumeration is out of range");
    x = *value;
    return true;
  }

  bool read_text(std::string_view& text) {
    const uint8_t b = next();
    uint64_t size = 0;
    if (b >= 0xa0 && b < 0xc0) {
      size = b & 0x1f;
    } else if (b >= 0xd9 && b <= 0xdb) {
      if (!big_endian(size_t{1} << (b - 0xd9), size)) return false;
    } else if (b >= 0xc4 && b <= 0xc6) {
      if (!big_endian(size_t{1} << (b - 0xc4), size)) return false;
    } else {
      return bad("a string was expected");
    }
    text = {at_, static_cast<size_t>(size)};
    return pass(size);
  }

  bool read_array(size_t& items, std::string_view expected) {
    const uint8_t b = next();
    uint64_t n = 0;
    if (b >= 0x90 && b < 0xa0) n = b & 0x0f;
    else if (b != 0xdc && b != 0xdd) return bad(expected);
    else if (!big_endian(b == 0xdc ? 2 : 4, n)) return false;
    items = static_cast<size_t>(n);
    return claim(n, 1);
  }
  bool read_map(size_t& pairs) {
    const uint8_t b = next();
    uint64_t n = 0;
    if (b >= 0x80 && b < 0x90) n = b & 0x0f;
    else if (b != 0xde && b != 0xdf) return bad("a map was expected");
    else if (!big_endian(b == 0xde ? 2 : 4, n)) return false;
    pairs = static_cast<size_t>(n);
    return claim(n, 2);
  }

  // Missing trailing fields keep their defaults, unknown ones are skipped.
  template <class T>
  bool read_fields(T& x) {
    size_t items = 0;
    if (!read_array(items, "an array of fields was expected")) return false;
    bool ok = true;
    T::each_field(x, [&](const char*, auto& value) {
      if (!ok || items == 0) return;
      ok = read(value);
      --items;
    });
    return ok && skip(items);
  }

  template <class T>
  bool read_variant(T& x) {
    size_t items = 0;
    uint64_t tag = 0;
    if (!read_array(items, "a tagged pair was expected")) return false;
    if (items < 2) return bad("a tagged pair was expected");
    if (!read_integer(tag)) return false;
    if (tag >= std::variant_size_v<T>) return bad("unknown tag " + std::to_string(tag));
    x = variant_at<T>(static_cast<size_t>(tag));
    return std::visit([&](auto& alternative) { return read_fields(alternative); }, x) && skip(items - 2);
  }

  bool skip(size_t items) {
    for (; items > 0; --items)
      if (!skip_one(0)) return false;
    return true;
  }
  bool skip_one(size_t depth) {
    if (depth > decode_depth_max) return bad("it is nested too deeply");
    const uint8_t b = peek();
    size_t items = 0;
    if (b < 0x80 || b >= 0xe0 || b == 0xc0 || b == 0xc2 || b == 0xc3) return pass(1);
    if ((b >= 0x90 && b < 0xa0) || b == 0xdc || b == 0xdd) {
      if (!read_array(items, {})) return false;
    } else if (b < 0x90 || b == 0xde || b == 0xdf) {
      if (!read_map(items)) return false;
      items *= 2;
    } else if (b < 0xc0 || (b >= 0xc4 && b <= 0xc6) || (b >= 0xd9 && b <= 0xdb)) {
      std::string_view text;
      return read_text(text);
    } else if (b == 0xca || b == 0xcb) {
      return pass(b == 0xca ? 5 : 9);
    } else if (b >= 0xcc && b <= 0xd3) {
      return pass(1 + (uint64_t{1} << ((b - 0xcc) & 3)));
    } else if (b >= 0xd4 && b <= 0xd8) {
      return pass(2 + (uint64_t{1} << (b - 0xd4)));
    } else if (b >= 0xc7 && b <= 0xc9) {
      ++at_;
      uint64_t size = 0;
      return big_endian(size_t{1} << (b - 0xc7), size) && pass(size + 1);
    } else {
      return bad("a byte that MessagePack does not use");
    }
    for (; items > 0; --items)
      if (!skip_one(depth + 1)) return false;
    return true;
  }

  const char* at_;
  const char* end_;
  std::string problem_;
};

}  // namespace zedops::msg::detail
