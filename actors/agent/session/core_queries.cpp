// Questions of the manager. They never wait for a command.
#include <algorithm>
#include <deque>
#include <fstream>

#include "actors/agent/observe/adoptable.hpp"
#include "actors/agent/observe/data_layouts.hpp"
#include "actors/agent/observe/layer_summary.hpp"
#include "actors/agent/observe/log_page.hpp"
#include "actors/agent/session/core_state.hpp"
#include "integration/host/sites/sites.hpp"
#include "messages/base/names.hpp"

namespace zedops::agent {

using namespace msg;

namespace {

constexpr duration logs_time_max{10'000};
constexpr duration logs_hold_max{20'000};
constexpr duration logs_gather{200};
constexpr duration log_file_pause{500};  // before the file of a deployment is looked at again
constexpr duration layer_deadline{20'000};

// A container's published port wins over the socket of the Engine's proxy for it.
port_row judge(const port_ref& asked, const std::vector<docker::container_summary>& containers,
               const host::port_report& seen) {
  port_row row{asked.number, asked.proto, port_owner::free, {}};
  for (const auto& c : containers)
    for (const auto& p : c.ports)
      if (p.host_port == asked.number && p.proto == asked.proto) {
        row.taken_by = port_owner::container;
        row.detail = "container " + c.name;
        return row;
      }
  if (seen.state == host::port_state::free) return row;
  const bool taken = seen.state == host::port_state::taken;
  row.taken_by = taken ? port_owner::process : port_owner::unknown;
  row.detail = taken && seen.by.starts_with("pid") ? "process " + seen.by : seen.by;
  return row;
}

void describe(container_answer& out, docker::container_details c, const docker::image_info& image) {
  if (auto ok = check_adoptable(c); !ok) out.failure = std::move(ok.error());
  for (auto& [key, value] : c.env)
    if (auto i = image.env.find(key); i == image.env.end() || i->second != value) out.env[key] = value;
  out.ports = std::move(c.ports);
  out.mounts = std::move(c.mounts);
  out.mounts.insert(out.mounts.end(), c.volumes.begin(), c.volumes.end());
  for (auto& n : c.networks)
    if (n != "bridge" && n != "host" && n != "none") out.networks.push_back(std::move(n));
  auto& spec = out.spec.emplace(std::move(c.spec));
  if (c.entrypoint != image.entrypoint) spec.entrypoint = std::move(c.entrypoint);
  if (c.command != image.command || spec.entrypoint) spec.command = std::move(c.command);
  if (c.user != image.user) spec.user = std::move(c.user);
  if (spec.working_dir == image.working_dir) spec.working_dir.reset();
  if (spec.stop_signal == image.stop_signal) spec.stop_signal.reset();
  if (spec.health == image.health) spec.health.reset();
  for (const auto& [key, value] : c.view.labels) {
    // With Compose's or swarm's labels they would take it for theirs; ours are made anew.
    const bool of_tools = key.starts_with("com.docker.") || key.starts_with("zedops.");
    if (auto i = image.labels.find(key); !of_tools && (i == image.labels.end() || i->second != value)) {
      if (!spec.labels) spec.labels.emplace();
      (*spec.labels)[key] = value;
    }
  }
  out.unusual = std::move(c.unusual);
  out.view = std::move(c.view);
}

// The container that the manager knows; else a running one of the deployment that it serves; else any of that.
const docker::container_summary* served_by(const std::vector<docker::container_summary>& all, const logs_query& q) {
  const docker::container_summary* found = nullptr;
  for (const auto& c : all) {
    if (c.id == q.container_id) return &c;
    if (value_of(c.labels, label::deployment) != std::to_string(q.number)) continue;
    if (!found || (c.state == container_state::running && found->state != container_state::running)) found = &c;
  }
  return found;
}

std::optional<error> read_deployment_log(const site_world& sites, const logs_query& q, log_page& page, bool& fresh) {
  const auto slash = q.deployment.find('/'), second = q.deployment.find('/', slash + 1);
  const auto number = second == q.deployment.npos ? std::nullopt : parse_decimal(q.deployment.substr(second + 1));
  const host::site s{sites.root, q.deployment.substr(0, slash),
                     number ? q.deployment.substr(slash + 1, second - slash - 1) : std::string{}};
  if (!number || *number > UINT32_MAX || !check_site_name(s.project) || !check_site_name(s.service))
    return error{ec::bad_request, "'" + q.deployment.substr(0, 80) + "' names no deployment", "such as shop/web/3", {}};
  std::ifstream file(s.log(static_cast<uint32_t>(*number)));
  if (!file)
    return error{ec::not_found,
                 q.deployment + " has no log on this host",
                 "a log is removed with the files of its deployment",
                 {}};
  std::deque<std::string> last;  // of a tail
  for (std::string line; std::getline(file, line);) {
    if (!q.since.empty()) {
      if (line.size() > q.since.size() && line.compare(0, q.since.size(), q.since) < 0) continue;
      fresh = page.add(docker::output::out, line) || fresh;
      continue;
    }
    last.push_back(std::move(line));
    if (last.size() > std::max<uint32_t>(q.tail, 1)) last.pop_front();
  }
  for (const auto& line : last) (void)page.add(docker::output::out, line);
  return std::nullopt;
}

}  // namespace

void core_state::on_data_query(const data_query& q) {
  auto asked = q;
  for (auto& s : asked.servers) complete(s);
  // A query about one root waits for that alone; queries do not wait behind looks, nor these behind measuring sizes.
  const auto& first = asked.servers.empty() ? asked.space_at : asked.servers.front().data.root;
  const bool one_root = std::all_of(asked.servers.begin(), asked.servers.end(),
                                    [&](const known_server& s) { return s.data.root == first; });
  const auto key = (q.sizes ? "sizes " : "query ") + (one_root ? first : std::string{});
  auto& worker = q.sizes ? deps->workers.slow : deps->workers.disks;
  worker.run_for(key,
                 [this, q = std::move(asked), &host = deps->env.host, owner = deps->env.state.id(), post = post()] {
                   data_answer out;
                   out.request = q.request;
                   const auto sizes = q.sizes ? host::sizing::measure : host::sizing::skip;
                   for (const auto& s : q.servers) {
                     auto request = check_request_of(s.data, owner, sizes);
                     host::data_report report;
                     if (s.partial) report.error = "its template is missing: where its data is stored is not known";
                     else if (request) report = host.check(*request);
                     else report.error = request.error().message;
                     out.rows.push_back(row_of(s, report));
                   }
                   if (!q.space_at.empty())
                     if (auto space = host.free_space_at(q.space_at)) out.space_free = *space;
                   post([this, out = std::move(out)] {
                     if (where == phase::live) send(out);
                   });
                 });
}

void core_state::on_port_query(const port_query& q) {
  auto& env = deps->env;
  auto& disks = deps->workers.disks;
  env.engine.list_containers(
      {}, {list_deadline}, [this, q, &env, &disks, post = post()](result<std::vector<docker::container_summary>> all) {
        if (!all)
          return post([this, id = q.request, why = all.error()] {
            port_answer out;
            out.request = id;
            out.failure = why;
            if (where == phase::live) send(out);
          });
        disks.run_for("ports", [this, q, &env, post, all = std::move(*all)] {
          port_answer out;
          out.request = q.request;
          out.host_checked = env.host.sight_of_ports().what == host::visibility::visible;
          std::vector<host::port_query> asked;
          for (const auto& p : q.ports) asked.push_back({p.number, p.proto});
          const auto seen = env.host.check_ports(asked);
          for (size_t i = 0; i < q.ports.size(); ++i) out.rows.push_back(judge(q.ports[i], all, seen[i]));
          post([this, out = std::move(out)] {
            if (where == phase::live) send(out);
          });
        });
      });
}

// Settings that a new container would get from the image anyway are left out.
void core_state::on_container_query(const container_query& q) {
  auto tell = [this, post = post()](container_answer out) {
    post([this, out = std::move(out)] {
      if (where == phase::live) send(out);
    });
  };
  auto& engine = deps->env.engine;
  engine.inspect_container(
      q.container, {list_deadline}, [tell, &engine, id = q.request](result<docker::container_details> c) {
        container_answer out;
        out.request = id;
        if (!c) {
          out.failure = c.error();
          return tell(std::move(out));
        }
        auto image_id = std::move(c->image_id);  // before the rest goes into the handler
        engine.inspect_image(std::move(image_id), {list_deadline},
                             [tell, out = std::move(out), c = std::move(*c)](result<docker::image_info> image) mutable {
                               if (!image && image.error().code != ec::not_found) out.failure = image.error();
                               describe(out, std::move(c), image ? *image : docker::image_info{});
                               tell(std::move(out));
                             });
      });
}

void core_state::on_layer_query(const layer_query& q) {
  auto tell = [this, post = post(), id = q.request](result<docker::container_layer> seen) {
    layer_answer out;
    out.request = id;
    if (seen) out.seen = summary_of(*seen);
    else out.failure = std::move(seen.error());
    post([this, out = std::move(out)] {
      if (where == phase::live) send(out);
    });
  };
  const auto* c = eyes->view().container(q.container_id);
  if (!c || !is_ours(c->labels, eyes->view().manager()))
    return tell(fail(ec::not_found, "there is no container " + q.container_id.substr(0, 12) + " of this manager",
                     "sync the server"));
  deps->env.engine.look_at_layer(q.container_id, {layer_deadline}, tell);
}

void core_state::on_logs_query(const logs_query& q) {
  const auto refuse = [&](error why) { refuse_log(q, std::move(why)); };
  if (!q.deployment.empty()) {
    if (deployment_logs >= log_queries_max)
      return refuse({ec::busy, "too many logs are being read on this host", "repeat in a moment", {}});
    ++deployment_logs;
    return on_deployment_log(q, std::clamp(q.hold, duration{}, logs_hold_max));
  }
  if (!q.service.empty()) return on_service_log(q);
  const auto* c = eyes->view().container(q.container_id);
  if (!c)
    return refuse({ec::not_found, "there is no container " + q.container_id.substr(0, 12), "sync the server", {}});
  if (!is_ours(c->labels, eyes->view().manager()))
    return refuse({ec::forbidden, "container " + c->name + " does not belong to this manager", {}, {}});
  read_log(q, q.container_id);
}

// The view of this host learns of services' containers with the next inventory only, and one may have been created anew
// since the manager heard of it: the Engine is asked.
void core_state::on_service_log(const logs_query& q) {
  const auto& manager = eyes->view().manager();
  deps->env.engine.list_containers(
      {{label::managed, "true"}, {label::manager, manager}, {label::service, q.service.value}}, {list_deadline},
      [this, q, post = post()](result<std::vector<docker::container_summary>> all) {
        post([this, q, all = std::move(all)] {
          if (where != phase::live) return;
          if (!all) return refuse_log(q, all.error());
          const auto* found = served_by(*all, q);
          if (!found)
            return refuse_log(q,
                              {ec::not_found, "the service has no container on this host", "zedctl service get", {}});
          read_log(q, found->id);
        });
      });
}

void core_state::refuse_log(const logs_query& q, error why) {
  logs_answer out;
  out.request = q.request;
  out.failure = std::move(why);
  send(out);
}

void core_state::read_log(const logs_query& q, const std::string& container) {
  if (reading.size() >= log_queries_max)
    return refuse_log(q, {ec::busy, "too many logs are being read on this host", "repeat in a moment", {}});
  docker::log_options o;
  o.timestamps = true;
  if (q.since.empty()) {
    o.tail = std::clamp<uint32_t>(q.tail, 1, log_lines_max);
  } else if (const auto ns = nanoseconds_from_rfc3339(q.since); ns && *ns > 0) {
    o.since_ns = *ns;
  } else {
    return refuse_log(
        q, {ec::bad_request, "'" + q.since.substr(0, 40) + "' is not a valid time", "give RFC 3339, in UTC", {}});
  }
  const auto hold = std::clamp(q.hold, duration{}, logs_hold_max);
  o.follow = hold > duration{} && o.since_ns > 0;
  auto collected = std::make_shared<log_page>(q);
  const auto serial = ++reading_serial;
  // Called at the end of the stream or when its time is up, whichever comes first.
  auto finish = [this, collected, serial](std::optional<error> failure) {
    if (reading.erase(serial) == 0) return;
    if (where == phase::live) send(collected->answer(std::move(failure)));
  };
  // For a query that waits: soon after the first line that is new, so that a burst is one answer.
  auto fresh = [this, finish, post = post()] {
    post([this, finish] {
      self->delayed_send(core_actor(self), logs_gather, completion{[finish] { finish(std::nullopt); }});
    });
  };
  auto following = deps->env.engine.logs(
      container, o,
      [collected, fresh, follows = o.follow](docker::output from, std::string_view line) {
        if (collected->add(from, line) && follows) fresh();
      },
      [finish, post = post()](result<void> end) {
        post([finish, end = std::move(end)] { finish(end ? std::nullopt : std::optional(end.error())); });
      });
  reading[serial] = std::move(following);
  if (o.follow) {
    self->delayed_send(core_actor(self), hold, completion{[finish] { finish(std::nullopt); }});
    return;
  }
  self->delayed_send(
      core_actor(self), logs_time_max, completion{[finish] {
        finish(error{ec::timeout, "the Engine did not deliver the logs in time", "repeat with fewer lines", {}});
      }});
}

// From its file; with `hold` again and again until there is a line later than `since`.
void core_state::on_deployment_log(const logs_query& q, duration hold) {
  deps->workers.disks.run([this, q, hold, sites = deps->env.sites, post = post()] {
    log_page page(q);
    bool fresh = false;
    const auto failure = sites ? read_deployment_log(*sites, q, page, fresh)
                               : std::optional(error{ec::not_found, "this agent has no deployments", {}, {}});
    const bool again = !failure && !fresh && !q.since.empty() && hold > duration{};
    post([this, q, hold, again, out = page.answer(failure)] {
      if (!again) {
        --deployment_logs;
        if (where == phase::live) send(out);
        return;
      }
      self->delayed_send(core_actor(self), log_file_pause,
                         completion{[this, q, left = hold - log_file_pause] { on_deployment_log(q, left); }});
    });
  });
}

}  // namespace zedops::agent
