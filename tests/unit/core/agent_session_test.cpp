// The session of an agent: a table of states and inputs, and what holds in every order of messages, commits and ticks.
#include "actors/core/agent/agent_session.hpp"

#include <rapidcheck.h>

#include <map>
#include <set>

#include "actors/core/overload.hpp"
#include "tests/support/catch.hpp"

using namespace zedops::core;
using namespace zedops::msg;
using namespace std::chrono_literals;

namespace {

const steady_time start{1h};

hello hello_of(std::string instance, uint64_t greeting = 1, bool engine_ok = true) {
  hello h;
  h.name = "alpha";
  h.hostname = "host of " + instance;
  h.instance = std::move(instance);
  h.greeting = greeting;
  h.engine_ok = engine_ok;
  return h;
}

// What the shell does around the state machine: commits that take as long as the test wants.
struct door {
  agent_session session{start};
  session_context cx{start, {}, 7, agent_status::unreachable, true};
  std::optional<session_effect> commit;  // on its way
  std::vector<session_effect> last;

  const std::vector<session_effect>& give(session_input in) {
    last = session.take(std::move(in), cx);
    for (const auto& e : last)
      if (std::holds_alternative<write_arrival>(e) || std::holds_alternative<write_lost>(e) ||
          std::holds_alternative<write_suspected>(e)) {
        REQUIRE_FALSE(commit);  // one at a time
        commit = e;
      }
    return last;
  }
  template <class E>
  const E* effect() const {
    for (const auto& e : last)
      if (const auto* x = std::get_if<E>(&e)) return x;
    return nullptr;
  }
  void durable(bool ok = true) {
    REQUIRE(commit);
    const auto what = *std::exchange(commit, std::nullopt);
    if (ok)
      std::visit(overload{[&](const write_arrival& a) {
                            cx.status = agent_status::online;
                            cx.engine_ok = a.greeting.engine_ok;
                          },
                          [&](const write_suspected&) { cx.status = agent_status::suspect; },
                          [&](const write_lost&) { cx.status = agent_status::unreachable; }, [](const auto&) {}},
                 what);
    give(written{ok});
  }
  void wait(std::chrono::milliseconds d) {  // with the ticks of that time
    for (const auto end = cx.now + d; cx.now < end;) {
      cx.now = std::min<steady_time>(end, cx.now + 1s);
      give(beat{});
    }
  }
  void live(std::string routing_id = "r1", std::string instance = "i1") {
    give(greeted{std::move(routing_id), hello_of(std::move(instance))});
    durable();
    REQUIRE(session.online());
    REQUIRE(effect<send_welcome>());
  }
};

std::string text_of(const session_effect& e) {
  return std::visit(overload{
                        [](const write_arrival&) { return "write arrival"; },
                        [](const write_suspected&) { return "write suspected"; },
                        [](const write_lost&) { return "write lost"; },
                        [](const send_welcome&) { return "welcome"; },
                        [](const session_begun&) { return "begun"; },
                        [](const session_over&) { return "over"; },
                        [](const send_ping&) { return "ping"; },
                        [](const refuse_rival&) { return "refuse"; },
                        [](const send_goodbye&) { return "goodbye"; },
                    },
                    e);
}
std::string text_of(const std::vector<session_effect>& all) {
  std::string out;
  for (const auto& e : all) out += (out.empty() ? "" : ", ") + std::string(text_of(e));
  return out;
}

// The states of the diagram, each reached by the shortest way.
door in_state(const std::string& name) {
  door d;
  if (name == "away") return d;
  if (name == "entering") {
    d.give(greeted{"r1", hello_of("i1")});
    return d;
  }
  d.live();
  if (name == "offline") d.give(hung_up{"r1"});
  if (name == "challenged") d.give(greeted{"r2", hello_of("i2")});
  if (name == "suspect") {
    d.wait(2s);
    d.durable();
  }
  if (name == "over") {
    d.give(left{"r1"});
    d.durable();
  }
  return d;
}

}  // namespace

