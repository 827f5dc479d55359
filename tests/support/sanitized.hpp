// Whether the program runs under a sanitizer: its memory use is then not only its own.
#pragma once

namespace zedops::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

}  // namespace zedops::test
