#include "actors/core/server/observe.hpp"

namespace zedops::core {

using namespace msg;

server_status status_seen(const server& s, const observation& o) {
  const auto now = s.status;
  if (now == server_status::purged) return now;
  switch (o.container) {
    case presence::unknown: return now;
    case presence::absent:
      // A failed server keeps its reason: it never had a container that could be missed.
      if (now == server_status::running || now == server_status::stopped) return server_status::missing;
      return now;
    case presence::present: break;
  }
  switch (o.view.state) {
    case container_state::running:
    case container_state::paused:      // frozen, but alive: the Engine's word is shown beside the status
    case container_state::restarting:  // the Engine is starting it; the restart count shows a loop
      return server_status::running;
    case container_state::created:
    case container_state::exited:
    case container_state::dead: return now == server_status::failed && !s.has_run ? now : server_status::stopped;
    case container_state::removing: return now;  // in progress: the next look shows the result
  }
  return now;
}

server_observed as_known(const server& s) {
  server_observed f;
  f.container = s.container;
  f.health = s.health;
  f.exit_code = s.exit_code;
  f.restarts = s.restarts;
  f.data = s.data;
  f.data_bytes = s.data_bytes;
  f.stale = s.stale;
  f.observed_at = s.observed_at;
  f.image = s.container_image;
  f.started_at = s.started_at;
  f.data_problem = s.data_problem;
  return f;
}

namespace {

std::string drift_text(const observation& o) {
  std::string out = o.drift;
  if (!o.rivals.empty()) {
    if (!out.empty()) out += "; ";
    const bool one_is_it = o.container == presence::present;
    out += one_is_it ? "more than one container claims this server: " + o.view.id.substr(0, 12)
                     : "a container has the labels of this server from its image:";
    for (size_t i = 0; i < o.rivals.size(); ++i) out += (i > 0 || one_is_it ? ", " : " ") + o.rivals[i].substr(0, 12);
  }
  return out;
}

server_observed observed_now(const server& s, const observation& o) {
  auto f = as_known(s);
  if (o.container == presence::present) {
    f.container = o.view.state;
    f.health = o.view.health;
    f.exit_code = o.view.exit_code;
    f.restarts = o.view.restarts;
    f.image = o.view.image;
    f.started_at = o.view.started_at;
    if (o.view.state == container_state::exited || o.view.state == container_state::dead)
      f.finished_at = o.view.finished_at;
  } else if (o.container == presence::absent) {
    f.container.reset();
    f.health = health_state::none;
    f.restarts = 0;
    f.image.clear();
    f.started_at = never;
  }
  // What could not be looked at keeps its last known state and is marked stale: an error is never an observation.
  f.data = o.data == data_state::unknown ? s.data : o.data;
  f.data_bytes = o.data_bytes ? o.data_bytes : (f.data == s.data ? s.data_bytes : std::nullopt);
  f.stale = o.data == data_state::unknown || o.container == presence::unknown;
  f.data_problem = o.data == data_state::unknown ? o.data_problem.substr(0, problem_bytes_max) : std::string{};
  f.observed_at = o.observed_at;
  return f;
}

// Another start of the same container is no news by itself: what it changed is.
bool same(const server& s, const server_observed& f) {
  return s.container == f.container && s.health == f.health && s.exit_code == f.exit_code && s.restarts == f.restarts &&
         s.data == f.data && s.data_bytes == f.data_bytes && s.stale == f.stale && s.container_image == f.image &&
         s.data_problem == f.data_problem;
}

}  // namespace

std::vector<fact> facts_of(const server& s, const observation& o, std::string_view reason) {
  std::vector<fact> out;
  if (auto f = observed_now(s, o); !same(s, f)) out.emplace_back(f);
  if (o.container == presence::present && o.view.id != s.container_id)
    out.emplace_back(container_bound{o.view.id, s.container_id});
  if (o.container == presence::absent && !s.container_id.empty()) out.emplace_back(container_bound{{}, s.container_id});
  if (o.container != presence::unknown)
    if (auto drift = drift_text(o); drift != s.drift) out.emplace_back(drift_changed{drift});
  if (auto to = status_seen(s, o); to != s.status && s.status != server_status::deleting &&
                                   s.status != server_status::deleted && s.status != server_status::creating)
    out.emplace_back(status_changed{s.status, to, std::string(reason)});
  return out;
}

}  // namespace zedops::core
