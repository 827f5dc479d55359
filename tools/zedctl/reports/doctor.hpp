// What is wrong, and the remedy: one line per check.
#pragma once
#include <string>
#include <vector>

#include "messages/api/views.hpp"

namespace zedops::ctl {

enum class verdict : uint8_t { ok, warn, fail };

struct finding {
  verdict level = verdict::ok;
  std::string check;
  std::string detail;
  std::string remedy;  // empty when ok
};

inline constexpr msg::duration clock_skew_max{5'000};

// The findings that follow from the manager's answers. Pure.
std::vector<finding> examine(const msg::manager_status& status, const std::vector<msg::agent_view>& agents,
                             msg::time_point now);

}  // namespace zedops::ctl
