#include "messages/records/spec.hpp"

namespace zedops::msg {

const std::vector<std::string_view>& spec_fields() {
  static const auto names = [] {
    std::vector<std::string_view> out;
    const server_spec none;
    server_spec::each_field(none, [&](const char* name, const auto&) { out.emplace_back(name); });
    return out;
  }();
  return names;
}

std::vector<std::string_view> given_fields(const server_spec& s) {
  std::vector<std::string_view> out;
  server_spec::each_field(s, [&](const char* name, const auto& value) {
    if (value) out.emplace_back(name);
  });
  return out;
}

// The fields of two specs have the same order, so the second is walked by position.
void overlay(server_spec& base, const server_spec& over) {
  std::vector<const void*> from;
  server_spec::each_field(over, [&](const char*, const auto& value) { from.push_back(&value); });
  size_t i = 0;
  server_spec::each_field(base, [&](const char*, auto& value) {
    if (const auto& given = *static_cast<const std::decay_t<decltype(value)>*>(from[i++])) value = given;
  });
}

bool clear_field(server_spec& s, std::string_view wanted) {
  bool found = false;
  server_spec::each_field(s, [&](const char* name, auto& value) {
    if (name != wanted) return;
    value.reset();
    found = true;
  });
  return found;
}

namespace {

struct text_counter {
  size_t bytes = 0;
  void add(const std::string& s) { bytes += s.size() + 1; }
  template <class T>
  void add(const std::vector<T>& list) {
    for (const auto& x : list) add(x);
  }
  template <class T>
  void add(const std::map<std::string, T>& all) {
    for (const auto& [key, value] : all) add(key), add(value);
  }
  template <has_fields T>
  void add(const T& x) {
    T::each_field(x, [&](const char*, const auto& field) { add(field); });
  }
  template <class T>
  requires std::is_scalar_v<T>
  void add(T) { bytes += 2; }
  void add(duration) { bytes += 4; }
};

}  // namespace

size_t bytes_of(const server_spec& s) {
  text_counter n;
  server_spec::each_field(s, [&](const char*, const auto& value) {
    if (value) n.add(*value);
  });
  return n.bytes;
}

}  // namespace zedops::msg
