// JSON as clients may write it: [which type][text]. What was read and written once is always written the same way.
#include "messages/wire/codec.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace zedops;
using namespace zedops::msg;

namespace {

template <class T>
void read_json(std::string_view text) {
  const auto v = from_json<T>(text);
  if (!v) return FUZZ_CHECK(!v.error().message.empty());
  const auto written = to_json(*v);
  const auto again = from_json<T>(written);
  FUZZ_CHECK(again);
  FUZZ_CHECK(to_json(*again) == written);
  (void)pack_map(*v);
}

using reader = void (*)(std::string_view);
#define X(type) &read_json<type>,
constexpr reader readers[] = {ZEDOPS_MAP_TYPES(X)};
#undef X

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::input in(data, size);
  readers[in.byte() % std::size(readers)](in.rest());
  return 0;
}
