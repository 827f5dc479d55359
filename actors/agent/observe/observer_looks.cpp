// From an event of the Engine to an observation: inspect, look at the data, merge, report.
#include <algorithm>
#include <array>
#include <memory>

#include "actors/agent/observe/data_layouts.hpp"
#include "actors/agent/observe/observer.hpp"
#include "config/logging/logging.hpp"

namespace zedops::agent {

using namespace msg;

namespace {

// `kill` and `stop` are left out: `die` shows their effect. exec_* come with every health check.
constexpr std::array hints = {std::string_view{"create"}, std::string_view{"start"},  std::string_view{"die"},
                              std::string_view{"rename"}, std::string_view{"pause"},  std::string_view{"unpause"},
                              std::string_view{"oom"},    std::string_view{"update"}, std::string_view{"destroy"}};

bool is_hint(std::string_view action) {
  return std::find(hints.begin(), hints.end(), action) != hints.end() || action.starts_with("health_status");
}

}  // namespace

void observer::on_event(const docker::event& e) {
  if (e.type != "container" || !is_hint(e.action)) return;
  std::optional<server_id> server;
  if (auto c = view_.container(e.id)) server = view_.server_of(*c);
  if (!server) {
    container_view stranger;  // as far as the event tells
    stranger.id = e.id;
    stranger.labels = e.attributes;
    if (auto n = e.attributes.find("name"); n != e.attributes.end()) stranger.name = n->second;
    server = view_.server_of(stranger);
  }
  if (e.action != "destroy") {
    if (server) look(e.id, *server, e.action);
    return;
  }
  view_.drop(e.id, view_.next_ticket());
  if (auto l = looks_.find(e.id); l != looks_.end()) looks_.erase(l);  // its answer will find no look
  if (server) check_data(*server, [this, id = *server](data_look d) { tell(id, "destroy", std::move(d)); });
}

void observer::look(const std::string& container, server_id server, std::string hint) {
  if (auto l = looks_.find(container); l != looks_.end()) {
    if (l->second.ticket != 0) l->second.again = std::move(hint);  // the answer on its way may be older than this event
    else l->second.hint = std::move(hint);
    return;
  }
  if (looks_.size() >= looks_max) return needs_inventory();
  auto& l = looks_[container];
  l.serial = ++serial_;
  l.server = std::move(server);
  l.hint = std::move(hint);
  if (inspecting_ >= look_inspects_max) waiting_.push_back(container);
  else begin_look(container);
}

void observer::begin_look(const std::string& container) {
  auto& l = looks_.at(container);
  l.ticket = view_.next_ticket();
  ++inspecting_;
  p_.engine.inspect_container(
      container, {look_deadline}, [this, post = p_.post, container, serial = l.serial](auto seen) {
        post([this, container, serial, seen = std::move(seen)] { on_seen(container, serial, seen); });
      });
  check_data(l.server, [this, container, serial = l.serial](data_look d) {
    auto i = looks_.find(container);
    if (i == looks_.end() || i->second.serial != serial) return;
    i->second.data = std::move(d);
    end_look(container);
  });
}

void observer::on_seen(const std::string& container, uint64_t serial, result<docker::container_details> seen) {
  --inspecting_;
  if (auto i = looks_.find(container); i != looks_.end() && i->second.serial == serial) {
    i->second.seen = std::move(seen);
    end_look(container);
  }
  while (!waiting_.empty() && inspecting_ < look_inspects_max) {
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    if (auto i = looks_.find(next); i != looks_.end() && i->second.ticket == 0) begin_look(next);
  }
}

void observer::end_look(const std::string& container) {
  auto i = looks_.find(container);
  if (!i->second.seen || !i->second.data) return;
  auto l = std::move(i->second);
  looks_.erase(i);
  conclude(l, container);
  if (l.again) look(container, l.server, std::move(*l.again));
}

void observer::conclude(looking& l, const std::string& container) {
  auto& seen = *l.seen;
  if (!seen && seen.error().code != ec::not_found) return needs_inventory();  // an error is never an observation
  // An Engine that shuts down kills its containers first. Nobody asked to stop these: the inventory after its return
  // shows what became of them.
  const bool down = seen && seen->view.state != container_state::running;
  if (down && p_.engine_listens && !p_.engine_listens()) return needs_inventory();
  if (seen) view_.put(std::move(seen->view), l.ticket);
  else view_.drop(container, l.ticket);
  tell(l.server, l.hint, std::move(*l.data));
}

void observer::tell(const server_id& server, const std::string& hint, data_look data) {
  observed out{view_.observe(server), hint};
  out.what.data = data.state;
  out.what.data_problem = std::move(data.problem);
  out.what.observed_at = p_.clock.wall();
  p_.on_observed(std::move(out));
}

void observer::check_data(const server_id& server, std::function<void(data_look)> then) {
  const auto* known = view_.server(server);
  auto request = known ? check_request_of(known->data, p_.owner, host::sizing::skip)
                       : result<host::check_request>(fail(ec::not_found, "unknown server"));
  const bool blind = !request || known->data.name.empty() || known->partial;
  if (blind) return p_.post([then = std::move(then)] { then({}); });
  const auto root = request->root.data_path;
  std::map<server_id, host::check_request> what;
  what.emplace(server, std::move(*request));
  ask_disk(root, std::move(what), data_deadline,
           [server, then = std::move(then)](found_data found) { then(found.at(server)); });
}

// `then` is called once: with what was found, or at the deadline with `unknown` for all.
void observer::ask_disk(const std::string& root, std::map<server_id, host::check_request> what, duration at_most,
                        std::function<void(found_data)> then) {
  found_data blind;
  for (const auto& [id, request] : what) blind[id].problem = "the disk of " + root + " does not answer";
  auto& d = disks_[root];
  if (d.overdue) return p_.post([blind = std::move(blind), then = std::move(then)] { then(blind); });
  ++d.asked;
  auto once = std::make_shared<std::function<void(found_data)>>(std::move(then));
  const auto answer = [once](const found_data& found) {
    if (auto f = std::exchange(*once, nullptr)) f(found);
  };
  p_.disks.run_for(root, [this, &host = p_.host, post = p_.post, root, what = std::move(what), answer] {
    found_data found;
    for (const auto& [id, request] : what) {
      auto report = host.check(request);
      found[id].state = report.state;
      if (report.state == data_state::unknown) found[id].problem = std::move(report.error);
    }
    post([this, root, found = std::move(found), answer] {
      disk_answered(root);
      answer(found);
    });
  });
  p_.after(at_most, [this, root, blind = std::move(blind), once, answer] {
    if (!*once) return;
    disks_[root].overdue = true;
    config::log_event(log_level::warn, "disk.silent", {{"data_path", root}, {"servers", blind.size()}});
    answer(blind);
  });
}

void observer::disk_answered(const std::string& root) {
  auto& d = disks_[root];
  if (--d.asked > 0 || !std::exchange(d.overdue, false)) return;
  config::log_event("disk.answers", {{"data_path", root}});
  needs_inventory();  // data that was unknown meanwhile is looked at again
}

void observer::engine_down(const error& why) {
  engine_ok_ = false;
  problem_ = why;
  stale_ = false;  // its return causes an inventory anyway
  for (auto& [container, l] : looks_) l.serial = 0;
  looks_.clear();
  waiting_.clear();
  if (round_) fail_round(why);
}

void observer::tick() {
  if (!stale_ || !engine_ok_ || round_) return;
  stale_ = false;
  take_inventory(0, depth::all);
}

}  // namespace zedops::agent
