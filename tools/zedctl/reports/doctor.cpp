#include "tools/zedctl/reports/doctor.hpp"

#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "bus/security/accounts.hpp"
#include "bus/security/key_ring.hpp"
#include "messages/base/names.hpp"
#include "tools/zedctl/cli/commands.hpp"
#include "tools/zedctl/output/json_text.hpp"
#include "tools/zedctl/verbs/verbs.hpp"

namespace zedops::ctl {
namespace {

constexpr std::array verdict_words = {"ok", "warn", "fail"};

finding versions(const msg::manager_status& status) {
  auto detail = fmt::format("zedctl {}, manager {}", ZEDOPS_VERSION, status.version);
  if (status.version == ZEDOPS_VERSION) return {verdict::ok, "versions", detail, {}};
  return {verdict::warn, "versions", detail, "install the same version on both sides"};
}

// The manager heard from online agents a moment ago; if that is not now by our clock, the two clocks differ.
finding clocks(const std::vector<msg::agent_view>& agents, msg::time_point now) {
  msg::optional_time newest;
  for (const auto& a : agents)
    if (a.status == msg::agent_status::online && a.last_seen)
      newest = std::max(newest.value_or(*a.last_seen), *a.last_seen);
  if (!newest) return {verdict::ok, "clock", "not checked: no agent is online to compare with", {}};
  auto skew = now - *newest;
  auto size = skew < msg::duration{0} ? -skew : skew;
  if (size <= clock_skew_max) return {verdict::ok, "clock", "agrees with the manager's", {}};
  return {verdict::warn, "clock", fmt::format("differs from the manager's by about {}", msg::format_age(size)),
          "run a time service (chrony, systemd-timesyncd) on both machines"};
}

finding of_agent(const msg::agent_view& a, const msg::manager_status& status, msg::time_point now) {
  auto check = "agent " + a.name;
  if (a.status != msg::agent_status::online)
    return {a.status == msg::agent_status::suspect ? verdict::warn : verdict::fail, check,
            fmt::format("{}, last seen {}", name_of(a.status),
                        a.last_seen ? msg::format_age(now - *a.last_seen) + " ago" : "never"),
            fmt::format("check zedops-agent on {} and the network in between",
                        a.hostname.empty() ? "its host" : a.hostname)};
  if (a.recovery_held)
    return {
        verdict::warn, check, "most of its servers were gone at once, so automatic recovery is held",
        fmt::format("find out where their containers went; to have them made again: zedctl agent recover {}", a.name)};
  if (!a.engine_ok)
    return {
        verdict::fail, check,
        a.engine_problem.empty() ? "online, but its Docker Engine does not answer" : "online, but " + a.engine_problem,
        fmt::format("on {}: see systemctl status docker, and check that the agent may open the Engine's socket",
                    a.hostname)};
  if (a.version != status.version)
    return {verdict::warn, check, fmt::format("version {}, the manager has {}", a.version, status.version),
            "install the same version on both sides"};
  return {verdict::ok, check, fmt::format("online, engine {}, {}", a.engine_version, counted(a.servers, "server")), {}};
}

finding servers(const msg::manager_status& status) {
  uint64_t bad = 0;
  std::vector<std::string> parts;
  for (const auto& [state, n] : status.servers) {
    if (n > 0) parts.push_back(fmt::format("{} {}", n, state));
    if (state == "failed" || state == "missing") bad += n;
  }
  auto detail = parts.empty() ? std::string("none") : joined(parts);
  if (bad == 0) return {verdict::ok, "servers", detail, {}};
  return {verdict::warn, "servers", detail,
          "zedctl server ls --status missing (or failed), then zedctl server explain NAME"};
}

constexpr uint64_t free_bytes_min = 1ull << 30;
constexpr double free_share_min = 0.05;

// What can be checked when the manager's data is on this machine and this user may read it.
std::vector<finding> of_files(const std::filesystem::path& dir) {
  std::vector<finding> out;
  std::error_code wrong;
  if (dir.empty() || !std::filesystem::is_directory(dir, wrong)) return out;
  const auto space = std::filesystem::space(dir, wrong);
  if (!wrong && space.capacity > 0) {
    const auto detail = fmt::format("{} free of {} at {}", msg::format_bytes(space.available),
                                    msg::format_bytes(space.capacity), dir.string());
    const bool low = space.available < free_bytes_min ||
                     static_cast<double>(space.available) < free_share_min * static_cast<double>(space.capacity);
    out.push_back(
        low ? finding{verdict::warn, "disk", detail, "free some space: a store that cannot grow accepts no change"}
            : finding{verdict::ok, "disk", detail, {}});
  }
  if (::access(dir.c_str(), R_OK | X_OK) != 0) return out;
  const auto keys = bus::read_keys(dir / bus::authorized_keys_name);
  if (!keys) out.push_back({verdict::fail, "keys", keys.error().message, keys.error().hint});
  else if (!keys->empty()) out.push_back({verdict::ok, "keys", counted(keys->size(), "key"), {}});
  const auto accounts = bus::read_accounts(dir / bus::accounts_name);
  if (!accounts) out.push_back({verdict::fail, "users", accounts.error().message, accounts.error().hint});
  return out;
}

finding of_web(const msg::manager_status& status) {
  const auto open = status.counters.find("web_connections");
  if (open == status.counters.end()) return {verdict::ok, "page", "not served: HTTP is off", {}};
  return {verdict::ok, "page", fmt::format("served; {} open now", counted(open->second, "connection")), {}};
}

// The endpoints, then what the manager reports.
std::vector<finding> all_findings(session& s) {
  std::vector<finding> out;
  auto where = s.where();
  if (!where) return {{verdict::fail, "endpoint", where.error().message, where.error().hint}};
  auto t = s.connection();
  if (!t) return {{verdict::fail, "endpoint", t.error().message, t.error().hint}};
  out.push_back({verdict::ok, "endpoint", fmt::format("{} ({})", where->where.clients, where->origin), {}});
  auto status = s.ask<msg::manager_status>("status", msg::get_status{}, knock_max);
  if (!status) {
    out.push_back({verdict::fail, "manager", status.error().message,
                   "its socket is open but it does not answer: check its log, then restart it"});
    return out;
  }
  auto source = (*t)->events({{}, {}});
  if (source) out.push_back({verdict::ok, "events", where->where.events, {}});
  else out.push_back({verdict::fail, "events", source.error().message, source.error().hint});
  auto agents = s.ask<msg::agent_list>("agent.ls", msg::list_agents{}, knock_max);
  if (!agents) out.push_back({verdict::fail, "agents", agents.error().message, agents.error().hint});
  out.push_back(of_web(*status));
  for (auto& f : of_files(status->data_dir)) out.push_back(std::move(f));
  for (auto& f : examine(*status, agents ? agents->agents : std::vector<msg::agent_view>{}, s.outside().now()))
    out.push_back(std::move(f));
  return out;
}

int doctor(session& s, const arguments&) {
  auto findings = all_findings(s);
  if (s.was_interrupted()) return exit_interrupted;
  bool failed = std::ranges::any_of(findings, [](const finding& f) { return f.level == verdict::fail; });
  if (s.machine()) {
    std::vector<std::string> rows;
    for (const auto& f : findings)
      rows.push_back(object_json({{"verdict", verdict_words[static_cast<size_t>(f.level)]},
                                  {"check", f.check},
                                  {"detail", f.detail},
                                  {"remedy", f.remedy}},
                                 -1));
    s.print(s.structured(array_json(rows)));
    return failed ? exit_failed : exit_ok;
  }
  constexpr std::array styles = {style::good, style::warn, style::bad};
  table t({"VERDICT", "CHECK", "DETAIL", "REMEDY"});
  for (const auto& f : findings) {
    auto level = static_cast<size_t>(f.level);
    t.add({{verdict_words[level], styles[level]}, {f.check}, {f.detail}, {f.remedy}});
  }
  s.print(s.render(t));
  return failed ? exit_failed : exit_ok;
}

}  // namespace

std::vector<finding> examine(const msg::manager_status& status, const std::vector<msg::agent_view>& agents,
                             msg::time_point now) {
  std::vector<finding> out;
  out.push_back(
      {verdict::ok,
       "manager",
       fmt::format("{}, up {}", status.manager_id, status.started_at ? msg::format_age(now - *status.started_at) : "?"),
       {}});
  out.push_back(versions(status));
  out.push_back(clocks(agents, now));
  out.push_back({verdict::ok,
                 "store",
                 fmt::format("{}, epoch {}, events {} to {}", msg::format_bytes(status.store_bytes), status.epoch,
                             status.oldest_seq, status.last_seq),
                 {}});
  if (agents.empty())
    out.push_back(
        {verdict::warn, "agents", "none is known", "start zedops-agent on a Docker host and point it at this manager"});
  for (const auto& a : agents) out.push_back(of_agent(a, status, now));
  out.push_back(servers(status));
  return out;
}

namespace {

std::string status_text(const msg::manager_status& m, const look& l) {
  sheet page;
  page.add("Manager", m.manager_id, style::strong);
  page.add("Version", m.version);
  page.add("Started", ago_text(m.started_at, l));
  page.add("Agents", fmt::format("{} of {} online", m.agents_online, m.agents),
           m.agents_online < m.agents ? style::warn : style::plain);
  std::vector<std::string> parts;
  for (const auto& [state, n] : m.servers)
    if (n > 0) parts.push_back(fmt::format("{} {}", n, state));
  page.add("Servers", parts.empty() ? "none" : joined(parts));
  page.add("Operations", fmt::format("{} open", m.operations_open));
  page.add("Store", fmt::format("{}, epoch {}", msg::format_bytes(m.store_bytes), m.epoch));
  page.add("Events", fmt::format("{0}:{1} to {0}:{2}", m.epoch, m.oldest_seq, m.last_seq));
  page.add("Term", std::to_string(m.term));
  page.add("Templates", joined(m.templates));
  return page.render(l.colour);
}

int status(session& s, const arguments&) {
  auto m = s.ask<msg::manager_status>("status", msg::get_status{});
  if (!m) return s.report(m.error());
  return s.show(*m, [&] { return status_text(*m, s.looks()); });
}

int metrics(session& s, const arguments&) {
  auto m = s.ask<msg::metrics_reply>("metrics", msg::get_metrics{});
  if (!m) return s.report(m.error());
  if (s.machine()) return s.show(*m, [] { return std::string{}; });
  s.print(m->text);
  return exit_ok;
}
int log_level(session& s, const arguments& a) {
  auto set = s.ask<msg::log_level_reply>("manager.log-level", msg::set_log_level{a.one("LEVEL")});
  if (!set) return s.report(set.error());
  if (s.machine()) return s.show(*set, [] { return std::string{}; });
  s.say(fmt::format("the manager logs {} and above, until its next start", set->level));
  return exit_ok;
}

}  // namespace

std::vector<command> manager_commands() {
  return {
      {"status", "The manager itself: agents, servers, store", {}, status, {"zedctl status", "zedctl status -o json"}},
      {"doctor", "Check everything from zedctl to the Docker Engines, with remedies", {}, doctor, {"zedctl doctor"}},
      {"metrics", "Metrics of the manager, in the Prometheus format", {}, metrics, {"zedctl metrics"}},
      {"log-level",
       "Set how much the manager logs, until its next start",
       {{"LEVEL",
         value_kind::choice,
         "",
         "The lowest level that is written",
         arity::one,
         {"trace", "debug", "info", "warn", "error"}}},
       log_level,
       {"zedctl log-level debug"}},
  };
}

}  // namespace zedops::ctl
