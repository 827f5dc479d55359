#include "bus/follower.hpp"

#include <rapidcheck.h>

#include <map>

#include "tests/support/catch.hpp"

using namespace zedops::bus;

namespace {

// The body of a test event is its subject_seq.
raw_event event(uint64_t seq, std::string topic = "server.a", uint64_t subject_seq = 0, uint64_t epoch = 1) {
  return {std::move(topic), {epoch, seq}, std::to_string(subject_seq)};
}
std::optional<uint64_t> subject_seq_of(const raw_event& e) { return std::stoull(e.body); }

// What came out, in words: "5 6 gap(6-9 trimmed) 10".
std::string drain(event_follower& f) {
  constexpr const char* why[] = {"trimmed", "epoch", "missing"};
  std::string out;
  while (auto item = f.pop()) {
    if (!out.empty()) out += ' ';
    if (auto* e = std::get_if<raw_event>(&*item)) {
      out += std::to_string(e->at.seq);
    } else {
      auto& g = std::get<event_gap>(*item);
      out += "gap(" + to_text(g.after) + " " + to_text(g.through) + " " + why[static_cast<int>(g.reason)] + ")";
    }
  }
  return out;
}

replay_page page(std::vector<raw_event> events, uint64_t through, bool complete = true) {
  return {std::move(events), std::nullopt, {1, through}, complete};
}

}  // namespace

TEST_CASE("follower: from a cursor it replays first and then follows", "[unit][bus]") {
  auto f = event_follower::of_everything(cursor{1, 4});
  REQUIRE(f.wants_replay() == cursor{1, 4});
  f.on_live(event(7));  // the replay will have it
  CHECK(drain(f) == "");
  f.on_page(page({event(5), event(6), event(7)}, 7));
  CHECK(drain(f) == "5 6 7");
  CHECK_FALSE(f.wants_replay());
  f.on_live(event(8));
  CHECK(drain(f) == "8");
  CHECK(f.position() == cursor{1, 8});
}

TEST_CASE("follower: without a cursor it starts at the newest event", "[unit][bus]") {
  auto f = event_follower::of_everything(std::nullopt);
  CHECK_FALSE(f.position());
  f.on_head({1, 41});
  CHECK_FALSE(f.wants_replay());
  f.on_live(event(42));
  CHECK(drain(f) == "42");
}

TEST_CASE("follower: a hole is healed by replay and a duplicate is dropped", "[unit][bus]") {
  auto f = event_follower::of_everything(std::nullopt);
  f.on_head({1, 4});
  f.on_live(event(5));
  f.on_live(event(5));
  f.on_live(event(8));
  CHECK(f.wants_replay() == cursor{1, 5});
  f.on_page(page({event(6), event(7)}, 7, false));
  CHECK(f.wants_replay() == cursor{1, 7});
  f.on_page(page({event(8)}, 8));
  CHECK_FALSE(f.wants_replay());
  CHECK(drain(f) == "5 6 7 8");
}

TEST_CASE("follower: events lost at the tail show at the next synchronisation or silence", "[unit][bus]") {
  auto f = event_follower::of_everything(std::nullopt);
  f.on_head({1, 4});
  f.on_head({1, 6});
  CHECK(f.wants_replay() == cursor{1, 4});
  f.on_page(page({event(5), event(6)}, 6));
  f.on_quiet();
  CHECK(f.wants_replay() == cursor{1, 6});
  f.on_page(page({event(7)}, 7));
  CHECK(drain(f) == "5 6 7");
}

TEST_CASE("follower: trimmed history comes out as a gap, a hole in the history as well", "[unit][bus]") {
  auto f = event_follower::of_everything(cursor{1, 4});
  f.on_page({{event(10)}, event_gap{event_gap::why::trimmed, {1, 4}, {1, 9}}, {1, 10}, true});
  CHECK(drain(f) == "gap(1:4 1:9 trimmed) 10");
  f.on_live(event(12));
  f.on_page(page({event(12)}, 13));
  CHECK(drain(f) == "gap(1:10 1:11 missing) 12 gap(1:12 1:13 missing)");
}

