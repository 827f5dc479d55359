// Requests to the web door: [method][target]\n[body]. Whatever it is, it becomes a request that its verb's type
// accepts, or an error that says why not.
#include "integration/http/api/bodies.hpp"
#include "integration/http/events/event_feed.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace zedops;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr std::string_view methods[] = {"GET", "POST", "PATCH", "DELETE", "HEAD"};
  fuzz::input in(data, size);
  web::request r;
  r.method = methods[in.byte() % std::size(methods)];
  const auto rest = in.rest();
  const auto line = rest.find('\n');
  if (auto ok = web::read_target(rest.substr(0, line), r); !ok) {
    FUZZ_CHECK(!ok.error().message.empty());
    return 0;
  }
  for (const auto& s : r.segments) FUZZ_CHECK(!s.empty() && s != "." && s != "..");
  if (line != rest.npos) r.body = rest.substr(line + 1);
  r.headers = {{"content-type", "application/json"}, {"cookie", r.body}, {"if-match", r.body}};
  (void)r.cookie("zedops-1");
  const auto text = web::sse_text(r.body, {}, r.body);
  FUZZ_CHECK(text.ends_with("\n\n"));
  const auto found = web::match(r.method, r.segments);
  if (const auto* to = std::get_if<web::matched>(&found)) {
    const auto call = web::call_of(*to, r);
    if (!call) FUZZ_CHECK(!call.error().message.empty() && !web::error_response(call.error()).body->empty());
  }
  return 0;
}
