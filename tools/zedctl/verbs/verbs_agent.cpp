// Agents and their ports.
#include <fmt/format.h>

#include <charconv>

#include "messages/base/names.hpp"
#include "tools/zedctl/cli/commands.hpp"
#include "tools/zedctl/input/confirm.hpp"
#include "tools/zedctl/reports/describe.hpp"
#include "tools/zedctl/verbs/verbs.hpp"

namespace zedops::ctl {
namespace {

std::string agent_lines(const session& s, const std::vector<msg::agent_view>& list) {
  std::string out;
  if (s.flags().quiet || s.flags().output == form::name) {
    for (const auto& a : list) (out += s.flags().quiet ? a.id.value : a.name) += '\n';
    return out;
  }
  bool wide = s.flags().output == form::wide;
  table t(wide ? std::vector<std::string_view>{"NAME", "ID", "STATUS", "SERVERS", "RUNNING", "ENGINE", "API", "HOST",
                                               "DATA PATH", "VERSION", "LAST SEEN", "LAST SYNC"}
               : std::vector<std::string_view>{"NAME", "STATUS", "SERVERS", "RUNNING", "ENGINE", "HOST", "LAST SEEN"});
  auto l = s.looks();
  for (const auto& a : list) {
    auto status = agent_phrase(a, l);
    if (wide)
      t.add({{a.name},
             {a.id.value},
             status,
             {std::to_string(a.servers)},
             {std::to_string(a.running)},
             {a.engine_version},
             {a.api_version},
             {a.hostname},
             {a.data_path},
             {a.version},
             {ago_text(a.last_seen, l)},
             {ago_text(a.last_sync, l)}});
    else
      t.add({{a.name},
             status,
             {std::to_string(a.servers)},
             {std::to_string(a.running)},
             {a.engine_version},
             {a.hostname},
             {ago_text(a.last_seen, l)}});
  }
  return s.render(t);
}

msg::error with_agent_guess(session& s, msg::error e, const std::string& name) {
  if (e.code != msg::ec::not_found || e.hint.find("did you mean") != std::string::npos) return e;
  auto known = s.ask<msg::agent_list>("agent.ls", msg::list_agents{});
  if (!known) return e;
  std::vector<std::string> names;
  for (const auto& a : known->agents) names.push_back(a.name);
  if (auto guess = msg::did_you_mean(name, names); !guess.empty()) e.hint = guess;
  else if (e.hint.empty()) e.hint = "zedctl agent ls shows every agent";
  return e;
}

msg::result<msg::agent_view> one_agent(session& s, const std::string& name) {
  auto a = s.ask<msg::agent_view>("agent.get", msg::get_agent{name});
  if (!a) return msg::fail(with_agent_guess(s, a.error(), name));
  return a;
}

int ls(session& s, const arguments&) {
  auto list = s.ask<msg::agent_list>("agent.ls", msg::list_agents{});
  if (!list) return s.report(list.error());
  if (list->agents.empty() && !s.machine()) {
    s.say("No agents. Start zedops-agent on a Docker host and point it at this manager.");
    return exit_ok;
  }
  return s.show(*list, [&] { return agent_lines(s, list->agents); });
}

int get(session& s, const arguments& a) {
  return for_each_name(s, a.all("NAME"), [&](const std::string& name) -> msg::result<std::string> {
    auto v = one_agent(s, name);
    if (!v) return msg::fail(v.error());
    return s.machine() ? msg::to_json(*v, 2) : agent_lines(s, {*v});
  });
}

// Why nothing can be said about its data root, as a look at one of its servers reports it; empty: it is fine. The
// records only hold what was last known.
std::string data_trouble(session& s, const msg::agent_view& a) {
  if (a.status != msg::agent_status::online) return {};
  msg::list_servers query;
  query.all = true;
  query.agent = a.name;
  query.where.limit = 1;
  auto list = s.ask<msg::server_list>("server.ls", query, knock_max);
  if (!list || list->servers.empty()) return {};
  auto look = s.ask<msg::data_reply>("server.check-data", msg::check_data{{list->servers.front().id.value}, false, {}},
                                     knock_max);
  if (!look) return "cannot be checked: " + look.error().message;
  if (look->servers.empty() || look->servers.front().state != msg::data_state::unknown) return {};
  return "unknown: " + look->servers.front().problem;
}

int describe(session& s, const arguments& a) {
  return for_each_name(s, a.all("NAME"), [&](const std::string& name) -> msg::result<std::string> {
    auto v = one_agent(s, name);
    if (!v) return msg::fail(v.error());
    return s.machine() ? msg::to_json(*v, 2) : describe_text(*v, data_trouble(s, *v), s.looks());
  });
}

int rm(session& s, const arguments& a) {
  return for_each_name(s, a.all("NAME"), [&](const std::string& name) -> msg::result<std::string> {
    if (!s.flags().yes || s.flags().dry_run) {
      auto v = one_agent(s, name);
      if (!v) return msg::fail(v.error());
      auto text = fmt::format("Forget agent {}: {} on it, status {}.", v->name, counted(v->servers, "server"),
                              name_of(v->status));
      if (s.flags().dry_run) return s.machine() ? msg::to_json(*v, 2) : text + '\n';
      if (auto ok = confirm(s, text); !ok) return msg::fail(ok.error());
    }
    auto gone = s.ask<msg::agent_view>("agent.rm", msg::remove_agent{name, true});
    if (!gone) return msg::fail(with_agent_guess(s, gone.error(), name));
    return s.machine() ? msg::to_json(*gone, 2) : fmt::format("Forgot agent {}\n", gone->name);
  });
}

std::string consequence_of(const msg::forget_reply& r) {
  auto text = fmt::format("Give up agent {}, last seen {}: its {} and {} are lost for good.\n", r.agent.name,
                          r.agent.last_seen ? msg::to_rfc3339(*r.agent.last_seen) : std::string("never"),
                          counted(r.servers, "server"), counted(r.operations, "open operation"));
  for (const auto& line : r.plan) text += "  " + line + '\n';
  return text + "If that host comes back, its containers keep running unmanaged; remove them there by hand.";
}

// Its host is lost: everything on it is given up, so that names become free and nothing waits for it any more.
int forget(session& s, const arguments& a) {
  const auto name = a.one("NAME");
  msg::forget_agent query{name, a.has("lost"), {}};
  auto v = one_agent(s, name);
  if (!v) return s.report(v.error());
  auto plan = s.ask_plan<msg::forget_reply>("agent.forget", query);
  if (!plan) return s.report(plan.error());
  if (s.flags().dry_run) return s.show(*plan, [&] { return consequence_of(*plan) + '\n'; });
  if (auto ok = confirm_by_typing(s, consequence_of(*plan), plan->agent.name); !ok) return s.report(ok.error());
  query.confirm = plan->agent.name;
  auto gone = s.ask<msg::forget_reply>("agent.forget", query, patient_read_max);
  if (!gone) return s.report(gone.error());
  return s.show(*gone, [&] {
    return fmt::format("Gave up agent {} and {}\n", gone->agent.name, counted(gone->servers, "server"));
  });
}

int recover(session& s, const arguments& a) {
  return for_each_name(s, a.all("NAME"), [&](const std::string& name) -> msg::result<std::string> {
    auto v = s.ask<msg::agent_view>("agent.recover", msg::recover_agent{name});
    if (!v) return msg::fail(with_agent_guess(s, v.error(), name));
    return s.machine() ? msg::to_json(*v, 2) : fmt::format("The servers of {} recover automatically again\n", v->name);
  });
}

int token(session& s, const arguments& a) {
  msg::make_token t;
  t.agent = a.one("name");
  t.approve = a.has("approve");
  t.replace = a.has("replace");
  t.ttl = a.time("ttl").value_or(t.ttl);
  auto reply = s.ask<msg::token_reply>("agent.token", t);
  if (!reply) return s.report(reply.error());
  s.say(fmt::format("On the host of {}, as root, until {}:", reply->agent, msg::to_rfc3339(reply->expires_at)));
  return s.show(*reply, [&] { return fmt::format("zedops-agent join '{}'\n", reply->line); });
}

int approve(session& s, const arguments& a) {
  return for_each_name(s, a.all("NAME"), [&](const std::string& name) -> msg::result<std::string> {
    auto r = s.ask<msg::enrol_reply>("agent.approve", msg::approve_agent{name});
    if (!r) return msg::fail(r.error());
    return s.machine() ? msg::to_json(*r, 2) : fmt::format("Agent {} may connect\n", r->agent);
  });
}

// "16261/udp"; without a protocol both are meant. The text was checked when it was parsed.
void add_ports(const std::string& text, std::vector<msg::port_ref>& out) {
  uint16_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  if (!text.ends_with("/tcp")) out.push_back({number, msg::protocol::udp});
  if (!text.ends_with("/udp")) out.push_back({number, msg::protocol::tcp});
}

int check(session& s, const arguments& a) {
  msg::check_ports query{a.one("agent"), {}};
  for (const auto& text : a.all("PORT")) add_ports(text, query.ports);
  auto reply = s.ask<msg::ports_reply>("port.check", query);
  if (!reply) return s.report(with_agent_guess(s, reply.error(), query.agent));
  if (!reply->host_checked) s.say("the agent cannot see its host's ports: only servers and containers were checked");
  return s.show(*reply, [&] {
    table t({"PORT", "TAKEN BY", "DETAIL"});
    for (const auto& p : reply->ports)
      t.add({{fmt::format("{}/{}", p.number, name_of(p.proto))},
             {std::string(name_of(p.taken_by)), p.taken_by == msg::port_owner::free ? style::good : style::warn},
             {p.detail}});
    return s.render(t);
  });
}

int suggest(session& s, const arguments& a) {
  msg::suggest_ports query;
  query.agent = a.one("agent");
  query.template_name = a.one("template", query.template_name);
  query.count = a.count("count", 1);
  auto reply = s.ask<msg::suggest_reply>("port.suggest", query);
  if (!reply) return s.report(with_agent_guess(s, reply.error(), query.agent));
  return s.show(*reply, [&] {
    table t({"GAME", "UDP", "RCON"});
    auto text = [](uint16_t n) { return n == 0 ? std::string{} : std::to_string(n); };
    for (const auto& p : reply->suggestions) t.add({{text(p.game_port)}, {text(p.udp_port)}, {text(p.rcon_port)}});
    return s.render(t);
  });
}

}  // namespace

std::vector<command> agent_commands() {
  using enum value_kind;
  const parameter names{"NAME", agent, "", "Name or id of the agent", arity::some};
  const parameter where{"--agent", agent, "A", "On this agent's host", arity::one};
  return {
      {"agent ls", "List agents", {}, ls, {"zedctl agent ls -o wide"}},
      {"agent get",
       "Show agents, one line each; all fields with -o json",
       {names},
       get,
       {"zedctl agent get host1 -o json"}},
      {"agent describe", "One screen about an agent", {names}, describe, {"zedctl agent describe host1"}},
      {"agent rm", "Forget an agent that has no servers", {names}, rm, {"zedctl agent rm host1"}},
      {"agent forget",
       "Give up an agent whose host is lost for good, and its servers with it",
       {{"NAME", agent, "", "Name or id of the agent", arity::one},
        {"--lost", none, "", "Confirms that its host will not come back; required"}},
       forget,
       {"zedctl agent forget --lost host1 --dry-run", "zedctl agent forget --lost host1"}},
      {"agent recover",
       "Resume automatic recovery, held because most of its servers were gone at once",
       {names},
       recover,
       {"zedctl agent recover host1"}},
      {"agent token",
       "Print the line with which a host enrols its agent, once",
       {{"--name", text, "NAME", "Name of the agent", arity::one},
        {"--ttl", duration, "TIME", "How long the line is valid; default 1h"},
        {"--approve", none, "", "It may connect only after zedctl agent approve"},
        {"--replace", none, "",
         "Even if an agent of this name has a key, which is revoked when the new one has enrolled"}},
       token,
       {"zedctl agent token --name host2", "zedctl agent token --name host2 --ttl 10m --approve"}},
      {"agent approve",
       "Approve an agent that has enrolled and waits",
       {{"NAME", text, "", "Name of the agent", arity::some}},
       approve,
       {"zedctl agent approve host2"}},
      {"port check",
       "Show which of these ports are taken, and by what",
       {{"PORT", port_spec, "", "Number, with /udp or /tcp; without: both", arity::some}, where},
       check,
       {"zedctl port check --agent host1 16261/udp 27015/tcp"}},
      {"port suggest",
       "Free ports for a new server",
       {where,
        {"--template", template_name, "T", "For this kind of server; default project-zomboid"},
        {"--count", number, "N", "Number of suggestions; default 1"}},
       suggest,
       {"zedctl port suggest --agent host1"}},
  };
}

}  // namespace zedops::ctl
