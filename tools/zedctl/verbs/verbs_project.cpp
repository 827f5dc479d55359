// Projects and their services.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sodium/randombytes.h>
#include <sodium/utils.h>

#include <algorithm>
#include <array>

#include "messages/base/names.hpp"
#include "tools/zedctl/cli/commands.hpp"
#include "tools/zedctl/input/confirm.hpp"
#include "tools/zedctl/input/spec_input.hpp"
#include "tools/zedctl/output/facts_text.hpp"
#include "tools/zedctl/verbs/verbs.hpp"
#include "tools/zedctl/verbs/verbs_deploy.hpp"

namespace zedops::ctl {
namespace {

phrase health_phrase(msg::service_health h) {
  style how = style::faint;
  switch (h) {
    case msg::service_health::healthy: how = style::good; break;
    case msg::service_health::degraded: how = style::warn; break;
    case msg::service_health::unhealthy: how = style::bad; break;
    case msg::service_health::unknown: break;
  }
  return {std::string(name_of(h)), how};
}

std::string new_secret() {
  std::array<unsigned char, 24> bytes{};
  randombytes_buf(bytes.data(), bytes.size());
  std::string hex(bytes.size() * 2 + 1, '\0');
  sodium_bin2hex(hex.data(), hex.size(), bytes.data(), bytes.size());
  hex.pop_back();
  return hex;
}

std::optional<std::string> given(const arguments& a, const std::string& key) {
  return a.has(key) ? std::optional(a.one(key)) : std::nullopt;
}

// ---- projects ----
int projects(session& s, const arguments&) {
  auto list = s.ask<msg::project_list>("project.ls", msg::list_projects{});
  if (!list) return s.report(list.error());
  if (list->projects.empty() && !s.machine()) {
    s.say("No projects: zedctl project create NAME");
    return exit_ok;
  }
  return s.show(*list, [&] {
    if (s.flags().quiet || s.flags().output == form::name) {
      std::string out;
      for (const auto& p : list->projects) out += (s.flags().quiet ? p.id.value : p.name) + '\n';
      return out;
    }
    const auto l = s.looks();
    table t({"NAME", "HEALTH", "SERVICES", "LAST DEPLOYED", "REASON"});
    for (const auto& p : list->projects)
      t.add({{p.name},
             health_phrase(p.health),
             {joined(p.services, "and")},
             {age_text(p.last_deployed_at, l)},
             {p.health_reason}});
    return s.render(t);
  });
}

int project(session& s, const arguments& a) {
  auto p = s.ask<msg::project_view>("project.get", msg::get_project{a.one("PROJECT")});
  if (!p) return s.report(p.error());
  return s.show(*p, [&] {
    const auto l = s.looks();
    sheet out;
    out.add("Project", p->name, style::strong);
    out.add("Id", p->id.value);
    out.add("Description", p->description);
    out.add("Domain", p->base_domain);
    out.add("Health", std::string(name_of(p->health)), health_phrase(p->health).how);
    out.add("Reason", p->health_reason);
    out.add("Services", joined(p->services));
    out.add("Last deployed", p->last_deployed_at ? ago_text(p->last_deployed_at, l) : std::string{});
    out.add("Created", ago_text(p->created_at, l));
    return out.render(l.colour);
  });
}

int create_project(session& s, const arguments& a) {
  return perform_deploy(s, "project.create", a.one("NAME"),
                        msg::pack_map(msg::create_project{a.one("NAME"), a.one("description"), a.one("domain")}));
}
int edit_project(session& s, const arguments& a) {
  return perform_deploy(
      s, "project.edit", a.one("PROJECT"),
      msg::pack_map(msg::edit_project{a.one("PROJECT"), given(a, "description"), given(a, "domain")}));
}
int remove_project(session& s, const arguments& a) {
  return perform_deploy(s, "project.rm", a.one("PROJECT"), msg::pack_map(msg::remove_project{a.one("PROJECT")}));
}

// ---- services ----
int services(session& s, const arguments& a) {
  auto list = s.ask<msg::service_list>("service.ls", msg::list_services{a.one("PROJECT")});
  if (!list) return s.report(list.error());
  if (list->services.empty() && !s.machine()) {
    s.say("No services: zedctl service create PROJECT/NAME --agent A");
    return exit_ok;
  }
  return s.show(*list, [&] {
    if (s.flags().quiet || s.flags().output == form::name) {
      std::string out;
      for (const auto& v : list->services) out += (s.flags().quiet ? v.id.value : v.project + "/" + v.name) + '\n';
      return out;
    }
    table t({"SERVICE", "HEALTH", "CURRENT", "AGENT", "ADDRESS", "REASON"});
    for (const auto& v : list->services)
      t.add({{v.project + "/" + v.name},
             health_phrase(v.health),
             {v.current ? fmt::format("#{}", v.current) : "-"},
             {v.agent},
             {v.url},
             {v.health_reason}});
    return s.render(t);
  });
}

std::string health_check_text(const msg::service_view& v) {
  if (!v.settings.health_command.empty()) return fmt::format("{}", fmt::join(v.settings.health_command, " "));
  if (v.settings.health_tcp) return "its port accepts a connection";
  return v.health_path.empty() ? "/" : v.health_path;
}
std::string route_text(const msg::service_settings& c) {
  return std::string(name_of(c.route)) + (c.hosts.empty() ? "" : ": " + joined(c.hosts));
}

void add_settings(sheet& out, const msg::service_settings& c) {
  out.add("Container port", std::to_string(c.container_port));
  out.add("Route", route_text(c));
  out.add("Before start", fmt::format("{}", fmt::join(c.before_start, " ")));
  out.add("After switch", fmt::format("{}", fmt::join(c.after_switch, " ")));
  out.add("Command", fmt::format("{}", fmt::join(c.command, " ")));
  out.add("Dockerfile", c.dockerfile);
  out.add("Memory", c.memory_max ? msg::format_bytes(c.memory_max) : std::string{});
  out.add("CPU", c.cpu_millis ? fmt::format("{} cores", c.cpu_millis / 1000.0) : std::string{});
  std::vector<std::string> keys;
  for (const auto& [key, value] : c.env) keys.push_back(key);
  out.add("Environment", joined(keys));
}

int service(session& s, const arguments& a) {
  auto v = s.ask<msg::service_view>("service.get", msg::get_service{a.one("SERVICE")});
  if (!v) return s.report(v.error());
  return s.show(*v, [&] {
    const auto l = s.looks();
    sheet out;
    out.add("Service", v->project + "/" + v->name, style::strong);
    out.add("Id", v->id.value);
    out.add("Agent", v->agent);
    out.add("Health", std::string(name_of(v->health)), health_phrase(v->health).how);
    out.add("Reason", v->health_reason);
    out.add("Served", v->current ? fmt::format("#{}", v->current) : "nothing yet");
    out.add("Address", v->url);
    if (v->stopped) out.add("Stopped", "by a user; start it with: zedctl service start " + v->project + "/" + v->name);
    out.add("Health check", health_check_text(*v));
    if (v->kind == msg::service_kind::container) add_settings(out, v->settings);
    else if (v->settings.route != msg::route_kind::none) out.add("Route", route_text(v->settings));
    if (!v->settings.build.empty()) {
      out.add("Build", fmt::format("{}", fmt::join(v->settings.build, " ")));
      out.add("Builder", v->settings.builder + (v->settings.build_network ? ", with a network" : ""));
      out.add("Output", v->settings.output);
    }
    if (!v->hook.url.empty()) out.add("Hook", fmt::format("pushes to {} of {}", v->hook.branch, v->hook.url));
    out.add("Preview of", v->preview_of);
    if (v->expires_at)
      out.add("Removed at", fmt::format("{}, {} after its newest deployment", msg::to_rfc3339(*v->expires_at),
                                        msg::format_duration(v->lives)));
    out.add("Kept", counted(v->retention, "successful deployment"));
    out.add("Operation", v->operation);
    out.add("Waiting", v->waiting);
    if (v->last_deployment)
      out.add("Newest", fmt::format("#{} {}, {}", v->last_deployment->number, name_of(v->last_deployment->status),
                                    ago_text(v->last_deployment->created_at, l)));
    std::string rollbacks;
    for (const auto& r : v->rollbacks)
      rollbacks += fmt::format("#{} -> #{}  {}  {}\n", r.from, r.to, name_of(r.state), ago_text(r.started_at, l));
    out.section("Rollbacks", rollbacks);
    return out.render(l.colour);
  });
}

// PROJECT/NAME of a service that is to be created.
msg::result<std::pair<std::string, std::string>> parts_of(const std::string& text) {
  const auto slash = text.find('/');
  if (slash == text.npos)
    return msg::fail(msg::ec::bad_request, "'" + text + "' names no project", "write PROJECT/SERVICE: shop/web");
  return std::pair{text.substr(0, slash), text.substr(slash + 1)};
}

constexpr const char* settings_flags[] = {
    "container-port", "env",          "unset-env",   "command", "dockerfile", "memory", "cpus",
    "health-command", "route",        "host",        "build",   "builder",    "output", "build-network",
    "health",         "before-start", "after-switch"};
bool names_settings(const arguments& a) {
  return std::ranges::any_of(settings_flags, [&](const char* key) { return a.has(key); });
}
// One empty word removes a command.
std::vector<std::string> without_empty(std::vector<std::string> words) {
  std::erase(words, std::string{});
  return words;
}
// Applies the flags to the settings of a service.
msg::result<void> change_settings(msg::service_settings& c, const arguments& a) {
  if (a.has("container-port")) c.container_port = static_cast<uint16_t>(a.number("container-port", 0));
  for (const auto& pair : a.all("env")) {  // checked
    const auto equals = pair.find('=');
    c.env[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  for (const auto& key : a.all("unset-env")) c.env.erase(key);
  if (a.has("command")) c.command = a.all("command");
  if (a.has("dockerfile")) c.dockerfile = a.one("dockerfile");
  if (a.has("health-command")) c.health_command = a.all("health-command");
  if (a.has("health-command")) c.health_tcp = false;
  if (a.has("health")) {
    c.health_tcp = a.one("health") == "tcp";
    c.health_command.clear();
  }
  if (a.has("before-start")) c.before_start = without_empty(a.all("before-start"));
  if (a.has("after-switch")) c.after_switch = without_empty(a.all("after-switch"));
  msg::server_spec limits;
  if (auto ok = limits_of(a, limits); !ok) return ok;
  if (limits.memory_max) c.memory_max = *limits.memory_max;
  if (limits.cpu_millis) c.cpu_millis = *limits.cpu_millis;
  if (a.has("build")) c.build = a.all("build");
  if (a.has("builder")) c.builder = a.one("builder");
  if (a.has("output")) c.output = a.one("output");
  if (a.has("build-network")) c.build_network = a.one("build-network") == "on";
  if (a.has("host")) c.hosts = a.all("host");
  if (a.has("route")) c.route = msg::enum_from_name<msg::route_kind>(a.one("route")).value_or(c.route);
  if (c.route == msg::route_kind::none && a.has("route")) c.hosts.clear();
  return {};
}

int create_service(session& s, const arguments& a) {
  auto parts = parts_of(a.one("SERVICE"));
  if (!parts) return s.report(parts.error());
  msg::create_service c;
  c.project = parts->first;
  c.name = parts->second;
  c.agent = a.one("agent");
  c.retention = a.count("retention", c.retention);
  c.health_path = a.one("health-path");
  c.port = static_cast<uint16_t>(a.number("port", 0));
  c.type = msg::enum_from_name<msg::service_kind>(a.one("kind", "static_site")).value_or(c.type);
  c.lives = a.time("lives").value_or(c.lives);
  if (auto ok = change_settings(c.settings, a); !ok) return s.report(ok.error());
  return perform_deploy(s, "service.create", a.one("SERVICE"), msg::pack_map(c));
}
int edit_service(session& s, const arguments& a) {
  msg::edit_service e;
  e.service = a.one("SERVICE");
  if (a.has("retention")) e.retention = a.count("retention", 0);
  e.health_path = given(a, "health-path");
  e.lives = a.time("lives");
  if (names_settings(a)) {
    auto v = s.ask<msg::service_view>("service.get", msg::get_service{e.service});
    if (!v) return s.report(v.error());
    e.settings = v->settings;  // masked values stay as they are
    if (auto ok = change_settings(*e.settings, a); !ok) return s.report(ok.error());
  }
  return perform_deploy(s, "service.edit", e.service, msg::pack_map(e));
}
// The secret is shown once, here.
int set_hook(session& s, const arguments& a) {
  msg::edit_service e;
  e.service = a.one("SERVICE");
  auto& h = e.hook.emplace();
  if (!a.has("remove")) {
    h.url = a.one("git");
    h.branch = a.one("ref", "main");
    h.folder = a.one("folder");
    h.paths = a.all("path");
    if (h.url.empty())
      return s.report(
          {msg::ec::bad_request, "a hook needs the repository that it deploys", "give --git URL, or --remove", {}});
    h.secret = new_secret();
  }
  const auto status = perform_deploy(s, "service.edit", e.service, msg::pack_map(e));
  if (status == exit_ok && !h.url.empty() && !s.flags().dry_run)
    s.print(fmt::format("URL     /api/hooks/{}   (of the manager's page; content type application/json)\nSecret  {}\n",
                        e.service, h.secret));
  return status;
}
int remove_service(session& s, const arguments& a) {
  const auto name = a.one("SERVICE");
  if (auto ok = confirm(s, fmt::format("{} and the files of all its deployments will be removed.", name)); !ok)
    return s.report(ok.error());
  return perform_deploy(s, "service.rm", name, msg::pack_map(msg::remove_service{name}));
}

int history(session& s, const arguments& a) {
  auto page =
      s.ask<msg::event_page>("service.history", msg::service_history{a.one("SERVICE"), a.count("limit", 100), 0});
  if (!page) return s.report(page.error());
  return s.show(*page, [&] {
    std::string out;
    const auto l = s.looks();
    for (const auto& e : page->events) out += fmt::format("{:>8}  {}\n", age_text(e.time, l), sentence(e.data));
    return out;
  });
}

std::vector<parameter> with_settings(std::vector<parameter> out) {
  using enum value_kind;
  const std::vector<parameter> more = {
      {"--container-port", port, "N", "Port on which the program in the container listens"},
      {"--env", pair, "K=V", "Environment variable of the container; its value is never shown", arity::any},
      {"--unset-env", text, "K", "Remove an environment variable", arity::any},
      {"--command", text, "WORD", "Command, one word per flag; default: the image's", arity::any},
      {"--dockerfile", text, "PATH", "Path in the source; default: Dockerfile"},
      {"--build", text, "WORD",
       "Static service: command that builds it, one word per flag: --build npm --build run --build build", arity::any},
      {"--builder", text, "IMAGE", "Image in which the build runs, in the folder of the source"},
      {"--output", text, "FOLDER", "Folder that is served after the build: dist"},
      {"--build-network",
       choice,
       "on|off",
       "Whether the build has a network; default off",
       arity::optional,
       {"on", "off"}},
      {"--memory", text, "SIZE", "Memory limit: 512m, 2g; 0: no limit"},
      {"--cpus", text, "N", "Limit of CPU cores: 1.5; 0: no limit"},
      {"--health-command", text, "WORD",
       "Health check run in the container, one word per flag; exit status 0 is healthy", arity::any},
      {"--health",
       choice,
       "H",
       "http (a request to its health path; the default) or tcp (its port must accept a connection)",
       arity::optional,
       {"http", "tcp"}},
      {"--before-start", text, "WORD",
       "Run once in a container of each new image before it is started, one word per flag; an empty word removes it",
       arity::any},
      {"--after-switch", text, "WORD", "The same, after visitors were switched to it; a failure there is only reported",
       arity::any},
      {"--route",
       choice,
       "R",
       "How visitors reach it: none (its port), caddy or traefik",
       arity::optional,
       {"none", "caddy", "traefik"}},
      {"--host", text, "NAME", "Host name that visitors use, with a route", arity::any}};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

}  // namespace

std::vector<command> project_commands() {
  using enum value_kind;
  const parameter project_name{"PROJECT", text, "", "Its name or id", arity::one};
  const parameter service_name{"SERVICE", text, "", "PROJECT/SERVICE, or its id", arity::one};
  const parameter description{"--description", text, "TEXT", "What it is"};
  const parameter domain{"--domain", text, "D", "Domain below which its services are reached"};
  const parameter retention{"--retention", number, "N", "Successful deployments whose files are kept, 1-50; default 5"};
  const parameter lives{"--lives", duration, "T",
                        "Removed automatically this long after its newest deployment; 0s, the default: never"};
  const parameter health{"--health-path", text, "PATH", "Path requested to check its health, below its own address"};
  return {
      {"project ls", "List projects, with their health", {}, projects, {"zedctl project ls"}},
      {"project get", "Show a project", {project_name}, project, {"zedctl project get shop"}},
      {"project create",
       "Create a project, which groups services",
       {{"NAME", text, "", "2-32 lower-case letters, digits and hyphens", arity::one}, description, domain},
       create_project,
       {"zedctl project create shop --description 'The shop'"}},
      {"project edit",
       "Change its description or base domain",
       {project_name, description, domain},
       edit_project,
       {"zedctl project edit shop --domain shop.example.org"}},
      {"project rm",
       "Forget a project that has no services",
       {project_name},
       remove_project,
       {"zedctl project rm shop"}},
      {"service ls",
       "List services, of one project or of all",
       {{"PROJECT", text, "", "Only those of this project"}},
       services,
       {"zedctl service ls", "zedctl service ls shop"}},
      {"service get", "Show a service", {service_name}, service, {"zedctl service get shop/web"}},
      {"service create",
       "Create a service in a project; versions are deployed to it",
       with_settings(
           {{"SERVICE", text, "", "PROJECT/NAME; the name has 2-32 lower-case letters, digits and hyphens", arity::one},
            {"--agent", agent, "A", "The agent whose host serves it", arity::one},
            retention,
            health,
            lives,
            {"--port", port, "N",
             "Port of the host: for all static services of the project there, or for this container; default: a free "
             "one "
             "from 8080 on"},
            {"--kind",
             choice,
             "K",
             "static_site (files) or container",
             arity::optional,
             {"static_site", "container"}}}),
       create_service,
       {"zedctl service create shop/web --agent host1",
        "zedctl service create shop/api --agent host1 --kind container --container-port 3000 --route caddy --host "
        "api.example.org"}},
      {"service edit",
       "Change its retention, its health check, or the settings used by the next deployment",
       with_settings({service_name, retention, health, lives}),
       edit_service,
       {"zedctl service edit shop/web --retention 10"}},
      {"service hook",
       "Deploy a service on each push to a repository; prints the address and the secret for GitHub, Gitea or GitLab",
       {service_name,
        {"--git", text, "URL", "The repository"},
        {"--ref", text, "BRANCH", "The branch whose pushes are deployed; default main"},
        {"--folder", text, "F", "The folder of it that is served"},
        {"--path", text, "P", "Only pushes that change something below this path", arity::any},
        {"--remove", none, "", "Remove the hook"}},
       set_hook,
       {"zedctl service hook shop/web --git https://example.org/shop.git --folder public"}},
      {"service rm",
       "Remove a service, with the files of all its deployments",
       {service_name},
       remove_service,
       {"zedctl service rm shop/web"}},
      {"service history",
       "What happened to a service, newest first",
       {service_name, {"--limit", number, "N", "At most this many entries; default 100"}},
       history,
       {"zedctl service history shop/web"}},
  };
}

}  // namespace zedops::ctl
