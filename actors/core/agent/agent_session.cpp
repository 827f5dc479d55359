#include "actors/core/agent/agent_session.hpp"

#include <algorithm>

namespace zedops::core {

using namespace msg;

std::vector<session_effect> agent_session::take(session_input in, const session_context& cx) {
  effects out;
  std::visit([&](auto& what) { on(what, cx, out); }, in);
  align(cx, out);
  return out;
}

void agent_session::on(greeted& in, const session_context& cx, effects& out) {
  if (entering_) return;  // it repeats itself
  auto& h = in.greeting;
  if (!live_) return enter(std::move(in.routing_id), std::move(h), cx, out);
  if (live_->greeting.instance == h.instance) {
    const bool repeats = live_->routing_id == in.routing_id && live_->greeting.greeting == h.greeting;
    if (!repeats) return enter(std::move(in.routing_id), std::move(h), cx, out);
    heard_ = cx.now;  // alive, and its welcome on the way
    if (cx.now - welcomed_ < welcome_again) return;
    welcomed_ = cx.now;
    out.emplace_back(send_welcome{live_->routing_id, live_->number});
    return;
  }
  if (!online() || silent(cx.now) >= cx.rules.suspect_after)
    return enter(std::move(in.routing_id), std::move(h), cx, out);
  if (rival_ && rival_->routing_id == in.routing_id) return;
  ping(out);  // the live one answers, or its connection turns out to be gone
  rival_ = rival{std::move(in.routing_id), std::move(h), nonce_};
}

void agent_session::on(spoke& in, const session_context& cx, effects& out) {
  if (!live_ || live_->routing_id != in.routing_id) {
    if (entering_ && entering_->routing_id == in.routing_id) return;
    if (cx.now - goodbye_ < goodbye_pause) return;
    goodbye_ = cx.now;
    out.emplace_back(send_goodbye{std::move(in.routing_id)});  // so that it says hello at once
    return;
  }
  heard_ = cx.now;
  if (in.engine_ok) {
    live_->greeting.engine_ok = *in.engine_ok;
    live_->greeting.engine_problem = std::move(in.engine_problem);
  }
  // A last message of a process that has died since proves nothing; an answer to a ping sent after it does.
  if (rival_ && in.nonce >= rival_->nonce) {
    out.emplace_back(refuse_rival{rival_->routing_id, std::move(rival_->greeting)});
    rival_.reset();
  }
}

void agent_session::on(left& in, const session_context& cx, effects& out) {
  if (live_ && live_->routing_id == in.routing_id) end("agent.goodbye", cx, out);
}

void agent_session::on(declined& in, const session_context& cx, effects& out) {
  if (live_ && live_->routing_id == in.routing_id && live_->number == in.session) end("agent.declined", cx, out);
}

void agent_session::on(hung_up& in, const session_context& cx, effects& out) {
  if (rival_ && rival_->routing_id == in.routing_id) rival_.reset();
  if (entering_ && entering_->routing_id == in.routing_id) entering_->routing_id.clear();
  if (!live_ || live_->routing_id != in.routing_id) return;
  live_->routing_id.clear();
  if (rival_) enter(std::move(rival_->routing_id), std::move(rival_->greeting), cx, out);
}

void agent_session::on(written& in, const session_context& cx, effects& out) {
  writing_ = false;
  stalled_ = !in.ok;
  if (!entering_ || entering_->number == 0) return;
  auto next = std::move(*entering_);
  entering_.reset();
  if (!in.ok) return;  // the journal could not commit: the agent says hello again
  live_ = std::move(next);
  over_ = false;
  heard_ = welcomed_ = cx.now;
  out.emplace_back(session_begun{});
  if (online()) out.emplace_back(send_welcome{live_->routing_id, live_->number});
}

void agent_session::on(beat&, const session_context& cx, effects& out) {
  // Its messages of that time may be queued behind this tick.
  const auto late = cx.now - beat_ - cx.rules.ping_interval;
  beat_ = cx.now;
  stalled_ = false;
  if (late > cx.rules.ping_interval) heard_ = std::min(cx.now, heard_ + late);
  if (!live_ || entering_) return;
  // Its own heartbeats show that it lives; our pings show it that we do, and test one that has fallen silent.
  const bool quiet = 2 * silent(cx.now) >= 3 * cx.rules.ping_interval;
  if (online() && (quiet || rival_ || ++unpinged_ >= beats_per_ping)) ping(out);
  if (judge(cx.rules, silent(cx.now)) == agent_status::unreachable) end("agent.unreachable", cx, out);
}

void agent_session::ping(effects& out) {
  unpinged_ = 0;
  out.emplace_back(send_ping{live_->routing_id, live_->number, ++nonce_});
}

void agent_session::enter(std::string routing_id, hello h, const session_context& cx, effects& out) {
  rival_.reset();
  // A commit in progress comes first; number zero: the commit of this one has not been sent yet.
  entering_ = member{std::move(routing_id), std::move(h), 0};
  align(cx, out);
}

void agent_session::end(std::string_view why, const session_context& cx, effects& out) {
  live_.reset();
  over_ = true;
  out.emplace_back(session_over{why});
  if (rival_ && !entering_) enter(std::move(rival_->routing_id), std::move(rival_->greeting), cx, out);
}

void agent_session::align(const session_context& cx, effects& out) {
  if (writing_ || stalled_) return;
  if (entering_) {
    if (entering_->number != 0) return;
    entering_->number = (cx.term << 24) + ++sessions_;
    writing_ = true;
    out.emplace_back(write_arrival{entering_->greeting});
    return;
  }
  if (!cx.status || *cx.status == agent_status::revoked) return;
  const auto quiet = silent(cx.now);
  if (!live_) {
    const bool believed = *cx.status == agent_status::online || *cx.status == agent_status::suspect;
    if (!believed || !(over_ || quiet >= cx.rules.unreachable_after)) return;
    writing_ = true;
    out.emplace_back(write_lost{quiet});
    return;
  }
  const bool speaks = judge(cx.rules, quiet) == agent_status::online;
  const auto& said = live_->greeting;
  const bool news = cx.engine_ok != said.engine_ok || cx.engine_problem != said.engine_problem;
  if (speaks && (*cx.status != agent_status::online || news)) {
    writing_ = true;
    out.emplace_back(write_arrival{live_->greeting});
  } else if (!speaks && *cx.status == agent_status::online) {
    writing_ = true;
    out.emplace_back(write_suspected{quiet});
  }
}

}  // namespace zedops::core
