// Answers of an Engine: [which answer][JSON].
#include "integration/docker/engine_json.hpp"

#include "integration/docker/refusal.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace zedops;
using namespace zedops::docker;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::input in(data, size);
  const auto which = in.byte();
  const auto text = in.rest();
  switch (which % 11) {
    case 0: (void)json::parse_version(text); break;
    case 1: (void)json::parse_info({}, text); break;
    case 2: (void)json::parse_list(text); break;
    case 3: (void)json::parse_details(text); break;
    case 4: (void)json::parse_created(text); break;
    case 5: (void)json::parse_id(text); break;
    case 6: (void)json::parse_image(text); break;
    case 7: (void)json::parse_network(text); break;
    case 8: (void)json::parse_stats(text); break;
    case 9: (void)json::parse_event(text); break;
    default: (void)json::refusal_text(text);
  }
  if (const auto v = parse_api_version(text)) FUZZ_CHECK(parse_api_version(to_string(*v)) == *v);
  (void)negotiate(text);
  return 0;
}
