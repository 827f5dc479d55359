// Bytes from a disk: [what][table][length of key][key][bytes], as a record in its envelope or as a child's report.
#include "persistence/detail/report_wire.hpp"
#include "persistence/envelope.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace zedops;
using namespace zedops::store;

namespace {

void record(fuzz::input in) {
  const auto t = static_cast<table>(in.byte() % table_count);
  const auto key = in.text(in.byte());
  const auto raw = in.rest();
  const auto found = unseal(t, key, raw);
  if (!found.damage.empty()) {
    FUZZ_CHECK(describe_damage(t, key, found.damage, raw).raw.size() <= damaged_raw_max);
    FUZZ_CHECK(!damaged_record_error(t, key, found.damage).message.empty());
  }
  std::string sealed(envelope_bytes + raw.size(), '\0');
  seal(t, key, raw, sealed.data());
  const auto back = unseal(t, key, sealed);
  FUZZ_CHECK(back.damage.empty() && back.payload == raw);
  sealed.back() = static_cast<char>(sealed.back() ^ 1);  // one bit is always noticed
  FUZZ_CHECK(!unseal(t, key, sealed).damage.empty());
}

void report(std::string_view bytes) {
  const auto r = detail::decode_report(bytes);
  if (!r) return;
  FUZZ_CHECK(r->listed.size() <= damaged_listed_max);
  const auto written = detail::encode_report(*r);
  const auto again = detail::decode_report(written);
  FUZZ_CHECK(again && detail::encode_report(*again) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::input in(data, size);
  in.byte() % 2 == 0 ? record(in) : report(in.rest());
  return 0;
}
