#include "config/template_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "config/detail/spec_reader.hpp"
#include "config/detail/template_rules.hpp"
#include "config/detail/toml_reader.hpp"
#include "config/settings/values.hpp"
#include "messages/base/names.hpp"

namespace zedops::config {

namespace {
using namespace std::chrono_literals;
using detail::table_reader;

constexpr detail::range<int64_t> any_port{1, 65535};
constexpr detail::range<msg::duration> up_to_an_hour{0s, 1h};

void require(table_reader& r, std::string_view key, bool good, const std::string& what, const std::string& hint) {
  if (!good) r.complain(key, what, hint);
}

// A pattern is sound when each placeholder is known and stands for something that such a server has.
void check_pattern(table_reader& r, std::string_view key, const std::string& pattern, const msg::server_template& t) {
  auto rule_of = [&](std::string_view placeholder) {
    if (placeholder == "game_port") return t.game_port.rule;
    if (placeholder == "udp_port") return t.udp_port.rule;
    if (placeholder == "rcon_port") return t.rcon_port.rule;
    return msg::port_rule::assigned;
  };
  std::string bad = "a brace that is not closed";
  auto expanded = msg::expand(pattern, [&](std::string_view p) -> std::optional<std::string> {
    const auto& known = msg::template_placeholders;
    if (std::find(known.begin(), known.end(), p) == known.end())
      bad = fmt::format("{{{}}}, which is not a placeholder", p);
    else if (rule_of(p) == msg::port_rule::none)
      bad = fmt::format("{{{}}}, but servers of this template have no such port", p);
    else return "1";
    return std::nullopt;
  });
  require(r, key, expanded.has_value(), fmt::format("is {} with {}", in_quotes(pattern), in_quotes(bad)),
          fmt::format("placeholders are {}; a port has to be declared under [game_port], [udp_port] or [rcon_port]",
                      listed(msg::template_placeholders)));
}

void read_port_plan(table_reader& r, std::string_view key, msg::port_plan& out) {
  r.table(key, [&](table_reader& p) {
    out.rule = msg::port_rule::assigned;
    p.word("rule", out.rule);
    p.number("first", out.first, any_port);
    p.number("last", out.last, any_port);
    p.number("step", out.step, {1, 1000});
    p.number("game_offset", out.game_offset, {1, 1000});
    require(p, "game_offset", out.game_offset == 0 || key != "game_port", "makes no sense for the game port itself",
            "remove it");
    if (out.rule != msg::port_rule::assigned) return;
    require(p, "first", out.game_offset != 0 || out.first != 0, "is missing",
            "give the range as first and last, or a game_offset");
    if (out.last == 0) out.last = out.first;
    require(p, "last", out.last >= out.first, fmt::format("is {}, below first = {}", out.last, out.first),
            "give a last port that is not below the first");
  });
}

void read_port(table_reader& r, msg::server_template& t) {
  msg::template_port port;
  r.text("name", port.name);
  require(r, "name", detail::is_template_name(port.name), fmt::format("is {}", in_quotes(port.name)),
          "use lower-case letters, digits and '-', such as \"game\"");
  r.word("proto", port.proto);
  require(r, "proto", r.has("proto"), "is missing", "use udp or tcp");
  port.host = fmt::format("{{{}_port}}", port.name);
  r.text("host", port.host);
  if (!msg::role_of(port)) {
    unsigned number = 0;
    auto [end, err] = std::from_chars(port.host.data(), port.host.data() + port.host.size(), number);
    require(r, "host", err == std::errc{} && end == port.host.data() + port.host.size() && number > 0 && number < 65536,
            fmt::format("is {}", in_quotes(port.host)),
            "use \"{game_port}\", \"{udp_port}\", \"{rcon_port}\" or \"27960\"");
  } else {
    check_pattern(r, "host", port.host, t);
  }
  r.number("container", port.container_port, any_port);
  r.flag("published", port.published);
  for (const auto& other : t.ports)
    require(r, "host", other.host != port.host || other.proto != port.proto,
            fmt::format("is {}/{}, as for port {}", port.host, msg::name_of(port.proto), other.name),
            "give each port of one protocol its own number");
  t.ports.push_back(std::move(port));
}

void read_dir(table_reader& r, msg::server_template& t) {
  msg::template_dir dir;
  r.text("name", dir.name);
  require(r, "name", detail::is_template_name(dir.name), fmt::format("is {}", in_quotes(dir.name)),
          "use lower-case letters, digits and '-', such as \"data\"");
  r.text("target", dir.target);
  require(r, "target", detail::is_absolute_path(dir.target), fmt::format("is {}", in_quotes(dir.target)),
          "give an absolute path in the container, without '.' or '..' parts");
  dir.path = dir.name;
  r.text("path", dir.path);
  require(r, "path", detail::is_relative_path(dir.path), fmt::format("is {}", in_quotes(dir.path)),
          "give a path below the server's own folder, without '.' or '..' parts");
  r.flag("counts_as_data", dir.counts_as_data);
  r.flag("read_only", dir.read_only);
  for (const auto& other : t.dirs) {
    require(r, "name", other.name != dir.name, fmt::format("{} is used twice", in_quotes(dir.name)),
            "rename one of them");
    require(r, "target", other.target != dir.target, fmt::format("is also the target of {}", in_quotes(other.name)),
            "mount each directory at its own place");
    const auto within = [](const std::string& a, const std::string& b) { return a.starts_with(b + "/"); };
    require(r, "path", !within(other.path, dir.path) && !within(dir.path, other.path),
            fmt::format("is within, or around, the path of {}", in_quotes(other.name)),
            "give each directory a path of its own beside the others");
    require(r, "path", other.path != dir.path, fmt::format("is also the path of {}", in_quotes(other.name)),
            "give each directory its own path");
  }
  t.dirs.push_back(std::move(dir));
}

void read_env(table_reader& r, msg::server_template& t) {
  r.map("env", t.env);
  r.map("inject_env", t.inject_env);
  r.texts("env_required", t.env_required);
  r.texts("env_immutable", t.env_immutable);
  r.texts("env_secret", t.env_secret);
  auto check = [&](std::string_view key, const std::string& name) {
    auto ok = msg::check_env_key(name);
    require(r, key, ok.has_value(), fmt::format("has {}, which is not the name of a variable", in_quotes(name)),
            ok ? "" : ok.error().hint);
  };
  for (const auto& [name, value] : t.env) check("env", name);
  for (const auto& [name, pattern] : t.inject_env) {
    check("inject_env", name);
    check_pattern(r, "inject_env", pattern, t);
  }
  for (const auto& name : t.env_required) check("env_required", name);
  for (const auto& name : t.env_immutable) check("env_immutable", name);
  for (const auto& name : t.env_secret) check("env_secret", name);
}

void read_labels(table_reader& r, msg::server_template& t) {
  r.map("labels", t.labels);
  const std::map<std::string, std::string> identity = {{"zedops.managed", "true"},
                                                       {"zedops.server.id", "{id}"},
                                                       {"zedops.server.name", "{name}"},
                                                       {"zedops.type", t.name}};
  for (const auto& [name, pattern] : t.labels) check_pattern(r, "labels", pattern, t);
  for (const auto& [name, value] : identity) {
    auto [at, added] = t.labels.emplace(name, value);
    require(r, "labels", added || at->second == value,
            fmt::format("gives {} the value {}", name, in_quotes(at->second)),
            fmt::format("remove it: it is always {}, so that containers are found again", in_quotes(value)));
  }
}

void read_networks(table_reader& r, msg::server_template& t) {
  r.texts("networks", t.networks);
  for (size_t i = 0; i < t.networks.size(); ++i) {
    require(r, "networks", detail::is_engine_name(t.networks[i]), fmt::format("has {}", in_quotes(t.networks[i])),
            "use letters, digits, '_', '.' and '-'");
    require(r, "networks",
            std::find(t.networks.begin(), t.networks.begin() + static_cast<ptrdiff_t>(i), t.networks[i]) ==
                t.networks.begin() + static_cast<ptrdiff_t>(i),
            fmt::format("has {} twice", in_quotes(t.networks[i])), "name each network once");
  }
  r.text("rcon_network", t.rcon_network);
  require(r, "rcon_network",
          t.rcon_network.empty() || std::find(t.networks.begin(), t.networks.end(), t.rcon_network) != t.networks.end(),
          fmt::format("is {}, which is not among the networks", in_quotes(t.rcon_network)), "add it to networks");
}

void read_health(table_reader& r, std::optional<msg::healthcheck>& given) {
  r.table("health", [&](table_reader& h) {
    auto& out = given.emplace();
    h.texts("test", out.test);
    require(h, "test", out.test.size() >= 2 && (out.test[0] == "CMD" || out.test[0] == "CMD-SHELL"),
            "does not begin with \"CMD\" or \"CMD-SHELL\" and a command",
            "write it as in a Dockerfile's HEALTHCHECK, such as [\"CMD-SHELL\", \"pgrep game\"]; leave out [health] to "
            "keep the image's own");
    h.time("interval", out.interval, up_to_an_hour);
    h.time("timeout", out.timeout, up_to_an_hour);
    h.time("start_period", out.start_period, up_to_an_hour);
    h.number("retries", out.retries, {1, 1000});
  });
}

void read_stop(table_reader& r, msg::server_template& t) {
  r.table("stop", [&](table_reader& s) {
    detail::read_stop_rules(s, t.spec);
    s.tables("rcon", [&](table_reader& step) {
      msg::rcon_step out;
      step.texts("commands", out.commands);
      require(step, "commands", !out.commands.empty(), "is empty", "name at least one command, such as [\"save\"]");
      step.time("dial_timeout", out.dial_timeout, {100ms, 1min});
      step.time("wait", out.wait, {0s, 10min});
      step.texts("password_env", out.password_env);
      require(step, "commands", t.rcon_port.rule != msg::port_rule::none, "cannot be sent: there is no RCON port",
              "declare [rcon_port] or remove [[stop.rcon]]");
      t.stop_steps.push_back(std::move(out));
    });
  });
}

void read_crash(table_reader& r, msg::crash_rules& out) {
  r.table("crash", [&](table_reader& c) {
    c.word("policy", out.policy);
    c.number("restarts_max", out.restarts_max, {1, 1000});
    c.time("window", out.window, {1s, 24h});
    c.time("backoff_min", out.backoff_min, {100ms, 1h});
    c.time("backoff_max", out.backoff_max, {100ms, 1h});
    c.time("healthy_after", out.healthy_after, {1s, 24h});
    c.flag("exit_zero_is_crash", out.exit_zero_is_crash);
    require(c, "backoff_max", out.backoff_max >= out.backoff_min,
            fmt::format("is {}, shorter than backoff_min = {}", msg::format_duration(out.backoff_max),
                        msg::format_duration(out.backoff_min)),
            "give a time that is not shorter than the first pause");
  });
}

void read_image(table_reader& r, msg::server_template& t) {
  r.text("name", t.name);
  require(r, "name", detail::is_template_name(t.name),
          r.has("name") ? fmt::format("is {}", in_quotes(t.name)) : "is missing",
          "name the template with 1-32 lower-case letters, digits and '-', a letter first");
  r.text("description", t.description);
  r.text("image", t.image);
  // By the rules of create, so that the author of the template gets the error and not its users.
  if (auto ok = msg::check_image_repository(t.image); !t.image.empty() && !ok)
    r.complain("image", fmt::format("is {}", in_quotes(t.image)), ok.error().hint);
  r.text("image_tag", t.image_tag);
  if (auto ok = msg::check_image_tag(t.image_tag); !ok)
    r.complain("image_tag", fmt::format("is {}", in_quotes(t.image_tag)), ok.error().hint);
  r.word("pull", t.pull);
}

void read_limits(table_reader& r, msg::server_template& t) {
  r.word("restart", t.restart);
  r.number("restart_max", t.restart_max, {1, 1000});
  r.time("settle", t.settle, {0s, 1h});
  require(r, "restart_max", t.restart_max == 0 || t.restart == msg::restart_rule::on_failure,
          "is only for restart = \"on-failure\"", "remove it or change restart");
}

void read_template(table_reader& r, msg::server_template& t) {
  read_image(r, t);
  read_port_plan(r, "game_port", t.game_port);
  read_port_plan(r, "udp_port", t.udp_port);
  read_port_plan(r, "rcon_port", t.rcon_port);
  r.tables("port", [&](table_reader& p) { read_port(p, t); });
  r.tables("dir", [&](table_reader& d) { read_dir(d, t); });
  require(r, "dir", !t.dirs.empty(), "is missing", "declare at least one [[dir]] with a name and a target");
  t.container_name = "zedops-{name}";
  r.text("container_name", t.container_name);
  check_pattern(r, "container_name", t.container_name, t);
  auto sample = msg::expand(t.container_name, [](std::string_view) { return "x"; });
  require(
      r, "container_name",
      sample && detail::is_engine_name(*sample) &&
          (t.container_name.find("{name}") != std::string::npos || t.container_name.find("{id}") != std::string::npos),
      fmt::format("is {}", in_quotes(t.container_name)),
      "use letters, digits, '_', '.', '-' and {name} or {id}, so that no two servers share a name");
  read_env(r, t);
  read_labels(r, t);
  read_networks(r, t);
  read_limits(r, t);
  read_health(r, t.spec.health);
  detail::read_spec(r, t.spec);
  detail::read_locked(r, t.locked);
  read_stop(r, t);
  read_crash(r, t.crash);
  r.finish();
}
}  // namespace

msg::result<msg::server_template> parse_template(std::string_view text, const std::string& file_name) {
  auto table = detail::parse_toml(text, file_name, template_bytes_max);
  if (!table) return msg::fail(table.error());
  msg::server_template t;
  table_reader reader{*table, file_name};
  read_template(reader, t);
  if (reader.problem()) return msg::fail(*reader.problem());
  return t;
}

}  // namespace zedops::config
