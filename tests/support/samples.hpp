// A value of any record or message, made from its field list: every field is set, and no two alike.
#pragma once
#include <string>
#include <utility>

#include "messages/wire/codec.hpp"
#include "messages/wire/codec_traits.hpp"

namespace zedops::testing {

class sample_maker {
 public:
  // `alternative` is taken by variants (modulo their size); `filled` false leaves optionals and lists empty.
  explicit sample_maker(uint64_t seed = 1, size_t alternative = 0, bool filled = true)
      : n_(seed), alternative_(alternative), filled_(filled) {}

  template <class T>
  T make() {
    T x{};
    fill(x);
    return x;
  }

 private:
  template <class T>
  void fill(T& x) {
    using namespace msg::detail;
    ++n_;
    if constexpr (std::is_same_v<T, bool>) {
      x = n_ % 2 == 1;
    } else if constexpr (std::is_same_v<T, std::string>) {
      x = "text " + std::to_string(n_);
    } else if constexpr (is_id<T>) {
      x.value = msg::id_text('s', n_, n_);
    } else if constexpr (std::is_same_v<T, msg::time_point>) {
      x = msg::time_point{msg::duration{1'700'000'000'000 + static_cast<int64_t>(n_ % 100'000'000)}};
    } else if constexpr (std::is_same_v<T, msg::duration>) {
      x = msg::duration{static_cast<int64_t>(n_ % 100'000'000)};
    } else if constexpr (std::is_same_v<T, msg::ec>) {
      x = static_cast<msg::ec>(1 + n_ % msg::ec_table.size());
    } else if constexpr (msg::named_enum<T>) {
      x = static_cast<T>(n_ % msg::enum_names<T>::list.size());
    } else if constexpr (std::is_integral_v<T>) {
      x = static_cast<T>(n_);
    } else if constexpr (is_optional<T>) {
      if (filled_) fill(x.emplace());
    } else if constexpr (is_boxed<T>) {
      --n_;  // a box adds no value: the samples are the same as without it
      typename T::value_type value{};
      fill(value);
      x = std::move(value);
    } else if constexpr (is_vector<T>) {
      for (int i = 0; filled_ && i < 2; ++i) fill(x.emplace_back());
    } else if constexpr (is_map<T>) {
      for (int i = 0; filled_ && i < 2; ++i) fill(x["KEY_" + std::to_string(++n_)]);
    } else if constexpr (is_variant<T>) {
      x = variant_at<T>(alternative_ % std::variant_size_v<T>);
      std::visit([&](auto& alternative) { fill(alternative); }, x);
    } else {
      T::each_field(x, [&](const char*, auto& value) { fill(value); });
    }
  }

  uint64_t n_;
  size_t alternative_;
  bool filled_;
};

template <class T>
T sample(uint64_t seed = 1, size_t alternative = 0, bool filled = true) {
  return sample_maker(seed, alternative, filled).make<T>();
}

}  // namespace zedops::testing
