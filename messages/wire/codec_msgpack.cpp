#include <algorithm>
#include <msgpack.hpp>

#include "messages/wire/codec.hpp"
#include "messages/wire/codec_traits.hpp"

namespace zedops::msg {
namespace {

using namespace detail;

constexpr size_t scratch_bytes_max = 1 << 20;  // kept between messages, per thread

// Writes into a buffer that each thread keeps, so that a message costs one allocation of its exact size.
struct sink {
  std::string& bytes;
  void write(const char* data, size_t size) { bytes.append(data, size); }
};
using packer = msgpack::packer<sink>;

enum class form { array, map };

template <form F, class T>
void write(packer& p, const T& x) {
  if constexpr (std::is_same_v<T, bool>) {
    p.pack(x);
  } else if constexpr (std::is_same_v<T, std::string>) {
    p.pack_str(static_cast<uint32_t>(x.size()));
    p.pack_str_body(x.data(), static_cast<uint32_t>(x.size()));
  } else if constexpr (is_id<T>) {
    write<F>(p, x.value);
  } else if constexpr (std::is_same_v<T, time_point>) {
    if (F == form::map && x == never) p.pack_nil();
    else p.pack_int64(x.time_since_epoch().count());
  } else if constexpr (std::is_same_v<T, duration>) {
    p.pack_int64(x.count());
  } else if constexpr (std::is_same_v<T, ec>) {
    if constexpr (F == form::map) write<F>(p, std::string(name_of(x)));
    else p.pack_uint8(static_cast<uint8_t>(x));
  } else if constexpr (named_enum<T>) {
    if constexpr (F == form::map) write<F>(p, std::string(name_of(x)));
    else p.pack_uint8(static_cast<uint8_t>(x));
  } else if constexpr (std::is_integral_v<T>) {
    p.pack(x);
  } else if constexpr (is_optional<T>) {
    if (x) write<F>(p, *x);
    else p.pack_nil();
  } else if constexpr (is_boxed<T>) {
    write<F>(p, *x);
  } else if constexpr (is_vector<T>) {
    p.pack_array(static_cast<uint32_t>(x.size()));
    for (const auto& item : x) write<F>(p, item);
  } else if constexpr (is_map<T>) {
    p.pack_map(static_cast<uint32_t>(x.size()));
    for (const auto& [key, value] : x) {
      write<F>(p, key);
      write<F>(p, value);
    }
  } else if constexpr (is_variant<T>) {
    if constexpr (F == form::array) {
      p.pack_array(2);
      p.pack_uint8(static_cast<uint8_t>(x.index()));
    }
    std::visit([&](const auto& alternative) { write<F>(p, alternative); }, x);
  } else {
    static_assert(has_fields<T>, "a type without codec");
    if constexpr (F == form::array) {
      p.pack_array(static_cast<uint32_t>(T::field_count));
      T::each_field(x, [&](const char*, const auto& value) { write<F>(p, value); });
    } else {
      constexpr bool tagged = std::is_same_v<T, event>;  // an event has its type beside its data
      p.pack_map(static_cast<uint32_t>(T::field_count) + (tagged ? 1 : 0));
      T::each_field(x, [&](const char* field, const auto& value) {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, fact>) {
          p.pack(std::string_view("type"));
          p.pack(type_of(value));
        }
        p.pack(public_name(field));
        write<F>(p, value);
      });
    }
  }
}

// Reading: false means malformed; the first problem found is remembered.
struct reader {
  std::string problem;
  size_t memory_left = 0;  // for the items of lists and maps: in array form an item of one byte may stand for a record
  bool take(size_t bytes) {
    if (bytes > memory_left) return bad("its lists would take more memory than a message of this size may");
    memory_left -= bytes;
    return true;
  }
  bool bad(std::string_view what) {
    if (problem.empty()) problem = what;
    return false;
  }
};

std::string_view text_of(const msgpack::object& o) {
  if (o.type == msgpack::type::STR) return {o.via.str.ptr, o.via.str.size};
  if (o.type == msgpack::type::BIN) return {o.via.bin.ptr, o.via.bin.size};
  return {};
}
bool is_text(const msgpack::object& o) { return o.type == msgpack::type::STR || o.type == msgpack::type::BIN; }

const msgpack::object* find(const msgpack::object& o, std::string_view key, size_t likely) {
  const auto& m = o.via.map;
  if (likely < m.size && text_of(m.ptr[likely].key) == key) return &m.ptr[likely].val;
  for (uint32_t i = 0; i < m.size; ++i)
    if (text_of(m.ptr[i].key) == key) return &m.ptr[i].val;
  return nullptr;
}

template <class T>
bool read_integer(reader& r, const msgpack::object& o, T& x) {
  if (o.type == msgpack::type::POSITIVE_INTEGER) {
    if (o.via.u64 > static_cast<uint64_t>(std::numeric_limits<T>::max())) return r.bad("an integer is too large");
    x = static_cast<T>(o.via.u64);
    return true;
  }
  if (o.type == msgpack::type::NEGATIVE_INTEGER) {
    if (std::is_unsigned_v<T> || o.via.i64 < static_cast<int64_t>(std::numeric_limits<T>::min()))
      return r.bad("an integer is too small");
    x = static_cast<T>(o.via.i64);
    return true;
  }
  return r.bad("an integer was expected");
}

template <form F, class T>
bool read(reader& r, const msgpack::object& o, T& x);

template <form F, class T>
bool read_enum(reader& r, const msgpack::object& o, T& x) {
  std::optional<T> value;
  if (F == form::map) {
    if (!is_text(o)) return r.bad("a name was expected");
    if constexpr (std::is_same_v<T, ec>) value = ec_from_name(text_of(o));
    else value = enum_from_name<T>(text_of(o));
    if (!value) return r.bad("unknown name '" + std::string(text_of(o).substr(0, 40)) + "'");
  } else {
    uint64_t n = 0;
    if (!read_integer(r, o, n)) return false;
    if constexpr (std::is_same_v<T, ec>) value = ec_from_number(n);
    else value = enum_from_number<T>(n);
    if (!value) return r.bad("an enumeration is out of range");
  }
  x = *value;
  return true;
}

template <form F, class T>
bool read_fields(reader& r, const msgpack::object& o, T& x) {
  bool ok = true;
  size_t i = 0;
  if (F == form::array) {
    if (o.type != msgpack::type::ARRAY) return r.bad("an array of fields was expected");
    T::each_field(x, [&](const char*, auto& value) {
      if (ok && i < o.via.array.size) ok = read<F>(r, o.via.array.ptr[i], value);
      ++i;
    });
    return ok;
  }
  if (o.type != msgpack::type::MAP) return r.bad("a map of fields was expected");
  T::each_field(x, [&](const char* field, auto& value) {
    if (!ok) return;
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, fact>) {
      const auto* type = find(o, "type", i++);
      auto index = type ? variant_index<fact>(text_of(*type)) : std::nullopt;
      if (!index) {
        ok = r.bad("unknown event type");
        return;
      }
      value = variant_at<fact>(*index);
    }
    const auto name = public_name(field);
    if (const auto* item = find(o, name, i++)) {
      ok = read<F>(r, *item, value);
      if (!ok && r.problem.find(':') == std::string::npos) r.problem = std::string(name) + ": " + r.problem;
    }
  });
  return ok;
}

