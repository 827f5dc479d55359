// A configuration file: [manager or agent][TOML]. It is read, or refused with an explanation.
#include "config/settings/settings.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.hpp"

using namespace zedops;
using namespace zedops::config;

namespace {

// The file lives in memory: one descriptor for all runs.
std::string file_with(std::string_view text) {
  static const int fd = ::memfd_create("settings", 0);
  FUZZ_CHECK(fd >= 0);
  FUZZ_CHECK(::ftruncate(fd, 0) == 0);
  FUZZ_CHECK(::pwrite(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
  return "/proc/self/fd/" + std::to_string(fd);
}

template <class S>
void load(std::string_view text) {
  const auto loaded = load_settings<S>({{"--config", file_with(text)}, {}, "host-1", true});
  if (!loaded) FUZZ_CHECK(!loaded.error().message.empty() && !loaded.error().hint.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::input in(data, size);
  in.byte() % 2 == 0 ? load<manager_settings>(in.rest()) : load<agent_settings>(in.rest());
  return 0;
}
