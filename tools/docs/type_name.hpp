// The bare name of a struct of zedops::msg.
#pragma once
#include <string_view>

namespace zedops::docs {

template <class T>
constexpr std::string_view type_name() {
  std::string_view text = __PRETTY_FUNCTION__;  // "... [with T = zedops::msg::event; ...]" (gcc) or "[T = ...]" (clang)
  text.remove_prefix(text.find("T = ") + 4);
  text = text.substr(0, text.find_first_of(";]"));
  return text.substr(text.rfind(':') + 1);
}

}  // namespace zedops::docs