template <form F, class T>
bool read(reader& r, const msgpack::object& o, T& x) {
  if constexpr (std::is_same_v<T, bool>) {
    if (o.type != msgpack::type::BOOLEAN) return r.bad("true or false was expected");
    x = o.via.boolean;
    return true;
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!is_text(o)) return r.bad("a string was expected");
    x.assign(text_of(o));
    return true;
  } else if constexpr (is_id<T>) {
    return read<F>(r, o, x.value);
  } else if constexpr (std::is_same_v<T, time_point>) {
    int64_t ms = 0;
    if (o.type != msgpack::type::NIL && !read_integer(r, o, ms)) return false;
    x = time_point{duration{ms}};
    return true;
  } else if constexpr (std::is_same_v<T, duration>) {
    int64_t ms = 0;
    if (!read_integer(r, o, ms)) return false;
    x = duration{ms};
    return true;
  } else if constexpr (std::is_same_v<T, ec> || named_enum<T>) {
    return read_enum<F>(r, o, x);
  } else if constexpr (std::is_integral_v<T>) {
    return read_integer(r, o, x);
  } else if constexpr (is_optional<T>) {
    if (o.type == msgpack::type::NIL) {
      x.reset();
      return true;
    }
    return read<F>(r, o, x.emplace());
  } else if constexpr (is_boxed<T>) {
    typename T::value_type value{};
    if (!read<F>(r, o, value)) return false;
    x = std::move(value);
    return true;
  } else if constexpr (is_vector<T>) {
    if (o.type != msgpack::type::ARRAY) return r.bad("a list was expected");
    x.clear();  // item by item: a long list of rubbish costs no more than its first item
    for (uint32_t i = 0; i < o.via.array.size; ++i)
      if (!r.take(sizeof(typename T::value_type)) || !read<F>(r, o.via.array.ptr[i], x.emplace_back())) return false;
    return true;
  } else if constexpr (is_map<T>) {
    if (o.type != msgpack::type::MAP) return r.bad("a map was expected");
    x.clear();
    for (uint32_t i = 0; i < o.via.map.size; ++i) {
      std::string key;
      typename T::mapped_type value{};
      if (!r.take(sizeof(typename T::value_type)) || !read<F>(r, o.via.map.ptr[i].key, key) ||
          !read<F>(r, o.via.map.ptr[i].val, value))
        return false;
      x.insert_or_assign(std::move(key), std::move(value));
    }
    return true;
  } else if constexpr (is_variant<T>) {
    if constexpr (F == form::map) {
      return std::visit([&](auto& alternative) { return read_fields<F>(r, o, alternative); }, x);
    } else {
      if (o.type != msgpack::type::ARRAY || o.via.array.size < 2) return r.bad("a tagged pair was expected");
      uint64_t tag = 0;
      if (!read_integer(r, o.via.array.ptr[0], tag)) return false;
      if (tag >= std::variant_size_v<T>) return r.bad("unknown tag " + std::to_string(tag));
      x = variant_at<T>(static_cast<size_t>(tag));
      return std::visit([&](auto& alternative) { return read_fields<F>(r, o.via.array.ptr[1], alternative); }, x);
    }
  } else {
    return read_fields<F>(r, o, x);
  }
}

