// Errors as values: what went wrong, why, and what to do next. One table of codes; every door reads it.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "messages/base/fields.hpp"

namespace zedops::msg {

// X(name, number, http_status, exit_code, retryable). Numbers are on the wire: append only.
#define ZEDOPS_ERROR_CODES(X)            \
  X(bad_request, 1, 400, 2, false)       \
  X(invalid_name, 2, 400, 2, false)      \
  X(not_found, 3, 404, 3, false)         \
  X(already_exists, 4, 409, 4, false)    \
  X(wrong_state, 5, 409, 4, false)       \
  X(busy, 6, 409, 4, true)               \
  X(port_conflict, 7, 409, 4, false)     \
  X(no_data, 8, 409, 4, false)           \
  X(data_unknown, 9, 409, 4, true)       \
  X(agent_unreachable, 10, 503, 6, true) \
  X(engine_error, 11, 502, 1, true)      \
  X(pull_failed, 12, 502, 1, true)       \
  X(timeout, 13, 504, 7, true)           \
  X(cancelled, 14, 409, 1, false)        \
  X(unauthorised, 15, 401, 5, false)     \
  X(forbidden, 16, 403, 5, false)        \
  X(too_large, 17, 413, 2, false)        \
  X(rate_limited, 18, 429, 1, true)      \
  X(not_leader, 19, 421, 6, true)        \
  X(store_full, 20, 507, 1, true)        \
  X(internal, 21, 500, 1, true)

enum class ec : uint8_t {
#define X(name, number, http, exit, retry) name = number,
  ZEDOPS_ERROR_CODES(X)
#undef X
};

struct ec_info {
  ec code;
  std::string_view name;
  int http_status;
  int exit_code;   // of zedctl, see docs
  bool retryable;  // the same request may succeed later, unchanged
};

inline constexpr std::array ec_table = {
#define X(name, number, http, exit, retry) ec_info{ec::name, #name, http, exit, retry},
    ZEDOPS_ERROR_CODES(X)
#undef X
};

constexpr const ec_info& info(ec code) { return ec_table[static_cast<size_t>(code) - 1]; }
constexpr std::string_view name_of(ec code) { return info(code).name; }
std::optional<ec> ec_from_number(uint64_t number);
std::optional<ec> ec_from_name(std::string_view name);

static_assert(
    [] {
      for (size_t i = 0; i < ec_table.size(); ++i)
        if (static_cast<size_t>(ec_table[i].code) != i + 1) return false;
      return true;
    }(),
    "error numbers are consecutive, so that the table can be indexed by them");

// An error that reaches a user names the cause (`message`) and the remedy (`hint`).
struct error {
  ec code = ec::internal;
  std::string message;
  std::string hint;       // next step for the user; may be empty
  std::string operation;  // id of the operation that is in the way or that failed; may be empty

  ZEDOPS_FIELDS(code, message, hint, operation)
  friend bool operator==(const error&, const error&) = default;
};

template <class T>
using result = tl::expected<T, error>;

inline tl::unexpected<error> fail(ec code, std::string message, std::string hint = {}, std::string operation = {}) {
  return tl::make_unexpected(error{code, std::move(message), std::move(hint), std::move(operation)});
}
inline tl::unexpected<error> fail(error e) { return tl::make_unexpected(std::move(e)); }

}  // namespace zedops::msg
