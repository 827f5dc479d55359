#include "tests/sim/support/network.hpp"

#include "messages/wire/codec.hpp"

namespace zedops::sim {

using namespace msg;

template <class Message>
duration network::arrival(connection& c, direction d, const Message& what) {
  auto& last = c.last[static_cast<size_t>(d)];
  last = std::max(last, time_.now() + chance_.between(delay_min, delay_max));
  if (bytes_per_ms > 0) last += duration(pack(what).size() / bytes_per_ms);  // one after the other
  return last;
}

void network::carry(const std::string& wire, connection& c, uint64_t session, const to_agent& what) {
  time_.at(arrival(c, direction::to_agent, what), [this, wire, session, what] {
    auto i = wires_.find(wire);
    if (i != wires_.end()) i->second.who->receive(wire, session, what);
  });
}

void network::carry(const std::string& wire, connection& c, from_agent what) {
  const auto when = arrival(c, direction::to_manager, what);
  time_.at(when, [this, wire, what = std::move(what)] {
    if (up_ && wires_.contains(wire)) to_manager({wire, what});
  });
}

bool network::send(const std::string& wire, uint64_t session, const to_agent& what) {
  if (!up_) return false;
  if (on_send) on_send(wire, what);
  auto i = wires_.find(wire);
  if (i == wires_.end()) return false;
  if (held(i->second.who, direction::to_agent)) i->second.held_to_agent.emplace_back(session, what);
  else carry(wire, i->second, session, what);
  return true;
}

void network::manager_gone() {
  up_ = false;
  auto all = std::exchange(wires_, {});
  for (auto& [wire, c] : all)
    time_.in(chance_.between(duration{1}, duration{200}), [wire, who = c.who] { who->hung_up(wire); });
}

std::string network::dial(agent_end& who) {
  if (!up_) return {};
  auto wire = "a-wire-with-a-long-name-" + std::to_string(++dialled_);  // real routing ids live on the heap, too
  wires_[wire].who = &who;
  return wire;
}

void network::say(const std::string& wire, from_agent what) {
  auto i = wires_.find(wire);
  if (i == wires_.end()) return;
  auto& c = i->second;
  if (held(c.who, direction::to_manager)) {
    c.held_to_manager.push_back(std::move(what));
    return;
  }
  const bool report = std::holds_alternative<command_result>(what) || std::holds_alternative<command_progress>(what) ||
                      std::holds_alternative<observed>(what);
  if (report && chance_.per_mille(repeat_per_mille))
    time_.in(chance_.between(duration{50}, duration{3000}), [this, wire, what] {
      if (auto again = wires_.find(wire); again != wires_.end()) carry(wire, again->second, what);
    });
  carry(wire, c, std::move(what));
}

void network::hang_up(const std::string& wire) {
  auto i = wires_.find(wire);
  if (i == wires_.end()) return;
  auto* who = i->second.who;
  wires_.erase(i);
  time_.in(chance_.between(duration{1}, duration{100}), [who, wire] { who->hung_up(wire); });
  if (!silent_loss)
    time_.in(chance_.between(duration{1}, duration{100}), [this, wire] {
      if (up_) to_manager_lost({wire});
    });
}

void network::hold(agent_end& who, direction d) { held_[{&who, d}] = true; }

void network::release(agent_end& who, direction d) {
  held_.erase({&who, d});
  for (auto& [wire, c] : wires_) {
    if (c.who != &who) continue;
    if (d == direction::to_agent)
      for (auto& [session, m] : std::exchange(c.held_to_agent, {})) carry(wire, c, session, m);
    else
      for (auto& m : std::exchange(c.held_to_manager, {})) carry(wire, c, std::move(m));
  }
}

void network::release_all() {
  auto all = held_;
  for (auto& [key, yes] : all)
    for (auto& [wire, c] : wires_)
      if (c.who == key.first) {
        release(*c.who, key.second);
        break;
      }
  held_.clear();
}

}  // namespace zedops::sim
