#include "messages/records/facts.hpp"

namespace zedops::msg {

std::string_view type_of(const fact& f) {
  return std::visit([](const auto& x) { return std::decay_t<decltype(x)>::type; }, f);
}

}  // namespace zedops::msg
