// The built-in templates by name.
#pragma once
#include <stdexcept>

#include "config/template_file.hpp"

namespace zedops::core::testing {

inline msg::server_template builtin_template(std::string_view name) {
  const auto all = config::load_templates({});
  for (const auto& t : all.value())
    if (t.name == name) return t;
  throw std::out_of_range("no such template");
}

}  // namespace zedops::core::testing