TEST_CASE("session: every state handles every message", "[unit][core][acc-18][acc-34]") {
  const std::vector<std::pair<std::string, session_input>> words = {
      {"hello of the same", greeted{"r1", hello_of("i1")}},
      {"hello of the same, anew", greeted{"r1", hello_of("i1", 2)}},
      {"hello of the same, on another connection", greeted{"r9", hello_of("i1", 2)}},
      {"hello of another", greeted{"r2", hello_of("i2")}},
      {"word", spoke{"r1", 0, std::nullopt}},
      {"answer to the newest ping", spoke{"r1", 99, true}},
      {"word of a stranger", spoke{"r7", 0, std::nullopt}},
      {"goodbye", left{"r1"}},
      {"decline", declined{"r1", (uint64_t{7} << 24) + 1}},
      {"decline of an earlier session", declined{"r1", 1}},
      {"end of the connection", hung_up{"r1"}},
      {"end of the rival's connection", hung_up{"r2"}},
      {"tick", beat{}},
  };
  const std::map<std::string, std::vector<std::string>> table = {
      {"away",
       {"write arrival", "write arrival", "write arrival", "write arrival", "goodbye", "goodbye", "goodbye", "", "", "",
        "", "", ""}},
      {"entering", {"", "", "", "", "", "", "goodbye", "", "", "", "", "", ""}},
      {"live",
       {"", "write arrival", "write arrival", "ping", "", "", "goodbye", "over, write lost", "over, write lost", "", "",
        "", ""}},
      {"offline",
       {"write arrival", "write arrival", "write arrival", "write arrival", "goodbye", "goodbye", "goodbye", "", "", "",
        "", "", ""}},
      {"challenged",
       {"", "write arrival", "write arrival", "", "", "refuse", "goodbye", "over, write arrival", "over, write arrival",
        "", "write arrival", "", "ping"}},
      {"suspect",
       {"write arrival", "write arrival", "write arrival", "write arrival", "write arrival", "write arrival", "goodbye",
        "over, write lost", "over, write lost", "", "", "", "ping"}},
      {"over",
       {"write arrival", "write arrival", "write arrival", "write arrival", "goodbye", "goodbye", "goodbye", "", "", "",
        "", "", ""}},
  };
  for (const auto& [state, answers] : table) {
    REQUIRE(answers.size() == words.size());
    for (size_t i = 0; i < words.size(); ++i) {
      auto d = in_state(state);
      INFO(state << " + " << words[i].first);
      CHECK(text_of(d.give(words[i].second)) == answers[i]);
    }
  }
}

TEST_CASE("session: an agent whose arrival takes long to commit is not lost meanwhile", "[unit][core][acc-34]") {
  door d;
  d.live();
  d.wait(1900ms);
  d.give(greeted{"r2", hello_of("i1", 2)});  // it was restarted, or dialled again
  d.wait(5s);                                // the disk is slow
  REQUIRE(d.commit);
  CHECK(std::holds_alternative<write_arrival>(*d.commit));
  d.durable();
  CHECK(d.session.online());
  CHECK(d.cx.status == agent_status::online);
  CHECK_FALSE(d.commit);
}

TEST_CASE("session: whatever the record says, an agent that sends messages is shown as online",
          "[unit][core][acc-34]") {
  for (const auto wrong : {agent_status::unreachable, agent_status::suspect, agent_status::pending}) {
    door d;
    d.live();
    d.cx.status = wrong;
    d.give(spoke{"r1", 0, std::nullopt});
    REQUIRE(d.commit);
    for (int i = 0; i < 100; ++i) CHECK(text_of(d.give(spoke{"r1", 0, std::nullopt})).empty());  // only once
    d.durable();
    CHECK(d.cx.status == agent_status::online);
  }
}

TEST_CASE("session: a repeated hello of a live agent begins no new session, and is welcomed again", "[unit][core]") {
  door d;
  d.live();
  size_t welcomes = 0;
  for (int i = 0; i < 30; ++i) {
    d.wait(1s);
    d.give(greeted{"r1", hello_of("i1")});
    CHECK_FALSE(d.commit);
    welcomes += d.effect<send_welcome>() ? 1 : 0;
  }
  CHECK(welcomes == 6);
  CHECK(d.session.online()->number == (uint64_t{7} << 24) + 1);
}

TEST_CASE("session: an agent that sends messages is pinged every third beat, one that falls silent at once",
          "[unit][core][acc-34]") {
  door d;
  d.live();
  std::string pings;
  for (int i = 0; i < 9; ++i) {
    d.cx.now += 1s;
    d.give(spoke{"r1", 0, true});
    d.give(beat{});
    pings += d.effect<send_ping>() ? '!' : '.';
  }
  CHECK(pings == "..!..!..!");
  d.cx.now += 1s;
  d.give(beat{});
  d.cx.now += 1s;
  d.give(beat{});
  CHECK(d.effect<send_ping>());
}

