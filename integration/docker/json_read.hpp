// Reading JSON that may hold anything: a missing or wrongly typed value is empty, never an exception. Private.
#pragma once
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace zedops::docker::json {

inline std::optional<nlohmann::json> parse_object(std::string_view body) {
  auto doc = nlohmann::json::parse(body, nullptr, false);
  if (!doc.is_object()) return std::nullopt;
  return doc;
}

inline const nlohmann::json* child(const nlohmann::json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  auto at = object.find(key);
  return at == object.end() || at->is_null() ? nullptr : &*at;
}

inline std::string text_of(const nlohmann::json& value) {
  auto s = value.get_ptr<const std::string*>();
  return s ? *s : std::string{};
}
inline std::string text(const nlohmann::json& object, const char* key) {
  auto value = child(object, key);
  return value ? text_of(*value) : std::string{};
}

// Non-negative integers; anything else is zero.
inline uint64_t number(const nlohmann::json& object, const char* key) {
  auto value = child(object, key);
  if (!value) return 0;
  if (auto n = value->get_ptr<const nlohmann::json::number_unsigned_t*>()) return *n;
  return 0;
}
inline int64_t signed_number(const nlohmann::json& object, const char* key) {
  auto value = child(object, key);
  return value && value->is_number_integer() ? value->get<int64_t>() : 0;
}
inline bool flag(const nlohmann::json& object, const char* key) {
  auto value = child(object, key);
  return value && value->is_boolean() && value->get<bool>();
}

// {"a":"b"} as a map; values that are no strings are left out.
inline std::map<std::string, std::string> text_map(const nlohmann::json* object) {
  std::map<std::string, std::string> out;
  if (!object || !object->is_object()) return out;
  for (const auto& [key, value] : object->items())
    if (value.is_string()) out.emplace(key, text_of(value));
  return out;
}

inline std::vector<std::string> text_list(const nlohmann::json* array) {
  std::vector<std::string> out;
  if (!array || !array->is_array()) return out;
  for (const auto& value : *array)
    if (value.is_string()) out.push_back(text_of(value));
  return out;
}

}  // namespace zedops::docker::json
