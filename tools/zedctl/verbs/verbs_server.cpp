// Reads about servers.
#include <fmt/format.h>

#include <algorithm>

#include "messages/base/names.hpp"
#include "tools/zedctl/cli/commands.hpp"
#include "tools/zedctl/input/moment.hpp"
#include "tools/zedctl/reports/describe.hpp"
#include "tools/zedctl/verbs/verbs.hpp"

namespace zedops::ctl {
namespace {

constexpr uint32_t described_history = 50;

msg::result<msg::server_view> one_server(session& s, const std::string& name, msg::time_point at = msg::never) {
  auto v = s.ask<msg::server_view>("server.get", msg::get_server{name, at});
  if (!v) return msg::fail(with_guess(s, v.error(), name));
  return v;
}

msg::result<msg::event_page> history_of(session& s, const std::string& name, uint32_t limit) {
  auto page = s.ask<msg::event_page>("server.history", msg::server_history{name, limit, 0});
  if (!page) return msg::fail(with_guess(s, page.error(), name));
  return page;
}

int ls(session& s, const arguments& a) {
  msg::list_servers query;
  query.all = a.has("all");
  query.agent = a.one("agent");
  query.status = a.one("status");
  query.condition = a.one("condition");
  if (!query.status.empty() && query.status.starts_with("del")) query.all = true;
  if (a.has("watch")) return watch_servers(s, query);
  auto list = all_servers(s, query);
  if (!list) return s.report(list.error());
  if (auto ok = sort_servers(list->servers, a.one("sort")); !ok) return s.report(ok.error());
  if (list->servers.empty() && !s.machine())
    s.say(query.agent.empty() && query.status.empty() && query.condition.empty()
              ? "No servers. Create one with: zedctl server create NAME --agent A --image REPO --tag TAG"
              : "No servers match.");
  if (list->hidden > 0) s.say(fmt::format("{} not shown; --all shows them", counted(list->hidden, "deleted server")));
  if (list->servers.empty() && !s.machine()) return exit_ok;
  return s.show(*list, [&] { return server_lines(s, list->servers); });
}

// The moment that --at names; `never`: now.
msg::result<msg::time_point> at_of(session& s, const arguments& a) {
  return a.has("at") ? moment_of(s, a.one("at")) : msg::never;
}

int get(session& s, const arguments& a) {
  auto at = at_of(s, a);
  if (!at) return s.report(at.error());
  return for_each_name(s, a.all("NAME"), [&](const std::string& name) -> msg::result<std::string> {
    auto v = one_server(s, name, *at);
    if (!v) return msg::fail(v.error());
    return s.machine() ? msg::to_json(*v, 2) : server_lines(s, {*v});
  });
}

int describe(session& s, const arguments& a) {
  return for_each_name(s, a.all("NAME"), [&](const std::string& name) -> msg::result<std::string> {
    auto v = one_server(s, name);
    if (!v) return msg::fail(v.error());
    if (s.machine()) return msg::to_json(*v, 2);
    auto page = history_of(s, v->id.value, described_history);
    if (!page) return msg::fail(page.error());
    return describe_text(*v, page->events, s.looks(), v->container_id.empty() ? "" : layer_text(s, v->id.value));
  });
}

int explain(session& s, const arguments& a) {
  return for_each_name(s, a.all("NAME"), [&](const std::string& name) -> msg::result<std::string> {
    auto e = s.ask<msg::explanation>("server.explain", msg::explain_server{name});
    if (!e) return msg::fail(with_guess(s, e.error(), name));
    return s.machine() ? msg::to_json(*e, 2) : explain_text(*e, s.looks(), s.flags().output == form::wide);
  });
}

// The newest `limit` events up to `at`; what is newer is read, page by page, and left out.
msg::result<msg::event_page> history_until(session& s, const std::string& name, uint32_t limit, msg::time_point at) {
  msg::server_history ask{name, page_rows, 0};
  msg::event_page out;
  do {
    auto page = s.ask<msg::event_page>("server.history", ask);
    if (!page) return msg::fail(with_guess(s, page.error(), name));
    const auto before = ask.before;
    if (!page->events.empty()) ask.before = page->events.back().seq;
    std::erase_if(page->events, [&](const msg::event& e) { return e.time > at; });
    std::move(page->events.begin(), page->events.end(), std::back_inserter(out.events));
    page->events = std::move(out.events);
    out = std::move(*page);
    if (out.end || ask.before == before) break;
  } while (out.events.size() < limit);
  if (out.events.size() > limit) out.events.resize(limit);
  out.cursor = out.events.empty() ? out.cursor : msg::cursor_text(out.events.front());
  return out;
}

int history(session& s, const arguments& a) {
  auto at = at_of(s, a);
  if (!at) return s.report(at.error());
  const auto name = a.one("NAME");
  const auto limit = a.count("limit", 200);
  auto page = *at == msg::never ? history_of(s, name, limit) : history_until(s, name, limit, *at);
  if (!page) return s.report(page.error());
  if (*at != msg::never && !s.machine()) {
    auto then = one_server(s, name, *at);
    if (!then) return s.report(then.error());
    s.print(server_lines(s, {*then}) + '\n');
  }
  if (page->gap_to > 0) s.say("older events are no longer kept");
  return s.show(*page, [&] {
    auto t = history_table();
    auto l = s.looks();
    for (const auto& e : page->events) add_row(t, e, l);
    return s.render(t);
  });
}

int sync(session& s, const arguments& a) {
  auto reply = s.ask<msg::sync_reply>("server.sync", msg::sync_agents{a.one("agent"), a.one("NAME")}, patient_read_max);
  if (!reply) return s.report(reply.error());
  tally count;
  for (const auto& row : reply->agents) count.add(row.failure ? session::exit_status(*row.failure) : exit_ok);
  s.show(*reply, [&] {
    table t({"AGENT", "SERVERS", "CONTAINERS", "CHANGED", "UNCLAIMED", "PROBLEM"});
    for (const auto& row : reply->agents)
      t.add({{row.agent},
             {std::to_string(row.servers)},
             {std::to_string(row.containers)},
             {std::to_string(row.changed.size())},
             {std::to_string(row.unclaimed.size())},
             {row.failure ? row.failure->message : "", style::bad}});
    return s.render(t);
  });
  for (const auto& row : reply->agents) {
    if (!row.changed.empty()) s.say(fmt::format("{}: changed: {}", row.agent, joined(row.changed)));
    if (!row.unclaimed.empty())
      s.say(fmt::format("{}: zedops containers without a server: {}", row.agent, joined(row.unclaimed)));
    if (row.failure && !row.failure->hint.empty()) s.say(fmt::format("{}: next: {}", row.agent, row.failure->hint));
  }
  return count.status();
}

int check_data(session& s, const arguments& a) {
  auto reply =
      s.ask<msg::data_reply>("server.check-data", msg::check_data{a.all("NAME"), a.has("sizes"), {}}, patient_read_max);
  if (!reply) return s.report(reply.error());
  return s.show(*reply, [&] {
    table t({"NAME", "AGENT", "STATE", "SIZE", "BIN", "DATA", "DATA PATH", "PROBLEM"});
    for (const auto& row : reply->servers)
      t.add({{row.name},
             {row.agent},
             {std::string(name_of(row.state))},
             {row.bytes ? msg::format_bytes(*row.bytes) : ""},
             {std::string(name_of(row.bin))},
             {std::string(name_of(row.data))},
             {row.data_path},
             {row.problem, style::bad}});
    return s.render(t);
  });
}

}  // namespace

std::string layer_text(session& s, const std::string& server) {
  constexpr msg::duration layer_max{10'000};  // older agents do not answer
  auto layer = s.ask<msg::layer_reply>("server.check-layer", msg::check_layer{server}, layer_max);
  if (!layer || layer->files == 0) return {};
  auto out = fmt::format("{}, {} in all", counted(layer->files, "file"), msg::format_bytes(layer->bytes));
  std::string where;
  for (const auto& f : layer->folders) where += fmt::format("{}{} ({})", where.empty() ? "" : ", ", f.path, f.files);
  make_harmless(where);
  return out + ": " + where;
}

std::vector<command> server_commands() {
  using enum value_kind;
  const std::string which = "Name, agent/name, id or unique prefix of the id";
  const std::string moment =
      "a time, how long ago (10m), or the cursor of an event; also for a purged server, by its id";
  std::vector<std::string> states(msg::enum_names<msg::server_status>::list.begin(),
                                  msg::enum_names<msg::server_status>::list.end() - 1);
  std::vector<std::string> conditions(msg::enum_names<msg::condition>::list.begin(),
                                      msg::enum_names<msg::condition>::list.end());
  return {
      {"server ls",
       "List servers",
       {{"-a,--all", none, "", "Deleted ones, too"},
        {"--agent", agent, "A", "Only those of this agent"},
        {"--status", choice, "S", "Only those in this state: " + joined(states, "or"), arity::optional, states},
        {"--condition", choice, "C", "Only those in this condition: " + joined(conditions, "or"), arity::optional,
         conditions},
        {"--sort", choice, "COLUMN", "By " + joined(sort_columns(), "or") + "; default agent and name", arity::optional,
         sort_columns()},
        {"-w,--watch", none, "", "Then print a line for each change, until Ctrl-C"}},
       ls,
       {"zedctl ps", "zedctl server ls --status missing -o json", "zedctl server ls --condition restarting",
        "zedctl server ls --sort age", "zedctl server ls -w"},
       "ps"},
      {"server get",
       "Show servers, one line each; all fields with -o json",
       {{"NAME", server, "", which, arity::some}, {"--at", text, "TIME", "As it was then: " + moment}},
       get,
       {"zedctl server get pz1 -o yaml", "zedctl server get pz1 --at 10m"}},
      {"server describe",
       "One screen: state, why, ports, paths, last events, what can be done",
       {{"NAME", server, "", which, arity::some}},
       describe,
       {"zedctl server describe pz1"}},
      {"server explain",
       "Why a server is in its state, what led there and what comes next",
       {{"NAME", server, "", which + ", or the id of a purged one", arity::some}},
       explain,
       {"zedctl server explain pz1", "zedctl server explain pz1 -o wide --time iso"}},
      {"server history",
       "What happened to a server, newest first",
       {{"NAME", server, "", "As above, or the id of a purged one", arity::one},
        {"--limit", number, "N", "At most this many events; default 200"},
        {"--at", text, "TIME", "Its state then, and the events up to then: " + moment}},
       history,
       {"zedctl server history pz1 --time iso", "zedctl server history pz1 --at 7:1042"}},
      {"server sync",
       "Compare records with what the agents see, now",
       {{"NAME", server, "", "Only the agent of this server"}, {"--agent", agent, "A", "Only this agent"}},
       sync,
       {"zedctl server sync", "zedctl server sync --agent host1"}},
      {"server check-data",
       "Look at the data on disk",
       {{"NAME", server, "", which + "; none: every server of every online agent", arity::any},
        {"--sizes", none, "", "Measure it, too; takes longer"}},
       check_data,
       {"zedctl server check-data pz1 --sizes"}},
  };
}

}  // namespace zedops::ctl
