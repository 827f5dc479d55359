// Random lives: what holds after every step of any history, with an agent that says whatever it likes.
#include <rapidcheck.h>

#include "actors/core/explain/explain.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/core/support/rules.hpp"

using namespace zedops::core;
using namespace zedops::core::testing;

namespace {

// Small choices out of one random number, so that a failing history shrinks to few and small numbers.
struct dice {
  uint64_t left;
  uint64_t roll(uint64_t sides) {
    const auto out = left % sides;
    left /= sides;
    return out;
  }
};

observation any_observation(dice& x) {
  auto o = could_not_look();
  o.data = static_cast<data_state>(x.roll(4));
  o.container = static_cast<presence>(x.roll(3));
  if (o.container == presence::present) {
    o.view.state = static_cast<container_state>(x.roll(7));
    o.view.id = x.roll(2) ? "c0ffee" : "decade";
    o.view.exit_code = x.roll(2) ? 137 : 0;
    o.view.restarts = x.roll(2);
  }
  if (x.roll(4) == 0) o.drift = "renamed";
  return o;
}

server_request any_request(dice& x) {
  switch (static_cast<op_kind>(x.roll(12))) {
    case op_kind::create: return create_server{};
    case op_kind::start: return start_server{"", x.roll(2) == 1};
    case op_kind::stop: return stop_server{};
    case op_kind::restart: return restart_server{};
    case op_kind::rebuild: return rebuild_server{};
    case op_kind::recreate: return recreate_server{"", x.roll(2) == 1};
    case op_kind::edit: {
      edit_server e;
      e.config["KEY"] = std::to_string(x.roll(3));
      if (x.roll(2)) e.recovery = static_cast<recovery_policy>(x.roll(2));
      if (x.roll(2)) e.crash = static_cast<crash_policy>(x.roll(4));
      return e;
    }
    case op_kind::remove: return remove_server{};
    case op_kind::restore: return restore_server{"", x.roll(2) == 1};
    case op_kind::move: return move_server{"", x.roll(2) ? "/mnt/one" : "/mnt/two"};
    case op_kind::adopt: return adopt_server{};
    case op_kind::purge:
    case op_kind::create_project:
    case op_kind::edit_project:
    case op_kind::remove_project:
    case op_kind::create_service:
    case op_kind::edit_service:
    case op_kind::remove_service:
    case op_kind::deploy:
    case op_kind::start_service:
    case op_kind::stop_service:
    case op_kind::rollback: break;  // of no server
  }
  return purge_server{"", x.roll(4) != 0, x.roll(2) == 0, x.roll(2) == 0};
}

error any_trouble(dice& x) {
  constexpr std::array codes = {ec::engine_error, ec::no_data, ec::data_unknown, ec::timeout, ec::port_conflict};
  return trouble(codes[x.roll(codes.size())]);
}

input any_input(const fixture& fixture, dice x, uint64_t number) {
  const operation_id named = fixture.s.op && x.roll(5) ? fixture.s.op->id : operation_id{"o-of-the-past"};
  const request_info who{{"o" + std::to_string(number)}, "ann", {}, number};
  switch (x.roll(13)) {
    case 0:
    case 1:
    case 2: return requested{any_request(x), who};
    case 3:
    case 4: return reported{result_of(named, any_observation(x))};
    case 5: {
      auto after = any_observation(x);
      return reported{result_of(named, std::move(after), any_trouble(x))};
    }
    case 6: {
      command_progress p;
      p.op = named;
      p.step = x.roll(2) ? "pulling" : "starting";
      p.progress = static_cast<uint32_t>(x.roll(130));
      return progressed{p};
    }
    case 7:
    case 8: return seen{any_observation(x), cause_kind::sync, {}};
    case 9: return unseen{any_trouble(x)};
    case 10: return cancel_requested{named, "ann"};
    case 11: {
      incident i;
      i.seq = x.roll(20);
      i.kind = static_cast<incident_kind>(x.roll(6));
      return acted{{i}};
    }
    default: return agent_ready{};
  }
}

// Does one step and checks it; the time before it passes with a tick, as the shell would give it.
std::optional<std::string> live(fixture& fixture, uint64_t number, uint64_t word) {
  dice x{word};
  constexpr std::array<duration, 8> pauses = {0s, 0s, 1s, 1min, 3min, 20min, 25h, 8 * 24h};
  fixture.cx.now += pauses[x.roll(pauses.size())];
  if (x.roll(6) == 0) fixture.cx.agent_online = !fixture.cx.agent_online;
  for (const auto& in : {input{tick{}}, any_input(fixture, x, number)}) {
    const auto before = fixture.s;
    const auto d = fixture.give(in);
    auto broken = broken_rule({before, in, fixture.cx, d, fixture.s});
    if (!broken) broken = broken_life_rule(fixture.s);
    if (broken) return *broken + ": " + text_of(before, in);
  }
  return std::nullopt;
}

std::vector<uint64_t> any_words() {
  return *rc::gen::resize(120, rc::gen::container<std::vector<uint64_t>>(
                                   rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<uint64_t>())));
}

}  // namespace

