// The words of the two logging settings.
#pragma once
#include "messages/base/enums.hpp"

namespace zedops::msg {

ZEDOPS_ENUM(log_level, trace, debug, info, warn, error)
ZEDOPS_ENUM(log_format, text, json)

}  // namespace zedops::msg
