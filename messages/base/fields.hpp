// One field list per wire struct; every codec, diff and table is a visitor over it. No third-party include here.
//
//   struct point { int x = 0; int y = 0; ZEDOPS_FIELDS(x, y) };
//   point::each_field(p, [](const char* name, auto& value) { ... });
//
// Lists are append-only for structs that are stored or sent as arrays: a missing trailing field keeps its default and
// an unknown trailing field is skipped, so old and new versions read each other.
#pragma once
#include <cstddef>
#include <type_traits>

#define ZEDOPS_PARENS ()
#define ZEDOPS_EXPAND(...) ZEDOPS_EXPAND3(ZEDOPS_EXPAND3(ZEDOPS_EXPAND3(ZEDOPS_EXPAND3(__VA_ARGS__))))
#define ZEDOPS_EXPAND3(...) ZEDOPS_EXPAND2(ZEDOPS_EXPAND2(ZEDOPS_EXPAND2(ZEDOPS_EXPAND2(__VA_ARGS__))))
#define ZEDOPS_EXPAND2(...) ZEDOPS_EXPAND1(ZEDOPS_EXPAND1(ZEDOPS_EXPAND1(ZEDOPS_EXPAND1(__VA_ARGS__))))
#define ZEDOPS_EXPAND1(...) __VA_ARGS__
#define ZEDOPS_EACH(macro, ...) __VA_OPT__(ZEDOPS_EXPAND(ZEDOPS_EACH_NEXT(macro, __VA_ARGS__)))
#define ZEDOPS_EACH_NEXT(macro, a, ...) macro(a) __VA_OPT__(ZEDOPS_EACH_AGAIN ZEDOPS_PARENS(macro, __VA_ARGS__))
#define ZEDOPS_EACH_AGAIN() ZEDOPS_EACH_NEXT

#define ZEDOPS_VISIT_FIELD(name) f(#name, self.name);
#define ZEDOPS_COUNT_FIELD(name) +1
#define ZEDOPS_FIELDS(...)                                                                   \
  static constexpr std::size_t field_count = 0 ZEDOPS_EACH(ZEDOPS_COUNT_FIELD, __VA_ARGS__); \
  template <class Self, class F>                                                             \
  static void each_field([[maybe_unused]] Self& self, [[maybe_unused]] F&& f) {              \
    ZEDOPS_EACH(ZEDOPS_VISIT_FIELD, __VA_ARGS__)                                             \
  }

namespace zedops::msg {

template <class T>
concept has_fields = requires {
  T::field_count;
};

}  // namespace zedops::msg