TEST_CASE("server machine: no history breaks a rule",
          "[unit][core][acc-6][acc-9][acc-28][acc-30][acc-39][acc-51][acc-62][fc-10][fc-13][fc-26]") {
  REQUIRE(rc::check("every step of every life keeps the rules", [] {
    auto x = created_server();
    uint64_t number = 100;
    for (auto word : any_words()) {
      if (auto broken = live(x, ++number, word)) RC_FAIL(*broken);
      if (x.s.status == server_status::purged) break;
    }
  }));
}

TEST_CASE("server machine: the record is the fold of its log", "[unit][core][acc-9][acc-27]") {
  REQUIRE(rc::check("replaying the log from a blank record gives the record; events are consecutive per subject", [] {
    auto x = created_server();
    uint64_t number = 100;
    for (auto word : any_words()) (void)live(x, ++number, word);

    server again;
    std::map<std::string, uint64_t> last;
    uint64_t head = 0;
    for (const auto& entry : x.log) {
      // Through the stored bytes, so that nothing is in memory only.
      const auto stored = unpack<log_entry>(pack(entry));
      RC_ASSERT(stored.has_value());
      RC_ASSERT(stored->prev == head);
      head = stored->first_seq;
      for (const auto& n : stored->facts) RC_ASSERT(n.subject_seq == ++last[n.subject]);
      apply(again, *stored);
    }
    RC_ASSERT(again == x.s);
    RC_ASSERT(again.revision <= x.log.size());
  }));
}

TEST_CASE("server machine: its state at any time is the fold of its log up to that time", "[unit][core]") {
  REQUIRE(rc::check("what --at shows is the state at that time", [] {
    auto x = created_server();
    uint64_t number = 100;
    std::map<time_point, server> then{{x.cx.now, x.s}};  // the last state at each time
    for (auto word : any_words()) {
      (void)live(x, ++number, word);
      then[x.cx.now] = x.s;
    }
    server folded;
    auto entry = x.log.begin();
    for (const auto& [time, snapshot] : then) {
      for (; entry != x.log.end() && entry->time <= time; ++entry) apply(folded, *entry);
      RC_ASSERT(folded == snapshot);
    }
    RC_ASSERT(entry == x.log.end());
  }));
}

TEST_CASE("explain: every moment of every life has its summary, bounded and without secrets", "[unit][core]") {
  REQUIRE(rc::check("the sentence names server and state", [] {
    auto x = created_server();
    uint64_t number = 100;
    for (auto word : any_words()) {
      (void)live(x, ++number, word);
      const auto e = explain({x.s, x.log, nullptr, {}, x.cx.now});
      RC_ASSERT(e.summary.starts_with("pz-one is " + std::string(name_of(x.s.status))));
      RC_ASSERT(e.past.size() <= explain_lines_max);
      RC_ASSERT(!e.past.empty());
      std::string all = e.summary;
      for (const auto& lines : {e.past, e.next})
        for (const auto& l : lines) all += l.text;
      RC_ASSERT(all.find(x.s.env.at("RCON_PASSWORD")) == std::string::npos);
      RC_ASSERT(e.summary.find("do not show why") == std::string::npos);
      if (x.s.op) RC_ASSERT(!e.next.empty());
    }
  }));
}

TEST_CASE("server machine: every operation ends exactly once", "[unit][core][acc-9][fc-10]") {
  REQUIRE(rc::check("after the deadlines have passed nothing is open, and each accepted operation has one end", [] {
    auto x = created_server();
    uint64_t number = 100;
    for (auto word : any_words()) (void)live(x, ++number, word);
    x.cx.agent_online = false;  // no agent answers any more
    // Twice: an operation whose agent was lost after it was sent waits for it once more.
    for (int i = 0; i < 2 && x.s.op; ++i) x.wait(waiting_max + 1h);
    RC_ASSERT(!x.s.op);
    std::map<std::string, int> accepted, ends;
    for (const auto& entry : x.log)
      for (const auto& n : entry.facts) {
        if (const auto* a = std::get_if<operation_accepted>(&n.what)) ++accepted[a->op->id.value];
        if (const auto* e = std::get_if<operation_ended>(&n.what)) ++ends[e->id.value];
      }
    RC_ASSERT(accepted == ends);
    for (const auto& [id, times] : accepted) RC_ASSERT(times == 1);
  }));
}

TEST_CASE("server machine: with a truthful agent every life settles", "[unit][core][acc-48][acc-51][acc-55]") {
  REQUIRE(rc::check("an agent that answers truthfully leaves nothing open and nothing owed", [] {
    auto x = created_server();
    uint64_t number = 100;
    for (auto word : any_words()) (void)live(x, ++number, word);
    if (x.s.status == server_status::purged) return;
    x.agent_back();
    const auto truth = [&] {  // what a healthy host shows for the status it has reached
      const bool embodied = x.s.status == server_status::running || x.s.status == server_status::stopped;
      if (!embodied) return saw_nothing();
      return saw(x.s.status == server_status::running ? container_state::running : container_state::exited);
    };
    for (int round = 0; round < 8; ++round) {
      x.cx.now += 10min;
      x.give(tick{});
      if (x.s.op) x.finish(truth());
      if (x.s.status == server_status::purged) return;
      x.see(truth());
    }
    RC_ASSERT(!x.s.stale);
    RC_ASSERT(x.s.status != server_status::creating && x.s.status != server_status::deleting);
  }));
}
