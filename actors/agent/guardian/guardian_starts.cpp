// Judging an exit, and starting what is owed.
#include <fmt/format.h>

#include <algorithm>

#include "actors/agent/guardian/guardian.hpp"
#include "actors/core/guard/crash_guard.hpp"
#include "config/logging/logging.hpp"

namespace zedops::agent {

using namespace msg;
using config::log_event;

namespace {
constexpr duration at_once{1};  // of an incident: planned, and without a pause
}

void guardian::told(const server_id& server, incident_kind kind, const std::string& container,
                    const std::function<void(incident&)>& more) {
  incident i;
  i.server = server;
  i.kind = kind;
  i.container_id = container;
  i.at = p_.clock.wall();
  more(i);
  log_event(
      log_level::info, "server.incident",
      {{"server", server}, {"kind", kind}, {"exit_code", i.exit_code}, {"next_in", i.next_in}, {"detail", i.detail}});
  p_.state.add(std::move(i));
}

// To the disk first. If it refuses, owed starts are made all the same: a running server is worth more than a note.
void guardian::save(std::function<void()> then) {
  // The worker may still run this when the guardian is gone already: it touches the notes alone.
  p_.keeper.run([this, &notes = p_.state, post = p_.post, then = std::move(then)] {
    auto ok = notes.flush();
    post([this, then, ok = std::move(ok)] {
      if (!ok && !std::exchange(saving_failed_, true))
        log_event(log_level::error, "state.not-written", {{"error", ok.error().message}, {"hint", ok.error().hint}});
      if (ok) saving_failed_ = false;
      if (then) then();
      p_.on_news();
    });
  });
}

void guardian::tick() {
  if (p_.state.due()) save();
}

void guardian::judge(const observation& o, const guarded& g, occasion why) {
  const auto& v = o.view;
  const auto now = p_.clock.wall();
  auto& s = seen_[o.server];
  core::container_exit e{v.exit_code, core::exit_cause::by_itself, std::max(v.finished_at - v.started_at, duration{0}),
                         v.finished_at == never ? now : v.finished_at};
  if (asked_for(v.id)) {
    e.cause = core::exit_cause::asked_for;
    s.asked_at = p_.clock.steady();
  }
  auto starts = g.starts;
  const auto verdict = core::judge_exit(g.known.crash, starts, e);
  const bool again = verdict.what == core::crash_answer::start;
  s.alive.clear();
  p_.state.change(o.server, [&](guarded& x) {
    x.starts = starts;
    x.container_id = v.id;
    x.exit_at = v.finished_at;
    x.owed_at = again ? now + verdict.delay : never;
  });
  told(o.server, incident_kind::exited, v.id, [&](incident& i) {
    i.exit_code = v.exit_code;
    i.crashes = verdict.crashes;
    if (again) i.next_in = std::max(verdict.delay, at_once);
    i.at = e.at;
    if (e.cause == core::exit_cause::asked_for) i.detail = "stopped by hand on its host: it stays stopped";
    else if (again) i.detail = fmt::format("crash {} of at most {}", verdict.crashes, g.known.crash.restarts_max);
    else if (verdict.what == core::crash_answer::leave)
      i.detail = fmt::format("not restarted: its crash policy is {}", name_of(g.known.crash.policy));
    if (why == occasion::event) return;
    if (!i.detail.empty()) i.detail += "; ";
    i.detail += why == occasion::engine_return ? "it ended while the Docker Engine was away" : "noticed later";
  });
  if (verdict.what == core::crash_answer::give_up)
    told(o.server, incident_kind::gave_up, v.id, [&](incident& i) {
      i.exit_code = v.exit_code;
      i.crashes = verdict.crashes;
      i.detail = fmt::format("{} crashes within {}, the last with exit code {}", verdict.crashes,
                             format_duration(g.known.crash.window), v.exit_code);
    });
  save([this, again, id = o.server, delay = verdict.delay, why] {
    if (!again) return;
    const bool many = why == occasion::agent_start || why == occasion::engine_return;  // may lie there
    if (const auto noted = p_.state.find(id); many && noted) {
      enqueue(*noted, {});
      pump();
    } else {
      schedule(id, delay);
    }
  });
}

// The server did not end by itself: it is started without counting a crash.
void guardian::owe(const observation& o, const guarded& g, std::string turn) {
  p_.state.change(o.server, [&](guarded& x) {
    x.starts.clear();
    x.container_id = o.view.id;
    x.exit_at = o.view.finished_at;
    x.owed_at = p_.clock.wall();
  });
  enqueue(g, std::move(turn));
}

void guardian::enqueue(const guarded& g, std::string turn) {
  after_boot_.erase(g.known.id);
  seen_[g.known.id].turn = std::move(turn);
  queue_.add({g.known.id, g.known.data.name, g.known.priority});
}

void guardian::pump() {
  for (auto turns = queue_.startable(); !turns.empty(); turns = queue_.startable())
    for (auto& t : turns) {
      const auto g = p_.state.find(t.id);
      const auto& s = seen_[t.id];
      if (!g || !g->known.wanted_running || g->owed_at == never || s.starting || p_.busy(t.id) || !engine_ok_)
        queue_.done(t.id);
      else if (s.turn.empty()) start({t.id, g->container_id});
      else
        start({t.id, g->container_id, incident_kind::boot_started, incident_kind::boot_failed,
               fmt::format("{} of {} {}", t.number, t.of, s.turn)});
    }
}

void guardian::schedule(const server_id& server, duration delay) {
  const auto serial = ++serial_;
  seen_[server].timer = serial;
  p_.after(delay, [this, server, serial] { fire(server, serial); });
}

void guardian::cancel(const server_id& server) {
  if (auto s = seen_.find(server); s != seen_.end()) s->second.timer = 0;
  p_.state.change(server, [](guarded& g) { g.owed_at = never; });
}

void guardian::fire(const server_id& server, uint64_t serial) {
  auto s = seen_.find(server);
  if (s == seen_.end() || s->second.timer != serial) return;
  s->second.timer = 0;
  const auto g = p_.state.find(server);
  if (!g || !g->known.wanted_running || !restarts(*g) || g->owed_at == never) return;
  if (!engine_ok_ || s->second.starting || p_.busy(server)) return;  // the next inventory, or the command, sees to it
  start({server, g->container_id});
}

void guardian::start(attempt a) {
  seen_[a.server].starting = true;
  p_.hold(a.server);
  p_.engine.start_container(a.container, {start_deadline}, [this, a, post = p_.post](result<docker::effect> r) {
    post([this, a, r = std::move(r)] { on_started(a, r); });
  });
}

void guardian::on_started(const attempt& a, const result<docker::effect>& r) {
  auto& s = seen_[a.server];
  s.starting = false;
  const auto later = std::exchange(s.later, std::nullopt);
  if (queue_.contains(a.server))
    p_.after(r ? boot_settle : duration{0}, [this, id = a.server] {
      queue_.done(id);
      pump();
    });
  if (r) {
    p_.state.change(a.server, [](guarded& g) { g.owed_at = never; });
    if (*r == docker::effect::done)  // else it was running already
      told(a.server, a.succeeded, a.container, [&](incident& i) { i.detail = a.which; });
  } else if (const auto g = p_.state.find(a.server); g && engine_ok_) {
    start_failed(a, *g, r.error());
  }
  save();
  p_.release(a.server);
  if (later) consider(*later, occasion::event);
}

void guardian::start_failed(const attempt& a, const guarded& g, const error& why) {
  auto starts = g.starts;
  const auto now = p_.clock.wall();
  auto verdict = core::judge_failed_start(g.known.crash, starts, now);
  if (why.code == ec::not_found) verdict = {};  // there is no container to start any more
  const bool again = verdict.what == core::crash_answer::start;
  p_.state.change(a.server, [&](guarded& x) {
    x.starts = starts;
    x.owed_at = again ? now + verdict.delay : never;
  });
  told(a.server, a.failed, a.container, [&](incident& i) {
    i.crashes = verdict.crashes;
    if (again) i.next_in = std::max(verdict.delay, at_once);
    i.detail = (a.which.empty() ? "" : a.which + ": ") + why.message;
  });
  if (verdict.what == core::crash_answer::give_up)
    told(a.server, incident_kind::gave_up, a.container, [&](incident& i) {
      i.crashes = verdict.crashes;
      i.detail = fmt::format("{} failures within {}, the last: {}", verdict.crashes,
                             format_duration(g.known.crash.window), why.message);
    });
  if (again) schedule(a.server, verdict.delay);
}

}  // namespace zedops::agent
