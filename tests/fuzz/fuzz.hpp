// Shared by every target: its input split into parts, and a check that ends the process so that a fuzzer notices.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

#define FUZZ_CHECK(condition) ((condition) ? void() : ::zedops::fuzz::does_not_hold(__FILE__, __LINE__, #condition))

namespace zedops::fuzz {

[[noreturn]] inline void does_not_hold(const char* file, int line, const char* what) {
  std::fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
  std::abort();
}

class input {
 public:
  input(const uint8_t* data, size_t size) : left_(reinterpret_cast<const char*>(data), size) {}

  // 0 when nothing is left.
  uint8_t byte() {
    if (left_.empty()) return 0;
    const auto b = static_cast<uint8_t>(left_.front());
    left_.remove_prefix(1);
    return b;
  }
  std::string_view text(size_t bytes) {
    const auto out = left_.substr(0, bytes);
    left_.remove_prefix(out.size());
    return out;
  }
  std::string_view rest() const { return left_; }
  bool empty() const { return left_.empty(); }

 private:
  std::string_view left_;
};

// Gives `bytes` to `feed` in pieces of `size`; 0: at once. Ends early when `feed` returns false.
template <class F>
bool in_pieces(std::string_view bytes, size_t size, F&& feed) {
  if (size == 0) return feed(bytes);
  for (; !bytes.empty(); bytes.remove_prefix(std::min(size, bytes.size())))
    if (!feed(bytes.substr(0, size))) return false;
  return true;
}

}  // namespace zedops::fuzz