TEST_CASE("session: a late tick does not count as silence of the agent", "[unit][core][acc-34]") {
  door d;
  d.live();
  d.cx.now += 30s;  // the manager was held up
  d.give(beat{});
  CHECK(d.session.online());
  CHECK_FALSE(d.commit);
  d.wait(4s);  // now it listens, and nothing arrives
  CHECK_FALSE(d.session.online());
}

TEST_CASE("session: a rival is refused for good only by an answer to a ping, not by a dead agent's last message",
          "[unit][core][acc-18][fc-41]") {
  door d;
  d.live();
  d.give(greeted{"r2", hello_of("i2")});
  const auto nonce = d.effect<send_ping>()->nonce;
  d.give(spoke{"r1", 0, true});
  CHECK_FALSE(d.effect<refuse_rival>());
  d.give(spoke{"r1", nonce - 1, true});
  CHECK_FALSE(d.effect<refuse_rival>());
  SECTION("the first one lives") {
    d.give(spoke{"r1", nonce, true});
    REQUIRE(d.effect<refuse_rival>());
    CHECK(d.effect<refuse_rival>()->routing_id == "r2");
    CHECK_FALSE(d.session.challenged());
  }
  SECTION("it was its last message") {
    d.wait(3s);
    if (d.commit) d.durable();
    if (d.commit) d.durable();
    REQUIRE(d.session.online());
    CHECK(d.session.online()->greeting.instance == "i2");
    CHECK(d.cx.status == agent_status::online);
  }
}

TEST_CASE("session: a commit that fails is tried again with the next tick, not at once", "[unit][core]") {
  door d;
  d.live();
  d.wait(2s);
  d.durable(false);
  CHECK_FALSE(d.commit);
  d.give(spoke{"r9", 0, std::nullopt});
  CHECK_FALSE(d.commit);
  d.wait(100ms);
  CHECK(d.commit);
}

TEST_CASE("session: agents of the last run that stay away become unreachable", "[unit][core]") {
  door d;
  d.cx.status = agent_status::online;
  d.wait(2900ms);
  CHECK_FALSE(d.commit);
  d.wait(1s);
  REQUIRE(d.commit);
  CHECK(std::holds_alternative<write_lost>(*d.commit));
}

TEST_CASE("session: in every order, the record becomes true in the end", "[unit][core][property]") {
  CHECK(rc::check("in every order, the record becomes true in the end", [] {
    door d;
    d.cx.status = *rc::gen::element(agent_status::online, agent_status::suspect, agent_status::unreachable);
    std::set<uint64_t> sessions;
    const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 100));
    for (int n : steps) {
      const auto routing = "r" + std::to_string(n % 3), instance = "i" + std::to_string(n % 2);
      if (n < 25) d.give(greeted{routing, hello_of(instance, static_cast<uint64_t>(n % 4))});
      else if (n < 45) d.give(spoke{routing, static_cast<uint64_t>(n % 7), n % 5 != 0});
      else if (n < 50) d.give(hung_up{routing});
      else if (n < 53) d.give(left{routing});
      else if (n < 56) d.give(declined{routing, (uint64_t{7} << 24) + static_cast<uint64_t>(n % 4)});
      else if (n < 75) d.wait(std::chrono::milliseconds(n * 20));
      else if (d.commit) d.durable(n % 6 != 0);
      for (const auto& e : d.last)
        if (const auto* w = std::get_if<send_welcome>(&e)) sessions.insert(w->session);
      const auto* live = d.session.online();
      const bool numbered = !live || live->number != 0;
      RC_ASSERT(numbered);
    }
    // Left alone with an agent that answers, or with none: the record is true.
    const bool there = *rc::gen::arbitrary<bool>();
    for (int i = 0; i < 12; ++i) {
      while (d.commit) d.durable();
      if (there) {
        const auto* live = d.session.online();
        if (live && live->routing_id == "r1" && live->greeting.instance == "i1") d.give(spoke{"r1", 1'000'000, true});
        else d.give(greeted{"r1", hello_of("i1", 50)});
      }
      while (d.commit) d.durable();
      d.wait(1s);
    }
    while (d.commit) d.durable();
    const bool online = d.session.online() != nullptr;
    RC_ASSERT(online == there);
    RC_ASSERT(d.cx.status == (there ? agent_status::online : agent_status::unreachable));
  }));
}