TEST_CASE("follower: a new epoch is a gap, then delivered from its start, and stragglers change nothing",
          "[unit][bus]") {
  auto f = event_follower::of_everything(std::nullopt);
  f.on_head({1, 50});
  f.on_live(event(3, "server.a", 0, 2));
  REQUIRE(f.wants_replay() == cursor{1, 50});  // only the history knows whether it started over
  f.on_page({{}, {}, {2, 3}, true});
  CHECK(drain(f) == "gap(1:50 2:0 epoch)");
  REQUIRE(f.wants_replay() == cursor{2, 0});
  f.on_page({{event(1, "a", 0, 2), event(2, "a", 0, 2), event(3, "a", 0, 2)}, {}, {2, 3}, true});
  CHECK(drain(f) == "1 2 3");
  f.on_live(event(51));
  REQUIRE(f.wants_replay() == cursor{2, 3});
  f.on_page({{}, {}, {2, 3}, true});
  f.on_live(event(4, "a", 0, 2));
  CHECK(drain(f) == "4");
}

TEST_CASE("follower: a history that ends before the cursor was restored, and gives a gap", "[unit][bus]") {
  auto f = event_follower::of_everything(cursor{1, 100});
  f.on_page(page({}, 60));
  CHECK(drain(f) == "gap(1:100 1:60 epoch)");
  f.on_live(event(61));
  CHECK(drain(f) == "61");
}

TEST_CASE("follower: a filtered stream finds a hole by the subject's own numbers", "[unit][bus]") {
  auto f = event_follower::of_subjects(std::nullopt, subject_seq_of);
  f.on_head({1, 10});
  f.on_live(event(14, "server.new", 1));  // the first of its subject needs no proof
  CHECK_FALSE(f.wants_replay());
  f.on_live(event(20, "server.new", 2));
  CHECK_FALSE(f.wants_replay());
  f.on_live(event(30, "server.new", 4));
  REQUIRE(f.wants_replay() == cursor{1, 10});
  f.on_page(page(
      {event(14, "server.new", 1), event(20, "server.new", 2), event(25, "server.new", 3), event(30, "server.new", 4)},
      33));
  CHECK(drain(f) == "14 20 25 30");
  CHECK(f.position() == cursor{1, 33});
  f.on_live(event(40, "server.old", 7));  // never seen since the cursor: only the history knows
  CHECK(f.wants_replay() == cursor{1, 33});
  f.on_page(page({event(40, "server.old", 7)}, 40));
  CHECK(drain(f) == "40");
}

namespace {

// A publisher with a durable history, and a network that loses, doubles and delays.
struct world {
  std::vector<raw_event> history;  // of the current epoch
  std::map<std::string, uint64_t> subject_last;
  uint64_t epoch = 1, trimmed_through = 0;
  std::vector<std::vector<raw_event>> epochs{{}};

