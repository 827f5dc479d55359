// An inventory: list, inspect, look at all data, merge. Events that come meanwhile are looked at on their own; whose
// look was asked for later wins.
#include <algorithm>
#include <cmath>
#include <set>

#include "actors/agent/observe/data_layouts.hpp"
#include "actors/agent/observe/observer.hpp"

namespace zedops::agent {

using namespace msg;

void observer::take_inventory(uint64_t request, depth d) {
  if (request != 0 && next_requests_.size() < sync_requests_max) next_requests_.push_back(request);
  next_ = next_ == depth::all ? depth::all : d;
  if (!round_) begin_round();
}

void observer::begin_round() {
  auto& r = round_.emplace();
  r.serial = ++serial_;
  r.requests = std::exchange(next_requests_, {});
  r.how = next_.value_or(depth::changed);
  r.begun = p_.clock.steady();
  next_.reset();
  if (!engine_ok_)
    return fail_round(problem_.value_or(error{ec::engine_error,
                                              "the Docker Engine has not answered yet",
                                              "check that it runs and that the agent may use its socket",
                                              {}}));
  begin_round_data();
  p_.engine.list_containers({{label::managed, "true"}, {label::manager, view_.manager()}}, {list_deadline},
                            [this, post = p_.post, serial = r.serial, t = view_.next_ticket()](auto listed) {
                              post([this, serial, t, listed = std::move(listed)] { on_listed(serial, t, listed); });
                            });
}

void observer::on_listed(uint64_t serial, container_map::ticket t,
                         result<std::vector<docker::container_summary>> listed) {
  if (!round_ || round_->serial != serial) return;
  if (!listed) return fail_round(listed.error());
  std::vector<std::string> there;
  for (const auto& c : *listed) {
    there.push_back(c.id);
    const auto* known = view_.container(c.id);
    if (round_->how == depth::all || !known || known->state != c.state || known->name != c.name)
      round_->to_inspect.push_back(c.id);
  }
  // A recorded container that is not in the list may have lost its labels: it is found by its id.
  std::vector<std::string> recorded;
  std::sort(there.begin(), there.end());
  for (const auto& [id, s] : view_.servers())
    if (!s.container_id.empty() && !std::binary_search(there.begin(), there.end(), s.container_id)) {
      recorded.push_back(s.container_id);
      round_->to_inspect.push_back(s.container_id);
    }
  there.insert(there.end(), recorded.begin(), recorded.end());
  view_.keep_only(there, t);
  inspect_some(there);
  round_->listed = true;
  pump_round();
}

// The share of all containers that is due since the last round, those first whose inspection is longest ago.
void observer::inspect_some(const std::vector<std::string>& there) {
  const auto now = p_.clock.steady();
  const auto since = std::exchange(some_inspected_, now);
  auto& todo = round_->to_inspect;
  const std::set<std::string> asked(todo.begin(), todo.end());
  std::vector<std::pair<std::chrono::steady_clock::time_point, std::string>> rest;
  for (const auto& id : there)
    if (!asked.contains(id)) rest.emplace_back(inspected_[id], id);
  const std::set<std::string> present(there.begin(), there.end());
  std::erase_if(inspected_, [&](const auto& i) { return !present.contains(i.first); });
  const auto part = std::chrono::duration<double>(now - since) / std::chrono::duration<double>(inspected_every);
  const auto due = static_cast<size_t>(std::ceil(std::min(part, 1.0) * static_cast<double>(there.size())));
  std::ranges::sort(rest);
  for (size_t i = 0; i < std::min(due, rest.size()); ++i) {
    round_->by_turn.insert(rest[i].second);
    todo.push_back(std::move(rest[i].second));
  }
}

void observer::pump_round() {
  auto& r = *round_;
  while (r.inspecting < round_inspects_max && !r.to_inspect.empty()) {
    auto id = std::move(r.to_inspect.front());
    r.to_inspect.pop_front();
    ++r.inspecting;
    p_.engine.inspect_container(
        id, {list_deadline}, [this, post = p_.post, serial = r.serial, t = view_.next_ticket(), id](auto seen) {
          post([this, serial, t, id, seen = std::move(seen)] { on_round_seen(serial, t, id, seen); });
        });
  }
  if (r.listed && r.inspecting == 0 && r.to_inspect.empty() && r.roots_open == 0) finish_round();
}

void observer::on_round_seen(uint64_t serial, container_map::ticket t, const std::string& id,
                             result<docker::container_details> seen) {
  if (!round_ || round_->serial != serial) return;
  --round_->inspecting;
  inspected_[id] = p_.clock.steady();
  if (seen) view_.put(std::move(seen->view), t);
  else if (seen.error().code == ec::not_found) view_.drop(id, t);
  else if (!round_->by_turn.contains(id)) return fail_round(seen.error());  // else the list is enough
  pump_round();
}

void observer::begin_round_data() {
  std::map<std::string, std::map<server_id, host::check_request>> by_root;
  for (const auto& [id, s] : view_.servers()) {
    auto request = check_request_of(s.data, p_.owner, host::sizing::skip);
    if (request && !s.data.name.empty() && !s.partial)
      by_root[request->root.data_path].emplace(id, std::move(*request));
    else round_->data[id] = {};
  }
  round_->roots_open = by_root.size();
  for (auto& [root, what] : by_root)
    ask_disk(root, std::move(what), round_data_deadline, [this, serial = round_->serial](found_data found) {
      if (!round_ || round_->serial != serial) return;
      round_->data.merge(found);
      --round_->roots_open;
      pump_round();
    });
}

void observer::finish_round() {
  if (p_.engine_listens && !p_.engine_listens())
    return fail_round({ec::engine_error,
                       "the Docker Engine is shutting down",
                       "its containers are looked at again when it is back",
                       {}});
  inventory out;
  for (const auto& [id, data] : round_->data) {
    if (!view_.server(id)) continue;  // forgotten meanwhile
    auto o = view_.observe(id);
    o.data = data.state;
    o.data_problem = data.problem;
    o.observed_at = p_.clock.wall();
    out.servers.push_back(std::move(o));
  }
  out.unclaimed = view_.unclaimed();
  end_round(std::move(out));
}

void observer::fail_round(const error& why) {
  inventory out;
  out.failure = why;
  if (engine_ok_) needs_inventory();
  end_round(std::move(out));
}

void observer::end_round(inventory report) {
  const auto requests = std::move(round_->requests);
  report.took = std::chrono::duration_cast<duration>(p_.clock.steady() - round_->begun);
  round_.reset();
  for (size_t i = 1; i < requests.size(); ++i) {
    auto copy = report;
    copy.request = requests[i];
    p_.on_inventory(std::move(copy));
  }
  report.request = requests.empty() ? 0 : requests.front();
  p_.on_inventory(std::move(report));
  if (next_) begin_round();
}

}  // namespace zedops::agent
