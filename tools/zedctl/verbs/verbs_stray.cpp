// Stray containers, and where the hosts differ from the records.
#include <fmt/format.h>

#include "tools/zedctl/cli/commands.hpp"
#include "tools/zedctl/input/confirm.hpp"
#include "tools/zedctl/verbs/verbs.hpp"

namespace zedops::ctl {
namespace {

std::string stray_lines(const session& s, const std::vector<msg::stray_view>& list) {
  if (s.flags().quiet || s.flags().output == form::name) {
    std::string out;
    for (const auto& x : list) out += (s.flags().quiet ? x.id : x.container) + '\n';
    return out;
  }
  const auto l = s.looks();
  table t({"CONTAINER", "AGENT", "IMAGE", "OF", "RUNS", "SEEN FOR", "REMOVED AT"});
  for (const auto& x : list)
    t.add({{x.container},
           {x.agent},
           {x.image},
           {x.of},
           {x.running ? "yes" : "no"},
           {age_text(x.seen_since, l)},
           {x.goes_at ? msg::to_rfc3339(*x.goes_at) : std::string{"-"}}});
  return s.render(t);
}

void tell_unasked(session& s, const msg::stray_list& list) {
  for (const auto& a : list.unasked) s.say("agent " + a + " could not be asked");
}

int ls(session& s, const arguments& a) {
  auto list = s.ask<msg::stray_list>("stray.ls", msg::list_strays{a.one("agent")});
  if (!list) return s.report(list.error());
  tell_unasked(s, *list);
  if (list->strays.empty() && !s.machine()) {
    s.say("No strays: every container of a service belongs to an existing one");
    return exit_ok;
  }
  return s.show(*list, [&] { return stray_lines(s, list->strays); });
}

int rm(session& s, const arguments& a) {
  const auto name = a.one("CONTAINER");
  if (s.flags().dry_run) {
    auto list = s.ask<msg::stray_list>("stray.ls", msg::list_strays{a.one("agent")});
    if (!list) return s.report(list.error());
    std::erase_if(list->strays, [&](const auto& x) { return x.container != name && x.id != name; });
    if (list->strays.empty())
      return s.report(
          {msg::ec::not_found, "'" + name + "' is not a stray container on that host", "zedctl stray ls", {}});
    s.print(fmt::format("would stop and remove {}\n", list->strays.front().container));
    return exit_ok;
  }
  if (auto ok = confirm(s, fmt::format("The container {} will be removed.", name)); !ok) return s.report(ok.error());
  auto gone = s.ask<msg::stray_list>("stray.rm", msg::remove_stray{a.one("agent"), name}, patient_read_max);
  if (!gone) return s.report(gone.error());
  return s.show(*gone, [&] { return fmt::format("Removed {}\n", name); });
}

// What a reconciliation would find, judged by what is known already: nothing is done.
int dry_run(session& s, const std::string& agent) {
  auto servers = s.ask<msg::server_list>("server.ls", msg::list_servers{});
  if (!servers) return s.report(servers.error());
  auto services = s.ask<msg::service_list>("service.ls", msg::list_services{});
  if (!services) return s.report(services.error());
  auto strays = s.ask<msg::stray_list>("stray.ls", msg::list_strays{agent});
  if (!strays) return s.report(strays.error());
  size_t found = 0;
  const auto line = [&](const std::string& where, const std::string& text) {
    if (!agent.empty() && where != agent) return;
    ++found;
    s.print(text + "\n");
  };
  for (const auto& v : servers->servers) {
    const bool ought = v.desired_state == msg::desired_state::running, runs = v.status == msg::server_status::running;
    if (ought != runs && !v.operation)
      line(v.agent, fmt::format("server {}: is {}, should be {}", v.name, name_of(v.status), name_of(v.desired_state)));
    else if (!v.drift.empty()) line(v.agent, fmt::format("server {}: {}", v.name, v.drift));
  }
  for (const auto& v : services->services)
    if (v.health == msg::service_health::degraded || v.health == msg::service_health::unhealthy)
      line(v.agent, fmt::format("service {}/{}: {}: {}", v.project, v.name, name_of(v.health), v.health_reason));
  for (const auto& x : strays->strays)
    line(x.agent, fmt::format("container {}: is a stray{}", x.container,
                              x.goes_at ? ", is removed at " + msg::to_rfc3339(*x.goes_at) : std::string{}));
  tell_unasked(s, *strays);
  s.say(found == 0 ? "Everything is as it should be" : "Nothing was changed");
  return exit_ok;
}

int reconcile(session& s, const arguments& a) {
  if (s.flags().dry_run) return dry_run(s, a.one("agent"));
  auto r = s.ask<msg::sync_reply>("server.sync", msg::sync_agents{a.one("agent"), {}}, patient_read_max);
  if (!r) return s.report(r.error());
  return s.show(*r, [&] {
    table t({"AGENT", "SERVERS", "CONTAINERS", "CHANGED", "PROBLEM"});
    for (const auto& row : r->agents)
      t.add({{row.agent},
             {std::to_string(row.servers)},
             {std::to_string(row.containers)},
             {joined(row.changed)},
             {row.failure ? row.failure->message : std::string{}}});
    return s.render(t);
  });
}

}  // namespace

std::vector<command> stray_commands() {
  using enum value_kind;
  const parameter on{"--agent", agent, "A", "Only this one"};
  return {
      {"stray ls",
       "List containers whose service no longer exists, and when they are removed",
       {on},
       ls,
       {"zedctl stray ls"}},
      {"stray rm",
       "Remove such a container now",
       {{"CONTAINER", text, "", "Its name or id", arity::one}, {"--agent", agent, "A", "Its host", arity::one}},
       rm,
       {"zedctl stray rm zedops-shop.api-3 --agent host1"}},
      {"reconcile",
       "Compare all records with what the hosts have, now; with --dry-run: print what is not as it should be",
       {on},
       reconcile,
       {"zedctl reconcile", "zedctl reconcile --dry-run"}},
  };
}

}  // namespace zedops::ctl
