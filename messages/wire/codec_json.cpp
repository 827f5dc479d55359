#include <msgpack.hpp>
#include <nlohmann/json.hpp>

#include "messages/wire/codec.hpp"
#include "messages/wire/codec_traits.hpp"

namespace zedops::msg {
namespace {

using namespace detail;
using json = nlohmann::ordered_json;

template <class T>
json to_value(const T& x) {
  if constexpr (is_id<T>) {
    return x.value;
  } else if constexpr (std::is_same_v<T, time_point>) {
    return x == never ? json(nullptr) : json(to_rfc3339(x));
  } else if constexpr (std::is_same_v<T, duration>) {
    return x.count();
  } else if constexpr (std::is_same_v<T, ec> || named_enum<T>) {
    return name_of(x);
  } else if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, std::string> || std::is_integral_v<T>) {
    return x;
  } else if constexpr (is_optional<T>) {
    return x ? to_value(*x) : json(nullptr);
  } else if constexpr (is_boxed<T>) {
    return to_value(*x);
  } else if constexpr (is_vector<T>) {
    json out = json::array();
    for (const auto& item : x) out.push_back(to_value(item));
    return out;
  } else if constexpr (is_map<T>) {
    json out = json::object();
    for (const auto& [key, value] : x) out[key] = to_value(value);
    return out;
  } else if constexpr (is_variant<T>) {
    return std::visit([](const auto& alternative) { return to_value(alternative); }, x);
  } else {
    json out = json::object();
    T::each_field(x, [&](const char* field, const auto& value) {
      if constexpr (std::is_same_v<std::decay_t<decltype(value)>, fact>) out["type"] = type_of(value);
      out[std::string(public_name(field))] = to_value(value);
    });
    return out;
  }
}

struct reader {
  std::string problem;
  bool bad(std::string_view what) {
    if (problem.empty()) problem = what;
    return false;
  }
};

template <class T>
bool read_integer(reader& r, const json& j, T& x) {
  if (j.is_number_unsigned()) {
    auto n = j.get<uint64_t>();
    if (n > static_cast<uint64_t>(std::numeric_limits<T>::max())) return r.bad("a number is too large");
    x = static_cast<T>(n);
    return true;
  }
  if (j.is_number_integer()) {
    auto n = j.get<int64_t>();
    if (std::is_unsigned_v<T> || n < static_cast<int64_t>(std::numeric_limits<T>::min()))
      return r.bad("a number is too small");
    x = static_cast<T>(n);
    return true;
  }
  return r.bad("a whole number was expected");
}

template <class T>
bool from_value(reader& r, const json& j, T& x) {
  if constexpr (is_id<T>) {
    return from_value(r, j, x.value);
  } else if constexpr (std::is_same_v<T, time_point>) {
    if (j.is_null()) return true;
    auto t = j.is_string() ? from_rfc3339(j.get_ref<const std::string&>()) : std::nullopt;
    if (!t) return r.bad("a time like 2024-05-01T12:00:00.000Z was expected");
    x = *t;
    return true;
  } else if constexpr (std::is_same_v<T, duration>) {
    int64_t ms = 0;
    if (!read_integer(r, j, ms)) return false;
    x = duration{ms};
    return true;
  } else if constexpr (std::is_same_v<T, ec> || named_enum<T>) {
    if (!j.is_string()) return r.bad("a name was expected");
    const auto& name = j.get_ref<const std::string&>();
    std::optional<T> value;
    if constexpr (std::is_same_v<T, ec>) value = ec_from_name(name);
    else value = enum_from_name<T>(name);
    if (!value) return r.bad("unknown name '" + name.substr(0, 40) + "'");
    x = *value;
    return true;
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!j.is_boolean()) return r.bad("true or false was expected");
    x = j.get<bool>();
    return true;
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!j.is_string()) return r.bad("a string was expected");
    x = j.get_ref<const std::string&>();
    return true;
  } else if constexpr (std::is_integral_v<T>) {
    return read_integer(r, j, x);
  } else if constexpr (is_optional<T>) {
    if (j.is_null()) {
      x.reset();
      return true;
    }
    return from_value(r, j, x.emplace());
  } else if constexpr (is_boxed<T>) {
    typename T::value_type value{};
    if (!from_value(r, j, value)) return false;
    x = std::move(value);
    return true;
  } else if constexpr (is_vector<T>) {
    if (!j.is_array()) return r.bad("a list was expected");
    x.clear();  // item by item: a long list of rubbish costs no more than its first item
    for (const auto& item : j)
      if (!from_value(r, item, x.emplace_back())) return false;
    return true;
  } else if constexpr (is_map<T>) {
    if (!j.is_object()) return r.bad("an object was expected");
    x.clear();
    for (const auto& [key, item] : j.items())
      if (!from_value(r, item, x[key])) return false;
    return true;
  } else if constexpr (is_variant<T>) {
    return std::visit([&](auto& alternative) { return from_value(r, j, alternative); }, x);
  } else {
    if (!j.is_object()) return r.bad("an object was expected");
    bool ok = true;
    T::each_field(x, [&](const char* field, auto& value) {
      if (!ok) return;
      if constexpr (std::is_same_v<std::decay_t<decltype(value)>, fact>) {
        auto type = j.find("type");
        auto index = type != j.end() && type->is_string()
                         ? variant_index<fact>(type->template get_ref<const std::string&>())
                         : std::nullopt;
        if (!index) {
          ok = r.bad("unknown event type");
          return;
        }
        value = variant_at<fact>(*index);
      }
      const std::string name(public_name(field));
      if (auto item = j.find(name); item != j.end()) {
        ok = from_value(r, *item, value);
        if (!ok && r.problem.find(':') == std::string::npos) r.problem = name + ": " + r.problem;
      }
    });
    return ok;
  }
}

