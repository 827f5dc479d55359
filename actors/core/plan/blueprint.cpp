#include "actors/core/plan/blueprint.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "actors/core/plan/secrets.hpp"
#include "actors/core/plan/spec_rules.hpp"
#include "messages/base/names.hpp"
#include "messages/records/condition.hpp"

namespace zedops::core {

using namespace msg;

namespace {

struct expander {
  const server& s;
  const plan_context& cx;

  std::optional<std::string> operator()(std::string_view key) const {
    if (key == "name") return s.name;
    if (key == "id") return s.id.value;
    if (key == "agent") return cx.agent_name;
    for (const auto& p : s.ports)
      if (key == std::string(name_of(p.role)) + "_port") return std::to_string(p.number);
    return std::nullopt;
  }
  std::optional<std::string> fill(std::string_view pattern) const { return expand(pattern, *this); }
};

uint16_t rcon_port_of(const server& s) {
  for (const auto& p : s.ports)
    if (p.role == port_role::rcon) return p.number;
  return 0;
}

rcon_stop rcon_for(const rcon_step& step, uint16_t port, const std::map<std::string, std::string>& env) {
  rcon_stop out;
  out.port = port;
  out.commands = step.commands;
  out.dial_timeout = step.dial_timeout;
  out.settle = step.wait;
  for (const auto& key : step.password_env)
    if (auto i = env.find(key); i != env.end() && !i->second.empty()) {
      out.password = i->second;
      break;
    }
  if (out.password.empty()) out.port = 0;  // without a password there is nothing to log in with
  return out;
}

duration grace_of(const server_spec& spec) { return spec.stop_grace.value_or(duration{30'000}); }

stop_procedure stop_for(const server& s, const server_template& t, const std::map<std::string, std::string>& env) {
  stop_procedure out;
  out.grace = grace_of(effective_spec(s, t));
  out.network = t.rcon_network;
  std::vector<rcon_stop> steps;
  for (const auto& step : t.stop_steps)
    if (auto made = rcon_for(step, rcon_port_of(s), env); made.port != 0) steps.push_back(std::move(made));
  if (steps.empty()) return out;
  out.rcon = std::move(steps.front());
  out.then.assign(std::make_move_iterator(steps.begin() + 1), std::make_move_iterator(steps.end()));
  return out;
}

data_layout layout_for(const server& s, const server_template& t) { return layout_at(s, t, s.data_path); }

std::optional<uint16_t> number_of(const std::string& text) {
  uint16_t n = 0;
  auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (err != std::errc{} || end != text.data() + text.size() || n == 0) return std::nullopt;
  return n;
}

}  // namespace

namespace {

// What is given for the container as it is.
void fill(container_spec& c, const server_spec& spec) {
  c.health = spec.health.value_or(healthcheck{});
  c.entrypoint = spec.entrypoint.value_or(c.entrypoint);
  c.command = spec.command.value_or(c.command);
  c.user = spec.user.value_or("");
  c.working_dir = spec.working_dir.value_or("");
  c.hostname = spec.hostname.value_or("");
  c.memory_max = spec.memory_max.value_or(0);
  c.cpu_millis = spec.cpu_millis.value_or(0);
  c.tmpfs = spec.tmpfs.value_or(c.tmpfs);
  c.tty = spec.tty.value_or(false);
  c.open_stdin = spec.open_stdin.value_or(false);
  c.init = spec.init.value_or(false);
  c.stop_signal = spec.stop_signal.value_or("");
  c.stop_timeout = grace_of(spec);
  c.ulimits = spec.ulimits.value_or(c.ulimits);
  c.shm_size = spec.shm_size.value_or(0);
  c.log_driver = spec.log_driver.value_or("");
  c.log_options = spec.log_options.value_or(c.log_options);
  c.cap_add = spec.cap_add.value_or(c.cap_add);
  c.cap_drop = spec.cap_drop.value_or(c.cap_drop);
}

}  // namespace

data_layout layout_at(const server& s, const server_template& t, const std::string& root) {
  data_layout out;
  out.root = root;
  out.name = s.name;
  for (const auto& d : folders_of(s, t))
    out.dirs.push_back({d.name, root + "/" + s.name + (d.path.empty() ? "" : "/" + d.path), d.counts_as_data});
  return out;
}

result<server_plan> plan_for(const server& s, const server_template& t, const plan_context& cx) {
  const expander x{s, cx};
  server_plan plan;
  auto& c = plan.container;
  auto name = x.fill(t.container_name);
  if (!name)
    return fail(ec::bad_request, "template " + t.name + ": container_name cannot be filled", "correct the template");
  c.name = *name;
  c.image = image_reference(s);
  c.env = t.env;
  for (const auto& [key, value] : s.env) c.env[key] = value;
  for (const auto& [key, pattern] : t.inject_env)
    if (auto value = x.fill(pattern)) c.env[key] = *value;
  const auto spec = effective_spec(s, t);
  if (spec.labels) c.labels = *spec.labels;
  for (const auto& [key, pattern] : t.labels)
    if (auto value = x.fill(pattern)) c.labels[key] = *value;
  c.labels[std::string(label_managed)] = "true";
  c.labels[std::string(label_manager)] = cx.manager_id;
  c.labels[std::string(label_server)] = s.id.value;
  c.labels[std::string(label_name)] = s.name;
  c.labels[std::string(label_type)] = t.name;
  c.labels[std::string(label_operation)] = cx.op.value;
  for (const auto& p : t.ports) {
    if (!p.published) continue;
    auto host = x.fill(p.host);
    auto number = host ? number_of(*host) : std::nullopt;
    if (!number) continue;  // the server has no port of this role
    c.ports.push_back({*number, p.container_port ? p.container_port : *number, p.proto, spec.address.value_or("")});
  }
  if (spec.ports) c.ports.insert(c.ports.end(), spec.ports->begin(), spec.ports->end());
  plan.data = layout_for(s, t);
  const auto folders = folders_of(s, t);
  for (size_t i = 0; i < folders.size(); ++i)
    c.mounts.push_back({plan.data.dirs[i].path, folders[i].target, folders[i].read_only});
  if (spec.binds) c.mounts.insert(c.mounts.end(), spec.binds->begin(), spec.binds->end());
  c.networks = t.networks;
  if (s.crash == crash_policy::engine) {  // else its agent decides, and two may not
    c.restart = t.restart;
    c.restart_max = t.restart_max;
  }
  fill(c, spec);
  plan.stop = stop_for(s, t, c.env);
  plan.pull = t.pull;
  plan.settle = t.settle;
  return plan;
}

known_server known_for(const server& s, const server_template* t, const plan_context& cx) {
  known_server k;
  k.id = s.id;
  k.container_id = s.container_id;
  if (t) {
    k.container_name = expander{s, cx}.fill(t->container_name).value_or(s.name);
    k.data = layout_for(s, *t);
    k.crash = t->crash;
  } else {
    k.partial = true;
    k.data.root = s.data_path;
    k.data.name = s.name;
  }
  k.crash.policy = s.crash;
  k.wanted_running = s.desired == desired_state::running;
  k.priority = s.priority;
  return k;
}

duration stop_time(const server& s, const server_template& t) {
  auto all = grace_of(effective_spec(s, t));
  for (const auto& step : t.stop_steps) all += step.dial_timeout + step.wait;
  return all;
}

void allow_for_stop(std::array<duration, operation_table.size()>& time_max, const server& s, const server_template& t) {
  for (auto kind : {op_kind::stop, op_kind::restart, op_kind::rebuild, op_kind::recreate, op_kind::remove,
                    op_kind::purge, op_kind::move, op_kind::adopt}) {
    auto& time = time_max[static_cast<size_t>(kind)];
    time = std::max(time, 2 * stop_time(s, t));
  }
}

result<void> check_env(const std::map<std::string, std::string>& env) {
  if (env.size() > env_keys_max)
    return fail(ec::too_large, "more than " + std::to_string(env_keys_max) + " environment keys",
                "use a file in the data");
  size_t bytes = 0;
  for (const auto& [key, value] : env) {
    if (auto ok = check_env_key(key); !ok) return ok;
    if (auto ok = check_env_value(key, value); !ok) return ok;
    if (value == secret_mask)
      return fail(ec::bad_request,
                  "the value of " + key + " is " + value + ", which only stands for a secret that is not shown",
                  "leave " + key + " out to keep its value, or give the value itself");
    bytes += key.size() + value.size();
  }
  if (bytes > env_bytes_max)
    return fail(ec::too_large, "the environment has " + format_bytes(bytes),
                "a process can be given " + format_bytes(env_bytes_max) + " at most: use a file in the data");
  return {};
}

result<server> record_for(const create_server& r, const agent& a, const server_template& t, server_id id,
                          std::vector<reserved_port> ports) {
  if (auto ok = check_server_name(r.name); !ok) return fail(ok.error());
  server s;
  s.id = std::move(id);
  s.name = r.name;
  s.agent = a.id;
  s.template_name = t.name;
  s.image = r.image.empty() ? t.image : r.image;
  s.image_tag = r.image_tag.empty() ? t.image_tag : r.image_tag;
  if (s.image.empty())
    return fail(ec::bad_request, "template " + t.name + " has no image of its own", "name one: --image REPOSITORY");
  if (auto ok = check_image_repository(s.image); !ok) return fail(ok.error());
  if (s.image_tag.starts_with("sha256:")) {
    if (auto ok = parse_image_ref(s.image + "@" + s.image_tag); !ok) return fail(ok.error());
  } else if (auto ok = check_image_tag(s.image_tag); !ok) {
    return fail(ok.error());
  }
  if (auto ok = check_env(r.config); !ok) return fail(ok.error());
  s.env = r.config;
  for (const auto& key : t.env_required)
    if (!s.env.contains(key) && !t.env.contains(key))
      return fail(ec::bad_request, "template " + t.name + " needs a value for " + key, "add --env " + key + "=...");
  s.data_path = r.server_data_path.empty() ? a.data_path : r.server_data_path;
  while (s.data_path.size() > 1 && s.data_path.back() == '/') s.data_path.pop_back();
  if (auto ok = check_data_path(s.data_path); !ok && !r.server_data_path.empty()) return fail(ok.error());
  s.ports = std::move(ports);
  if (r.spec && !nothing_given(*r.spec)) {
    if (auto ok = check_spec(*r.spec, t, s.ports); !ok) return fail(ok.error());
    s.spec = r.spec;
  }
  s.recovery = r.recovery;
  s.crash = r.crash.value_or(t.crash.policy);
  s.priority = r.priority;
  return s;
}

server_spec edited_spec(const server& s, const edit_server& r) {
  auto out = s.spec ? *s.spec : server_spec{};
  for (const auto& field : r.reset) clear_field(out, field);
  if (r.spec) overlay(out, *r.spec);
  return out;
}

result<void> check_edit(const server& s, const edit_server& r, const server_template& t) {
  if (auto ok = check_env(r.config); !ok) return ok;
  for (const auto& key : t.env_immutable) {
    auto before = s.env.find(key);
    auto after = r.config.find(key);
    const bool unset = std::find(r.unset.begin(), r.unset.end(), key) != r.unset.end();
    if (before != s.env.end() && (unset || (after != r.config.end() && after->second != before->second)))
      return fail(ec::bad_request,
                  key + " keeps its first value" + (is_secret(&t, key) ? "" : " (" + before->second + ")"),
                  "create another server for another value");
  }
  for (const auto& key : r.unset)
    if (std::find(t.env_required.begin(), t.env_required.end(), key) != t.env_required.end() && !t.env.contains(key))
      return fail(ec::bad_request, "template " + t.name + " needs a value for " + key, "set it instead of removing it");
  if (r.image)
    if (auto ok = check_image_repository(*r.image); !ok) return ok;
  if (r.image_tag && r.image_tag->starts_with("sha256:")) {
    if (auto ok = parse_image_ref(r.image.value_or(s.image) + "@" + *r.image_tag); !ok) return fail(ok.error());
  } else if (r.image_tag) {
    if (auto ok = check_image_tag(*r.image_tag); !ok) return ok;
  }
  for (const auto& field : r.reset)
    if (std::find(spec_fields().begin(), spec_fields().end(), field) == spec_fields().end()) {
      std::vector<std::string> names(spec_fields().begin(), spec_fields().end());
      auto hint = did_you_mean(field, names);
      return fail(ec::bad_request, "there is nothing called '" + field.substr(0, 64) + "' to reset",
                  hint.empty() ? "docs/protocol.md, server_spec, has the fields" : hint);
    }
  const bool changes_spec = !r.reset.empty() || (r.spec && !nothing_given(*r.spec));
  if (changes_spec)
    if (auto ok = check_spec(edited_spec(s, r), t, s.ports); !ok) return ok;
  if (r.config.empty() && r.unset.empty() && !r.image && !r.image_tag && !r.recovery && !r.crash && !r.priority &&
      !changes_spec)
    return fail(ec::bad_request, "nothing to change was given", "zedctl server edit --help");
  return {};
}

}  // namespace zedops::core
