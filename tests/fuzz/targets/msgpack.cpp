// Bodies: [which type and form][MessagePack]. What was read and written once is always written the same way.
#include "messages/wire/codec.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace zedops;
using namespace zedops::msg;

namespace {

template <class T>
void array_form(std::string_view bytes) {
  const auto v = unpack<T>(bytes);
  if (!v) return FUZZ_CHECK(!v.error().message.empty());
  const auto written = pack(*v);
  const auto again = unpack<T>(written);
  FUZZ_CHECK(again);
  FUZZ_CHECK(pack(*again) == written);
}

template <class T>
void map_form(std::string_view bytes) {
  const auto v = unpack_map<T>(bytes);
  if (!v) return FUZZ_CHECK(!v.error().message.empty());
  const auto written = pack_map(*v);
  const auto again = unpack_map<T>(written);
  FUZZ_CHECK(again);
  FUZZ_CHECK(pack_map(*again) == written);
  (void)to_json(*v);
}

using reader = void (*)(std::string_view);
// In the order of the lists: their number is in the corpus.
#define X(type) &array_form<type>,
constexpr reader arrays[] = {ZEDOPS_ARRAY_TYPES(X)};
#undef X
#define X(type) &map_form<type>,
constexpr reader maps[] = {ZEDOPS_MAP_TYPES(X)};
#undef X

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::input in(data, size);
  const uint8_t which = in.byte();
  if (which < 128) arrays[which % std::size(arrays)](in.rest());
  else maps[(which - 128) % std::size(maps)](in.rest());
  return 0;
}
