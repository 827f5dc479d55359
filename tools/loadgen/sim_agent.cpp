#include "tools/loadgen/sim_agent.hpp"

#include <cstdio>

#include "messages/base/ids.hpp"

namespace zedops::load {

using namespace msg;

namespace {

constexpr size_t reports_kept_max = 10'000;
constexpr size_t container_id_bytes = 64;

template <class... Fs>
struct overload : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
overload(Fs...) -> overload<Fs...>;

time_point now() { return std::chrono::time_point_cast<duration>(std::chrono::system_clock::now()); }

// As the Engine writes them: 64 hexadecimal digits.
std::string container_id(std::string_view seed) {
  std::string out;
  for (uint64_t part = 0; out.size() < container_id_bytes; ++part) {
    char digits[17];
    std::snprintf(digits, sizeof digits, "%016llx",
                  static_cast<unsigned long long>(text_hash(std::string(seed) + "/" + std::to_string(part))));
    out += digits;
  }
  return out;
}

}  // namespace

sim_agent::sim_agent(sim_agent_options options) : options_(std::move(options)) {}

hello sim_agent::greeting() const {
  hello h;
  h.id = agent_id{id_text('a', text_hash(options_.name), text_hash(options_.name + "/low"))};
  h.name = options_.name;
  h.instance = options_.name + "-instance";
  h.hostname = options_.name;
  h.data_path = options_.data_path;
  h.software = "loadgen";
  h.engine_version = "simulated";
  h.api_version = "1.41";
  h.engine_ok = true;
  h.manager_id = manager_id_;
  h.term = term_;
  h.greeting = greetings_;
  return h;
}

std::vector<server_id> sim_agent::servers() const {
  std::vector<server_id> out;
  for (const auto& [id, e] : servers_)
    if (e.exists) out.push_back(id);
  return out;
}

void sim_agent::adopt(const known_server& known) {
  auto [i, fresh] = servers_.try_emplace(known.id);
  auto& e = i->second;
  e.known = known;
  if (!fresh || known.container_id.empty()) return;
  // The manager remembers a container: it is still there and runs.
  e.exists = true;
  e.data = data_state::present;
  e.view.id = known.container_id;
  e.view.name = known.container_name;
  e.view.state = container_state::running;
}

observation sim_agent::look(const server_id& id) const {
  observation o;
  o.server = id;
  o.observed_at = now();
  o.container = presence::absent;
  o.data = data_state::absent;
  auto i = servers_.find(id);
  if (i == servers_.end()) return o;
  o.data = i->second.data;
  if (!i->second.exists) return o;
  o.container = presence::present;
  o.view = i->second.view;
  return o;
}

msg::inventory sim_agent::inventory(uint64_t request) const {
  msg::inventory inv;
  inv.request = request;
  inv.took = duration(1);
  inv.servers.reserve(servers_.size());
  for (const auto& [id, e] : servers_) inv.servers.push_back(look(id));
  return inv;
}

void sim_agent::make(embodied& e, const run_command& c) {
  e.exists = true;
  e.data = data_state::present;
  e.view = {};
  e.view.id = container_id(options_.name + "/" + c.server.value + "/" + std::to_string(++containers_made_));
  e.view.name = c.plan.container.name;
  e.view.image = c.plan.container.image;
  e.view.labels = c.plan.container.labels;
}

command_result sim_agent::execute(const run_command& c) {
  command_result r;
  r.op = c.op;
  r.attempt = c.attempt;
  r.server = c.server;
  auto& e = servers_[c.server];
  e.known.id = c.server;
  switch (c.kind) {
    case command_kind::run:
    case command_kind::restart:
    case command_kind::replace:
      r.fresh_start = e.data != data_state::present;
      if (!e.exists || c.kind == command_kind::replace) make(e, c);
      e.view.state = container_state::running;
      e.view.exit_code = 0;
      e.view.started_at = now();
      break;
    case command_kind::move:  // its state stays; the container is made anew
      if (e.exists) {
        const auto state = e.view.state;
        make(e, c);
        e.view.state = state;
      }
      r.data_root = c.plan.data.root;
      break;
    case command_kind::drop_source: r.bytes_removed = 0; break;
    case command_kind::deploy: servers_.erase(c.server); return r;
    case command_kind::adopt:
      r.failure = error{ec::not_found, "a simulated host has no containers of others", {}, {}};
      r.untouched = true;
      break;
    case command_kind::stop:
      e.view.state = container_state::exited;
      e.view.finished_at = now();
      r.note = "stopped cleanly";
      break;
    case command_kind::purge:
      if (c.remove_data) {
        e.data = data_state::absent;
        r.bytes_removed = 0;
      }
      [[fallthrough]];
    case command_kind::remove: e.exists = false; break;
  }
  r.after = look(c.server);
  return r;
}

std::vector<timed_message> sim_agent::on(const to_agent& message) {
  std::vector<timed_message> out;
  const auto say = [&](from_agent m, duration after = {}) { out.push_back({after, std::move(m)}); };
  std::visit(overload{
                 [&](const welcome& w) {
                   if (w.term < term_) {
                     say(welcome_refused{w.session, term_, {ec::not_leader, "a higher term was obeyed", {}, {}}});
                     return;
                   }
                   manager_id_ = w.manager_id;
                   term_ = w.term;
                   session_ = w.session;
                   for (const auto& k : w.servers) adopt(k);
                   say(inventory(0));
                 },
                 [&](const refused& r) {
                   turned_away_ = r.final;
                   std::fprintf(stderr, "loadgen: %s was refused: %s\n", options_.name.c_str(), r.why.message.c_str());
                 },
                 [&](const ping& p) {
                   say(heartbeat{p.nonce, true, {}});
                 },
                 [&](const run_command& c) {
                   ++commands_;
                   const auto key = c.op.value + "/" + std::to_string(c.attempt);
                   if (auto i = done_.find(key); i != done_.end()) return say(i->second);
                   say(command_progress{c.op, c.attempt, c.server, "preparing", 10, {}, c.term, {}});
                   auto r = execute(c);
                   if (done_.size() >= reports_kept_max) done_.clear();
                   done_.emplace(key, r);
                   say(std::move(r), options_.work);
                 },
                 [](const cancel_command&) {},
                 [&](const watch_servers& w) {
                   for (const auto& k : w.servers) adopt(k);
                   for (const auto& id : w.forget) servers_.erase(id);
                 },
                 [&](const sync_query& q) { say(inventory(q.request)); },
                 [&](const data_query& q) {
                   data_answer a;
                   a.request = q.request;
                   for (const auto& k : q.servers) {
                     data_row row;
                     row.id = k.id;
                     row.name = k.data.name;
                     row.agent = options_.name;
                     row.state = row.bin = row.data = look(k.id).data;
                     a.rows.push_back(std::move(row));
                   }
                   say(std::move(a));
                 },
                 [&](const port_query& q) {
                   port_answer a;
                   a.request = q.request;
                   for (const auto& p : q.ports) a.rows.push_back({p.number, p.proto, port_owner::free, {}});
                   say(std::move(a));
                 },
                 [&](const container_query& q) {
                   container_answer a;
                   a.request = q.request;
                   a.failure = error{ec::not_found, "a simulated host has no containers of others", {}, {}};
                   say(std::move(a));
                 },
                 [&](const watch_usage&) {},
                 [&](const upload_piece&) {},
                 [&](const stray_query& q) { say(stray_answer{q.request, {}, {}}); },
                 [&](const layer_query& q) {
                   say(layer_answer{q.request, {}, {}});
                 },
                 [&](const logs_query& q) {
                   say(logs_answer{q.request, {{"stdout", "simulated"}}, std::nullopt});
                 },
                 [&](const goodbye&) { disconnected(); },
                 [&](const incidents_taken&) {},
             },
             message);
  return out;
}

std::vector<timed_message> sim_agent::happen(const server_id& server, mishap what) {
  auto i = servers_.find(server);
  if (i == servers_.end() || !i->second.exists) return {};
  auto& e = i->second;
  std::string hint;
  switch (what) {
    case mishap::die:
      e.view.state = container_state::exited;
      e.view.exit_code = 137;
      e.view.finished_at = now();
      hint = "die";
      break;
    case mishap::start:
      e.view.state = container_state::running;
      e.view.exit_code = 0;
      e.view.started_at = now();
      hint = "start";
      break;
    case mishap::destroy:
      e.exists = false;
      hint = "destroy";
      break;
  }
  return {{duration{}, observed{look(server), std::move(hint)}}};
}

}  // namespace zedops::load
