#include "bus/protocol.hpp"

#include <rapidcheck.h>

#include "tests/support/catch.hpp"

using namespace zedops;
using namespace zedops::bus;
using namespace std::chrono_literals;

namespace {

request sample() { return {"17", "server.start", "key-1", 1500ms, "opt", "body"}; }

std::string reason_of(const frames& f) {
  auto r = parse_request(f);
  return r ? "" : r.error().message;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

rc::Gen<frames> any_frames() {
  // Half of the frames are words of the grammar, so that hostile input also gets past the first checks.
  auto word = rc::gen::element<std::string>("zedops/1", "req", "result", "server.start", "1", "0", "007", "7:9", "",
                                            "-1", "18446744073709551616", "86400001");
  auto frame = rc::gen::oneOf(word, rc::gen::arbitrary<std::string>());
  return rc::gen::container<frames>(frame);
}

}  // namespace

TEST_CASE("protocol: what is encoded is parsed back", "[unit][bus]") {
  auto r = parse_request(encode(sample()));
  REQUIRE(r);
  CHECK(r->id == "17");
  CHECK(r->verb == "server.start");
  CHECK(r->idempotency_key == "key-1");
  CHECK(r->deadline == 1500ms);
  CHECK(r->options == "opt");
  CHECK(r->body == "body");

  for (auto kind :
       {reply_kind::accepted, reply_kind::progress, reply_kind::result, reply_kind::error, reply_kind::chunk}) {
    auto back = parse_reply(encode(reply{kind, "9", "x"}));
    REQUIRE(back);
    CHECK(back->kind == kind);
    CHECK(back->request_id == "9");
    CHECK(back->body == "x");
  }
  auto m = parse_agent_message(encode(agent_message{"hello", 18446744073709551615u, std::string("\0\1", 2)}));
  REQUIRE(m);
  CHECK(m->tag == "hello");
  CHECK(m->session == 18446744073709551615u);
  CHECK(m->body == std::string("\0\1", 2));

  auto e = parse_event(encode(raw_event{"server.s1", {7, 1042}, "b"}));
  REQUIRE(e);
  CHECK(e->topic == "server.s1");
  CHECK((e->at == cursor{7, 1042}));
  CHECK(e->body == "b");
}

TEST_CASE("protocol: a request may leave out key, deadline, options and body", "[unit][bus]") {
  auto r = parse_request({"zedops/1", "req", "1", "server.ls", "", "", "", ""});
  REQUIRE(r);
  CHECK_FALSE(r->deadline);
}

TEST_CASE("protocol: each bad request is refused with the reason", "[unit][bus]") {
  auto with = [](size_t at, std::string text) {
    auto f = encode(sample());
    f[at] = std::move(text);
    return reason_of(f);
  };
  CHECK(has(reason_of({}), "0 frames instead of 8"));
  CHECK(has(reason_of({"zedops/2", "anything"}), "speaks 'zedops/2' instead of zedops/1"));
  CHECK(has(with(1, "hello"), "'req'"));
  CHECK(has(with(2, ""), "request id is empty"));
  CHECK(has(with(2, std::string(request_id_max + 1, 'x')), "request id has 65 bytes"));
  CHECK(has(with(2, "a b"), "request id 'a b'"));
  CHECK(has(with(3, std::string(verb_max + 1, 'x')), "verb has 65 bytes"));
  CHECK(has(with(3, "Server\nStart"), "verb 'Server?Start'"));
  CHECK(has(with(4, std::string(idempotency_key_max + 1, 'x')), "idempotency key has 129"));
  CHECK(has(with(5, "soon"), "deadline 'soon'"));
  CHECK(has(with(5, "-5"), "deadline"));
  CHECK(has(with(5, "0"), "deadline"));
  CHECK(has(with(5, "86400001"), "deadline"));
  CHECK(has(with(6, std::string(options_max + 1, 'x')), "options map has 4097"));
  auto f = encode(sample());
  f.emplace_back();
  CHECK(has(reason_of(f), "9 frames instead of 8"));
}

TEST_CASE("protocol: a body of 16 MiB passes and one byte more does not", "[unit][bus]") {
  auto r = sample();
  r.body.assign(body_max, 'x');
  CHECK(parse_request(encode(r)));
  r.body += 'x';
  auto refused = parse_request(encode(r));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == msg::ec::too_large);
  CHECK_FALSE(refused.error().hint.empty());
}

TEST_CASE("protocol: a cursor has one text form only", "[unit][bus]") {
  CHECK(to_text({7, 1042}) == "7:1042");
  CHECK(parse_cursor("18446744073709551615:0"));
  for (auto text : {"", ":", "7", "7:", ":7", "7:01", "+7:1", "7:-1", "7:1 ", "7:1:2", "18446744073709551616:0"})
    CHECK_FALSE(parse_cursor(text));
}

TEST_CASE("protocol: hostile frames give a reason fit for a log, never more", "[unit][bus]") {
  REQUIRE(rc::check("every parse function is total", [] {
    const auto f = *any_frames();
    auto fit = [](const auto& parsed) {
      if (parsed) return;
      RC_ASSERT(parsed.error().message.size() < 300u);
      for (unsigned char c : parsed.error().message) RC_ASSERT(c >= 0x20);
      RC_ASSERT(!parsed.error().hint.empty());
    };
    fit(parse_request(f));
    fit(parse_reply(f));
    fit(parse_agent_message(f));
    fit(parse_event(f));
    RC_ASSERT(request_id_of(f).size() <= request_id_max);
  }));
  REQUIRE(rc::check("what is accepted is what was sent", [] {
    const auto f = *any_frames();
    if (auto r = parse_request(f)) RC_ASSERT(encode(*r) == f);
    if (auto r = parse_reply(f)) RC_ASSERT(encode(*r) == f);
    if (auto m = parse_agent_message(f)) RC_ASSERT(encode(*m) == f);
    if (auto e = parse_event(f)) RC_ASSERT(encode(*e) == f);
  }));
}

TEST_CASE("protocol: the sender of a bad request gets an answer when its id is valid", "[unit][bus]") {
  CHECK(request_id_of({"zedops/9", "req", "42"}) == "42");
  CHECK(request_id_of({"zedops/1", "req"}).empty());
  CHECK(request_id_of({"zedops/1", "req", std::string(1 << 20, 'x')}).empty());
}
