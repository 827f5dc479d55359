// Whether a sanitizer keeps books beside the program: what its process takes is then not the program's alone.
#pragma once

namespace zedops::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

}  // namespace zedops::test