// The parser itself has no depth limit, and its values are freed recursively: count before parsing. Brackets within
// strings are text.
bool too_deep(std::string_view text) {
  size_t depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\') ++i;
    else if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if ((c == '[' || c == '{') && ++depth > decode_depth_max * 4) return true;
    if ((c == ']' || c == '}') && depth > 0) --depth;
  }
  return false;
}

struct depth_limit : msgpack::null_visitor {
  size_t depth = 0;
  bool over = false;
  bool open() {
    over = ++depth > decode_depth_max;
    return !over;
  }
  bool close() {
    --depth;
    return true;
  }
  bool start_array(uint32_t) { return open(); }
  bool start_map(uint32_t) { return open(); }
  bool end_array() { return close(); }
  bool end_map() { return close(); }
};

// Here, too: the parser below calls itself for each level. This one does not.
bool too_deep_packed(std::string_view bytes) {
  depth_limit limit;
  size_t offset = 0;
  msgpack::parse(bytes.data(), bytes.size(), offset, limit);
  return limit.over;
}

}  // namespace

template <class T>
std::string to_json(const T& value, int indent) {
  return to_value(value).dump(indent, ' ', false, json::error_handler_t::replace);
}

template <class T>
result<T> from_json(std::string_view text) {
  if (text.size() > decode_bytes_max)
    return fail(ec::too_large, "a JSON text of " + std::to_string(text.size()) + " bytes is larger than allowed");
  if (too_deep(text)) return fail(ec::bad_request, "the JSON text is nested too deeply");
  auto j = json::parse(text, nullptr, false);
  if (j.is_discarded()) return fail(ec::bad_request, "the text is not valid JSON");
  reader r;
  T value{};
  if (from_value(r, j, value)) return value;
  return fail(ec::bad_request, "the JSON does not have the expected form: " + r.problem);
}

#define X(type)                                   \
  template std::string to_json(const type&, int); \
  template result<type> from_json(std::string_view);
ZEDOPS_MAP_TYPES(X)
#undef X

std::string encoding_free(std::string_view map) {
  if (too_deep_packed(map)) return std::string(map);  // no request of ours: the decoder refuses it
  const auto doc = nlohmann::json::from_msgpack(map.begin(), map.end(), true, false);  // an object sorts its keys
  return doc.is_discarded() ? std::string(map) : doc.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace zedops::msg
