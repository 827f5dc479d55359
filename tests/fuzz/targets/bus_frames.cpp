// Frames as any peer may send them: [how many][length of each][bytes]. Accepted ones are accepted again after encoding.
#include "bus/protocol.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace zedops;
using namespace zedops::bus;

namespace {

frames frames_of(fuzz::input in) {
  frames out;
  const size_t count = in.byte() % (frame_count_max + 2);
  for (size_t i = 0; i < count; ++i) {
    const size_t length = in.byte();
    out.emplace_back(in.text(i + 1 < count ? length : in.rest().size()));
  }
  return out;
}

void requests(const frames& f) {
  (void)request_id_of(f);
  const auto r = parse_request(f);
  if (!r) return FUZZ_CHECK(!r.error().message.empty());
  FUZZ_CHECK(check(*r));
  const auto again = parse_request(encode(*r));
  FUZZ_CHECK(again && again->id == r->id && again->verb == r->verb && again->idempotency_key == r->idempotency_key &&
             again->deadline == r->deadline && again->options == r->options && again->body == r->body);
}

void others(const frames& f) {
  if (auto r = parse_reply(f)) {
    const auto again = parse_reply(encode(*r));
    FUZZ_CHECK(again && again->kind == r->kind && again->request_id == r->request_id && again->body == r->body);
  }
  if (auto m = parse_agent_message(f)) {
    const auto again = parse_agent_message(encode(*m));
    FUZZ_CHECK(again && again->tag == m->tag && again->session == m->session && again->body == m->body);
  }
  if (auto e = parse_event(f)) {
    const auto again = parse_event(encode(*e));
    FUZZ_CHECK(again && again->topic == e->topic && again->at == e->at && again->body == e->body);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto f = frames_of({data, size});
  requests(f);
  others(f);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto c = parse_cursor(text)) FUZZ_CHECK(to_text(*c) == text);
  return 0;
}