// Every item takes a byte at least. Whatever claims more items than there are bytes is refused before the parser makes
// room for them: a few nested array heads would otherwise ask for gigabytes. In a small message each head is refused by
// itself, and as many as may be open at once ask for a few megabytes at most; in a larger one they are added up.
constexpr size_t small_bytes_max = 8 * 1024;
struct item_budget : msgpack::null_visitor {
  size_t left = 0;
  bool over = false;
  bool claim(size_t items) {
    over = items > left;
    left -= over ? 0 : items;
    return !over;
  }
  bool start_array(uint32_t items) { return claim(items); }
  bool start_map(uint32_t pairs) { return claim(size_t{pairs} * 2); }
};

bool claims_too_much(std::string_view bytes) {
  item_budget budget;
  budget.left = bytes.size();
  size_t offset = 0;
  msgpack::parse(bytes.data(), bytes.size(), offset, budget);
  return budget.over;
}

constexpr size_t zone_bytes = 16 * 1024;  // the first chunk, kept between messages

// The parsed form of one message, in a zone that each thread keeps: small messages then cost no allocation here.
msgpack::object parsed(std::string_view bytes) {
  thread_local msgpack::zone zone(zone_bytes);
  zone.clear();
  const auto items_max = std::min(decode_items_max, bytes.size());
  const msgpack::unpack_limit limit(items_max, items_max, decode_bytes_max, decode_bytes_max, 0, decode_depth_max);
  return msgpack::unpack(
      zone, bytes.data(), bytes.size(), [](msgpack::type::object_type, size_t, void*) { return true; }, nullptr, limit);
}

template <form F, class T>
result<T> decode(std::string_view bytes) {
  if (bytes.size() > decode_bytes_max)
    return fail(ec::too_large, "a message of " + std::to_string(bytes.size()) + " bytes is larger than allowed");
  const auto claiming = [] { return fail(ec::bad_request, "the message claims more items than it has bytes"); };
  try {
    if (bytes.size() > small_bytes_max && claims_too_much(bytes)) return claiming();
    const auto tree = parsed(bytes);
    reader r;
    r.memory_left = decode_memory_base + decode_memory_factor * bytes.size();
    T value{};
    if (read<F>(r, tree, value)) return value;
    return fail(ec::bad_request, "the message does not have the expected form: " + r.problem);
  } catch (const msgpack::array_size_overflow&) {
    return claiming();
  } catch (const msgpack::map_size_overflow&) {
    return claiming();
  } catch (const std::exception& e) {
    return fail(ec::bad_request, std::string("the message is not valid MessagePack: ") + e.what());
  }
}

template <form F, class T>
std::string encode(const T& value) {
  thread_local std::string scratch;
  scratch.clear();
  sink out{scratch};
  packer p(out);
  write<F>(p, value);
  if (scratch.capacity() > scratch_bytes_max) return std::exchange(scratch, {});  // too large to keep, and to copy
  return scratch;
}

}  // namespace

template <class T>
std::string pack(const T& value) {
  return encode<form::array>(value);
}
template <class T>
result<T> unpack(std::string_view bytes) {
  return decode<form::array, T>(bytes);
}
template <class T>
std::string pack_map(const T& value) {
  return encode<form::map>(value);
}
template <class T>
result<T> unpack_map(std::string_view bytes) {
  return decode<form::map, T>(bytes);
}

#define X(type)                           \
  template std::string pack(const type&); \
  template result<type> unpack(std::string_view);
ZEDOPS_ARRAY_TYPES(X)
#undef X
#define X(type)                               \
  template std::string pack_map(const type&); \
  template result<type> unpack_map(std::string_view);
ZEDOPS_MAP_TYPES(X)
#undef X

}  // namespace zedops::msg