  raw_event publish(const std::string& topic) {
    history.push_back(event(history.size() + 1, topic, ++subject_last[topic], epoch));
    return history.back();
  }
  void new_epoch() {
    epochs.back() = history;
    epochs.emplace_back();
    history.clear();
    subject_last.clear();
    ++epoch;
    trimmed_through = 0;
  }
  replay_page replay(cursor after, const std::string& prefix, size_t page_max) const {
    replay_page p;
    p.through = {epoch, after.seq};
    if (after.epoch != epoch) return p.through = {epoch, history.size()}, p;
    if (after.seq < trimmed_through) {
      p.gap = event_gap{event_gap::why::trimmed, after, {epoch, trimmed_through}};
      p.through.seq = trimmed_through;
    }
    while (p.through.seq < history.size() && p.events.size() < page_max) {
      const auto& e = history[p.through.seq++];
      if (e.topic.starts_with(prefix)) p.events.push_back(e);
    }
    p.complete = p.through.seq == history.size();
    return p;
  }
};

// Every event of the final epoch either came out, in order, or is in a gap; nothing came out twice.
void check_told(const std::vector<follow_item>& items, const world& w, const std::string& prefix, bool filtered) {
  std::map<std::pair<uint64_t, uint64_t>, int> told;  // (epoch, seq) → times
  std::map<std::string, uint64_t> order;              // per subject, or of everything
  uint64_t epoch = 1;
  std::vector<event_gap> gaps;
  for (const auto& item : items) {
    if (auto* gap = std::get_if<event_gap>(&item)) {
      if (gap->reason == event_gap::why::epoch_changed) {
        RC_ASSERT(gap->through.epoch > epoch);
        epoch = gap->through.epoch;
        order.clear();
      }
      gaps.push_back(*gap);
      continue;
    }
    const auto& e = std::get<raw_event>(item);
    RC_ASSERT(e.at.epoch == epoch);
    auto& last = order[filtered ? e.topic : ""];
    RC_ASSERT(e.at.seq > last);
    last = e.at.seq;
    int times = ++told[{e.at.epoch, e.at.seq}];
    RC_ASSERT(times == 1);
    RC_ASSERT(e.topic.starts_with(prefix));
  }
  RC_ASSERT(epoch == w.epoch);
  for (const auto& e : w.history) {
    if (!e.topic.starts_with(prefix)) continue;
    bool excused = std::any_of(gaps.begin(), gaps.end(), [&](const event_gap& g) {
      return g.reason == event_gap::why::trimmed && g.through.epoch == w.epoch && e.at.seq > g.after.seq &&
             e.at.seq <= g.through.seq;
    });
    bool came = told.count({w.epoch, e.at.seq}) > 0;
    RC_ASSERT(came || excused);
  }
  for (const auto& g : gaps) RC_ASSERT(g.reason != event_gap::why::missing);  // this history has no holes
}

void lossy_run(bool filtered) {
  const std::string prefix = filtered ? "server." : "";
  world w;
  auto f = filtered ? event_follower::of_subjects(cursor{1, 0}, subject_seq_of)
                    : event_follower::of_everything(cursor{1, 0});
  std::vector<raw_event> network;
  std::vector<follow_item> items;
  auto take = [&] {
    while (auto item = f.pop()) items.push_back(std::move(*item));
  };
  const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 100));
  for (int step : steps) {
    auto pick = [&](size_t n) { return static_cast<size_t>(*rc::gen::inRange<int>(0, static_cast<int>(n))); };
    if (step < 45) {
      auto e = w.publish(*rc::gen::element<std::string>("server.a", "server.b", "server.c", "agent.x"));
      if (e.topic.starts_with(prefix)) network.push_back(e);
    } else if (step < 75 && !network.empty()) {  // arrives, mostly in order
      size_t i = step < 65 ? 0 : pick(network.size());
      auto e = network[i];
      if (step != 70) network.erase(network.begin() + static_cast<ptrdiff_t>(i));  // 70: doubled
      f.on_live(e);
    } else if (step < 82 && !network.empty()) {  // lost
      network.erase(network.begin() + static_cast<ptrdiff_t>(pick(network.size())));
    } else if (step < 92) {
      if (auto after = f.wants_replay()) f.on_page(w.replay(*after, prefix, 1 + pick(4)));
    } else if (step < 94) {
      w.trimmed_through = std::max<uint64_t>(w.trimmed_through, pick(w.history.size() + 1));
    } else if (step < 95) {
      w.new_epoch();
    } else if (step < 97) {
      f.on_head({w.epoch, w.history.size()});
    } else {
      f.on_quiet();
    }
    take();
  }
  f.on_head({w.epoch, w.history.size()});
  f.on_quiet();
  for (size_t asked = 0; auto after = f.wants_replay(); ++asked) {
    RC_ASSERT(asked <= w.history.size() + 4);  // it comes to an end
    f.on_page(w.replay(*after, prefix, 3));
  }
  take();
  check_told(items, w, prefix, filtered);
}

}  // namespace

TEST_CASE("follower: whatever is lost, doubled or late, the output is complete and in order or has a gap",
          "[unit][bus]") {
  REQUIRE(rc::check("everything", [] { lossy_run(false); }));
  REQUIRE(rc::check("filtered by subject", [] { lossy_run(true); }));
}

TEST_CASE("follower: a filtered stream of many events confirms its position now and then", "[unit][bus]") {
  auto f = event_follower::of_subjects(std::nullopt, subject_seq_of);
  f.on_head({1, 0});
  for (uint64_t i = 1; i <= event_follower::unconfirmed_max + 1; ++i) f.on_live(event(i, "server.a", i));
  REQUIRE(f.wants_replay() == cursor{1, 0});
  std::vector<raw_event> all;
  for (uint64_t i = 1; i <= event_follower::unconfirmed_max + 1; ++i) all.push_back(event(i, "server.a", i));
  f.on_page(page(all, all.size()));
  CHECK_FALSE(f.wants_replay());
  size_t n = 0;
  while (f.pop()) ++n;
  CHECK(n == all.size());
}
