// An enum with names: ZEDOPS_ENUM gives the enum, its table of names and both conversions from one list.
// Values are on the wire and on disk as numbers and in JSON as names: append only.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "messages/base/fields.hpp"

namespace zedops::msg {

template <class E>
struct enum_names;  // specialised by ZEDOPS_ENUM: { static constexpr std::array<std::string_view, N> list; }

template <class E>
concept named_enum = std::is_enum_v<E> && requires {
  enum_names<E>::list;
};

template <named_enum E>
constexpr std::string_view name_of(E value) {
  auto i = static_cast<std::size_t>(value);
  return i < enum_names<E>::list.size() ? enum_names<E>::list[i] : std::string_view{"?"};
}

template <named_enum E>
constexpr std::optional<E> enum_from_number(uint64_t n) {
  if (n >= enum_names<E>::list.size()) return std::nullopt;
  return static_cast<E>(n);
}

template <named_enum E>
constexpr std::optional<E> enum_from_name(std::string_view name) {
  for (std::size_t i = 0; i < enum_names<E>::list.size(); ++i)
    if (enum_names<E>::list[i] == name) return static_cast<E>(i);
  return std::nullopt;
}

}  // namespace zedops::msg

#define ZEDOPS_ENUM_VALUE(v) v,
#define ZEDOPS_ENUM_NAME(v) std::string_view{#v},
// Used inside namespace zedops::msg. A trailing underscore is not supported: values are their own names.
#define ZEDOPS_ENUM(type, ...)                                                       \
  enum class type : uint8_t { ZEDOPS_EACH(ZEDOPS_ENUM_VALUE, __VA_ARGS__) };         \
  template <>                                                                        \
  struct enum_names<type> {                                                          \
    static constexpr std::array list = {ZEDOPS_EACH(ZEDOPS_ENUM_NAME, __VA_ARGS__)}; \
  };
