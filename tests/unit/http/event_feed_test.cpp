// Live events for many readers.
#include "integration/http/events/event_feed.hpp"

#include "tests/support/catch.hpp"

using namespace zedops::web;

namespace {
live_event event(uint64_t seq, std::string subject = "server.a", std::string type = "server.deleted") {
  const auto text = std::make_shared<const std::string>(std::to_string(seq));
  return {seq, std::move(subject), std::move(type), text, std::make_shared<const std::string>("r" + *text)};
}
struct heard {
  std::string text;
  event_feed::sink sink() {
    return [this](const text_ptr& t) { text += *t + ' '; };
  }
};
}  // namespace

TEST_CASE("a reader gets new events, and those kept since its position", "[unit][http]") {
  event_feed feed(3);
  feed.begin_after(10);
  for (uint64_t n = 11; n <= 15; ++n) feed.push(event(n));
  heard from13, late, now;
  CHECK(feed.join({}, 12, from13.sink()));
  CHECK(!feed.join({}, 11, late.sink()));  // 12 is not kept any more
  const auto last = feed.join({}, 15, now.sink());
  REQUIRE(last);
  feed.push(event(16));
  CHECK(from13.text == "13 14 15 16 ");
  CHECK(now.text == "16 ");
  feed.leave(*last);
  feed.push(event(17));
  CHECK(now.text == "16 ");
  CHECK(feed.readers() == 1);
}

TEST_CASE("a reader ahead of the feed gets nothing twice", "[unit][http]") {
  event_feed feed;
  feed.begin_after(10);
  heard h;
  CHECK(feed.join({}, 12, h.sink()));  // it has read 11 and 12 from the store already
  for (uint64_t n = 11; n <= 13; ++n) feed.push(event(n));
  CHECK(h.text == "13 ");
}

TEST_CASE("each reader has its own filters, form and rights", "[unit][http]") {
  event_feed feed;
  feed.begin_after(0);
  heard all, one, typed, his;
  feed.join({}, 0, all.sink());
  feed.join({"server.b", {}, false, {}}, 0, one.sink());
  const auto records = feed.join({{}, "server.del", true, {}}, 0, typed.sink());
  feed.join({{}, {}, false, [](const live_event& e) { return e.server.value == "a"; }}, 0, his.sink());
  auto first = event(1);
  first.server = {"a"};
  feed.push(first);
  feed.push(event(2, "server.b", "server.edited"));
  CHECK(all.text == "1 2 ");
  CHECK(one.text == "2 ");
  CHECK(typed.text == "r1 ");
  CHECK(his.text == "1 ");
  feed.leave(*records);
}

TEST_CASE("events not encoded in a reader's form have to be read from the store", "[unit][http]") {
  event_feed feed;
  feed.begin_after(0);
  auto bare = event(1);
  bare.record = nullptr;
  heard plain, record, later;
  REQUIRE(feed.join({}, 0, plain.sink()));
  feed.push(bare);
  CHECK(plain.text == "1 ");
  CHECK(!feed.join({{}, {}, true, {}}, 0, record.sink()));
  CHECK(feed.join({{}, {}, true, {}}, 1, later.sink()));
}

TEST_CASE("the content of an event cannot end it or begin another", "[unit][http]") {
  CHECK(sse_text("7:1", "x", "{}") == "id: 7:1\nevent: x\ndata: {}\n\n");
  CHECK(sse_text({}, {}, "a\nevent: evil\r\n\nid: 9") == "data: a\ndata: event: evil\ndata: \ndata: \ndata: id: 9\n\n");
}
