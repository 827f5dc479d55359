// What the codecs ask of a type. Private to the codec sources.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "messages/base/boxed.hpp"
#include "messages/base/enums.hpp"
#include "messages/base/error.hpp"
#include "messages/base/ids.hpp"
#include "messages/base/time.hpp"

namespace zedops::msg::detail {

template <class T>
inline constexpr bool is_id = false;
template <class Tag>
inline constexpr bool is_id<id<Tag>> = true;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_optional<sparse<T>> = true;

template <class T>
inline constexpr bool is_boxed = false;
template <class T>
inline constexpr bool is_boxed<boxed<T>> = true;

template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;

template <class T>
inline constexpr bool is_map = false;
template <class V>
inline constexpr bool is_map<std::map<std::string, V>> = true;

template <class T>
inline constexpr bool is_variant = false;
template <class... Ts>
inline constexpr bool is_variant<std::variant<Ts...>> = true;

template <class V, size_t I = 0>
V variant_at(size_t index) {  // default-constructed alternative; index < size is the caller's duty
  if constexpr (I + 1 < std::variant_size_v<V>) {
    if (index != I) return variant_at<V, I + 1>(index);
  }
  return V{std::in_place_index<I>};
}

template <class V, size_t I = 0>
std::optional<size_t> variant_index(std::string_view type) {
  if constexpr (I < std::variant_size_v<V>) {
    if (std::variant_alternative_t<I, V>::type == type) return I;
    return variant_index<V, I + 1>(type);
  }
  return std::nullopt;
}

}  // namespace zedops::msg::detail
