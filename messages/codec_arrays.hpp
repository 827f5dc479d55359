// Reads the array form of MessagePack into a value, without a tree of objects in between: a start-up decodes every
// record there is. The library parses the bytes into a flat list of tokens; the value takes them one after the other.
// Private to the codec sources.
//
// Nothing is trusted: items are counted against the bytes there are, nesting is bounded, room is made item by item.
#pragma once
#include <limits>
#include <msgpack.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "messages/codec.hpp"
#include "messages/codec_traits.hpp"

namespace zedops::msg::detail {

enum class token_kind : uint8_t { nil, boolean, positive, negative, text, array, map, other };
struct token {
  token_kind kind = token_kind::nil;
  uint32_t size = 0;  // bytes of a text, items of an array, pairs of a map
  union {
    uint64_t number = 0;  // of a boolean and an integer; a negative one as its two's complement
    const char* text;
  };
};

// What the library calls while it parses. Every item takes a byte at least: whoever claims more items than there are
// bytes is refused.
struct tokenizer : msgpack::null_visitor {
  explicit tokenizer(std::vector<token>& into, size_t bytes) : out(into), left(bytes) {}

  bool add(token_kind kind, uint64_t number, uint32_t size = 0) {
    token t;
    t.kind = kind;
    t.size = size;
    t.number = number;
    out.push_back(t);
    return true;
  }
  bool add_text(const char* text, uint32_t size) {
    token t;
    t.kind = token_kind::text;
    t.size = size;
    t.text = text;
    out.push_back(t);
    return true;
  }
  bool enter(token_kind kind, uint32_t count, size_t items) {
    if (items > left) return refuse("the message claims more items than it has bytes");
    if (count > decode_items_max) return refuse("a list is too long");
    if (++depth > decode_depth_max) return refuse("it is nested too deeply");
    left -= items;
    return add(kind, 0, count);
  }
  bool leave() {
    --depth;
    return true;
  }
  bool refuse(std::string_view why) {
    problem = why;
    return false;
  }

  bool visit_nil() { return add(token_kind::nil, 0); }
  bool visit_boolean(bool v) { return add(token_kind::boolean, v ? 1 : 0); }
  bool visit_positive_integer(uint64_t v) { return add(token_kind::positive, v); }
  bool visit_negative_integer(int64_t v) { return add(token_kind::negative, static_cast<uint64_t>(v)); }
  bool visit_float32(float) { return add(token_kind::other, 0); }
  bool visit_float64(double) { return add(token_kind::other, 0); }
  bool visit_str(const char* v, uint32_t size) { return add_text(v, size); }
  bool visit_bin(const char* v, uint32_t size) { return add_text(v, size); }
  bool visit_ext(const char*, uint32_t) { return add(token_kind::other, 0); }
  bool start_array(uint32_t items) { return enter(token_kind::array, items, items); }
  bool end_array() { return leave(); }
  bool start_map(uint32_t pairs) { return enter(token_kind::map, pairs, size_t{pairs} * 2); }
  bool end_map() { return leave(); }
  void parse_error(size_t, size_t) { problem = "a byte that MessagePack does not use"; }
  void insufficient_bytes(size_t, size_t) { problem = "it ends too early"; }

  std::vector<token>& out;
  size_t left;
  size_t depth = 0;
  std::string_view problem;
};

inline constexpr size_t tokens_kept_max = 64 * 1024;  // room that a thread keeps between messages

class array_reader {
 public:
  // Parses all of it; what is wrong is told by the first read.
  explicit array_reader(std::string_view bytes) : tokens_(kept()) {
    tokens_.clear();
    tokenizer t(tokens_, bytes.size());
    size_t offset = 0;
    if (!msgpack::parse(bytes.data(), bytes.size(), offset, t)) {
      bad(t.problem.empty() ? "it ends too early" : t.problem);
      tokens_.clear();
    }
  }
  ~array_reader() {
    if (tokens_.capacity() > tokens_kept_max) std::vector<token>().swap(tokens_);
  }
  array_reader(const array_reader&) = delete;
  array_reader& operator=(const array_reader&) = delete;

  template <class T>
  bool read(T& x) {
    if constexpr (std::is_same_v<T, bool>) {
      const auto& t = next();
      if (t.kind != token_kind::boolean) return bad("true or false was expected");
      x = t.number != 0;
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
      if (!read_head(token_kind::array, items, "a list was expected")) return false;
      x.clear();
      for (; items > 0; --items)
        if (!read(x.emplace_back())) return false;
      return true;
    } else if constexpr (is_map<T>) {
      size_t pairs = 0;
      if (!read_head(token_kind::map, pairs, "a map was expected")) return false;
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
  static std::vector<token>& kept() {
    thread_local std::vector<token> tokens;
    return tokens;
  }
  bool bad(std::string_view what) {
    if (problem_.empty()) problem_ = what;
    return false;
  }
  // Past the end stands a token that no value takes.
  const token& peek() const {
    static const token end{token_kind::other, 0, {0}};
    return at_ < tokens_.size() ? tokens_[at_] : end;
  }
  const token& next() {
    const auto& t = peek();
    ++at_;
    return t;
  }
  bool take_nil() {
    if (peek().kind != token_kind::nil) return false;
    ++at_;
    return true;
  }

  template <class T>
  bool read_integer(T& x) {
    const auto& t = next();
    if (t.kind == token_kind::negative) {
      const auto value = static_cast<int64_t>(t.number);
      if (std::is_unsigned_v<T> || value < static_cast<int64_t>(std::numeric_limits<T>::min()))
        return bad("an integer is too small");
      x = static_cast<T>(value);
      return true;
    }
    if (t.kind != token_kind::positive) return bad("an integer was expected");
    if (t.number > static_cast<uint64_t>(std::numeric_limits<T>::max())) return bad("an integer is too large");
    x = static_cast<T>(t.number);
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
    const auto& t = next();
    if (t.kind != token_kind::text) return bad("a string was expected");
    text = {t.text, t.size};
    return true;
  }
  bool read_head(token_kind kind, size_t& count, std::string_view expected) {
    const auto& t = next();
    if (t.kind != kind) return bad(expected);
    count = t.size;
    return true;
  }

  // Missing trailing fields keep their defaults, unknown ones are skipped.
  template <class T>
  bool read_fields(T& x) {
    size_t items = 0;
    if (!read_head(token_kind::array, items, "an array of fields was expected")) return false;
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
    if (!read_head(token_kind::array, items, "a tagged pair was expected")) return false;
    if (items < 2) return bad("a tagged pair was expected");
    if (!read_integer(tag)) return false;
    if (tag >= std::variant_size_v<T>) return bad("unknown tag " + std::to_string(tag));
    x = variant_at<T>(static_cast<size_t>(tag));
    return std::visit([&](auto& alternative) { return read_fields(alternative); }, x) && skip(items - 2);
  }

  bool skip(size_t items) {
    for (; items > 0 && at_ < tokens_.size(); --items) {
      const auto& t = next();
      if (t.kind == token_kind::array) items += t.size;
      if (t.kind == token_kind::map) items += size_t{t.size} * 2;
    }
    return items == 0;
  }

  std::vector<token>& tokens_;
  size_t at_ = 0;
  std::string problem_;
};

}  // namespace zedops::msg::detail
