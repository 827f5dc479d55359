// Events: live and stored, and the list of servers that follows them.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "tools/zedctl/cli/commands.hpp"
#include "tools/zedctl/output/facts_text.hpp"
#include "tools/zedctl/output/json_text.hpp"
#include "tools/zedctl/reports/describe.hpp"
#include "tools/zedctl/verbs/verbs.hpp"

namespace zedops::ctl {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr milliseconds slice = 100ms;    // how long Ctrl-C may go unnoticed
constexpr milliseconds idle_after = 1s;  // --until-idle: this long without an event
constexpr milliseconds settle = 50ms;    // changes that come together are shown together
constexpr milliseconds retry_pause = 500ms;
constexpr uint32_t replay_rows = 1'000;

struct filter {
  std::vector<std::string> subjects;
  std::string type;
};

msg::result<filter> filter_of(session& s, const arguments& a) {
  filter f;
  f.type = a.one("type");
  if (auto name = a.one("server"); !name.empty()) {
    auto v = s.ask<msg::server_view>("server.get", msg::get_server{name});
    // A purged server has no record any more, but its events are still stored under its id.
    if (v) f.subjects.push_back("server." + v->id.value);
    else if (v.error().code == msg::ec::not_found && name.starts_with('s') && name.size() == msg::id_length)
      f.subjects.push_back("server." + name);
    else return msg::fail(with_guess(s, v.error(), name));
  }
  if (auto name = a.one("agent"); !name.empty()) {
    auto v = s.ask<msg::agent_view>("agent.get", msg::get_agent{name});
    if (!v) return msg::fail(v.error());
    f.subjects.push_back("agent." + v->id.value);
  }
  return f;
}

std::string line_of(const session& s, const msg::event& e) {
  if (s.flags().output == form::json) return msg::to_json(e) + '\n';
  if (s.flags().output == form::yaml) return "---\n" + s.structured(msg::to_json(e));
  if (s.flags().quiet || s.flags().output == form::name) return msg::cursor_text(e) + '\n';
  auto l = s.looks();
  auto when = msg::to_rfc3339(e.time);
  return fmt::format("{}  {:<10}  {}  {}  {}  {}\n", painted(when, style::faint, l.colour), msg::cursor_text(e),
                     subject_text(e), painted(type_of(e.data), style::strong, l.colour), sentence(e.data),
                     painted(fmt::format("({}{}{})", because(e.why), e.why.actor.empty() ? "" : ", by ", e.why.actor),
                             style::faint, l.colour));
}

void tell_gap(session& s, const event_gap& gap) {
  if (s.machine()) {
    const auto json =
        object_json({{"type", "gap"}, {"reason", gap.reason}, {"after", gap.after}, {"through", gap.through}}, -1);
    s.print(s.flags().output == form::yaml ? "---\n" + s.structured(json) : json + '\n');
    return;
  }
  s.tell(fmt::format("gap: events after {} up to {} are not available: {}", gap.after, gap.through, gap.reason));
}

// Reads events until Ctrl-C or until `on_item` says to stop; outlives a restart of the manager. `on_quiet` is called
// when a slice of time brought nothing.
int follow(session& s, event_source& source, const std::function<bool(const event_item&)>& on_item,
           const std::function<bool()>& on_quiet) {
  bool lost = false;
  while (!s.was_interrupted()) {
    auto item = source.next(slice);
    if (!item) {
      bool passing = item.error().code == msg::ec::agent_unreachable || item.error().code == msg::ec::timeout;
      if (!passing) return s.report(item.error());
      if (!lost && !s.machine()) s.tell("connection to the manager lost; waiting for it to come back");
      lost = true;
      s.outside().pause(retry_pause);
      continue;
    }
    if (lost && !s.machine()) s.tell("connected again");
    lost = false;
    if (*item ? !on_item(**item) : !on_quiet()) return exit_ok;
  }
  return exit_interrupted;
}

int watch(session& s, const arguments& a) {
  auto f = filter_of(s, a);
  if (!f) return s.report(f.error());
  auto t = s.connection();
  if (!t) return s.report(t.error());
  auto source = (*t)->events({f->subjects, a.one("since")});
  if (!source) return s.report(source.error());
  bool until_idle = a.has("until-idle");
  auto last = s.outside().ticks();
  return follow(
      s, **source,
      [&](const event_item& item) {
        last = s.outside().ticks();
        if (auto* gap = std::get_if<event_gap>(&item)) tell_gap(s, *gap);
        else if (const auto& e = std::get<msg::event>(item); type_of(e.data).starts_with(f->type))
          s.print(line_of(s, e));
        return true;
      },
      [&] { return !until_idle || s.outside().ticks() - last < idle_after; });
}

int replay(session& s, const arguments& a) {
  auto f = filter_of(s, a);
  if (!f) return s.report(f.error());
  msg::replay_events ask;
  ask.since = a.one("since");
  ask.type = f->type;
  ask.limit = replay_rows;
  if (f->subjects.size() == 1) ask.subject = f->subjects.front();
  auto wanted = [&](const msg::event& e) {
    return f->subjects.empty() || std::ranges::any_of(f->subjects, [&](const auto& x) { return e.subject == x; });
  };
  for (uint64_t shown = 0;;) {
    auto page = s.ask<msg::event_page>("event.replay", ask);
    if (!page) return s.report(page.error());
    if (page->gap_to > 0)
      tell_gap(s, {"the history no longer holds these events", ask.since.empty() ? "the beginning" : ask.since,
                   std::to_string(page->gap_to)});
    std::string out;
    for (const auto& e : page->events)
      if (wanted(e)) out += line_of(s, e), ++shown;
    s.print(out);
    if (page->end) {
      if (shown == 0) s.say("No events after that cursor.");
      return exit_ok;
    }
    if (page->cursor == ask.since)
      return s.report({msg::ec::internal,
                       "the event history does not advance after " + ask.since,
                       "compare the versions with zedctl doctor",
                       {}});
    ask.since = page->cursor;
  }
}

// The rows that a batch of events has made out of date.
struct stale_rows {
  std::set<std::string> servers, agents;
  bool all = false;
  bool empty() const { return servers.empty() && agents.empty() && !all; }
};

void note(stale_rows& stale, const event_item& item) {
  if (std::holds_alternative<event_gap>(item)) {
    stale.all = true;
    return;
  }
  const auto& e = std::get<msg::event>(item);
  if (e.subject.starts_with("server.")) stale.servers.insert(e.subject.substr(7));
  bool link = std::holds_alternative<msg::agent_connected>(e.data) || std::holds_alternative<msg::agent_lost>(e.data);
  if (link && e.subject.starts_with("agent.")) stale.agents.insert(e.subject.substr(6));
  if (auto* op = std::get_if<msg::operation_accepted>(&e.data)) stale.servers.insert(op->op->target.value);
}

bool matches(const msg::list_servers& query, const msg::server_view& v) {
  return (query.agent.empty() || query.agent == v.agent || query.agent == v.agent_id.value) &&
         (query.status.empty() || query.status == name_of(v.status)) &&
         (query.condition.empty() ||
          std::ranges::any_of(v.condition, [&](msg::condition c) { return query.condition == name_of(c); }));
}

// The rows that may have changed, as they are now.
msg::result<std::vector<msg::server_view>> looked_up(session& s, const stale_rows& stale,
                                                     const msg::list_servers& query) {
  std::vector<msg::server_view> out;
  if (stale.all) {
    auto list = all_servers(s, query);
    if (!list) return msg::fail(list.error());
    return std::move(list->servers);
  }
  for (const auto& agent : stale.agents) {
    auto part = query;
    part.agent = agent;
    auto list = all_servers(s, part);
    if (!list) return msg::fail(list.error());
    std::move(list->servers.begin(), list->servers.end(), std::back_inserter(out));
  }
  for (const auto& id : stale.servers) {
    auto v = s.ask<msg::server_view>("server.get", msg::get_server{id});
    if (!v && v.error().code == msg::ec::not_found) {
      s.say(fmt::format("{} is gone", id));
      continue;
    }
    if (!v) return msg::fail(v.error());
    bool listed = std::ranges::any_of(out, [&](const auto& x) { return x.id == v->id; });
    if (!listed && matches(query, *v)) out.push_back(std::move(*v));
  }
  return out;
}

}  // namespace

int watch_servers(session& s, const msg::list_servers& query) {
  auto t = s.connection();
  if (!t) return s.report(t.error());
  auto source = (*t)->events({});  // before the list is read, so that no change falls between the two
  if (!source) return s.report(source.error());
  auto list = all_servers(s, query);
  if (!list) return s.report(list.error());
  if (auto ok = sort_servers(list->servers, {}); !ok) return s.report(ok.error());
  auto rows = server_table(s);
  auto show = [&](const std::vector<msg::server_view>& views) {
    std::string out;
    auto l = s.looks();
    for (const auto& v : views) {
      if (s.flags().output == form::json) out += msg::to_json(v) + '\n';
      else if (s.flags().output == form::yaml) out += "---\n" + s.structured(msg::to_json(v));
      else if (s.flags().output == form::name || s.flags().quiet) out += (s.flags().quiet ? v.id.value : v.name) + '\n';
      else add_row(rows, v, s, l);
    }
    if (out.empty() && s.flags().output <= form::wide && !s.flags().quiet) {
      out = s.render(rows);
      rows.next();
    }
    s.print(out);
  };
  show(list->servers);
  stale_rows stale;
  auto first = s.outside().ticks();
  std::optional<msg::error> failed;
  auto look_again = [&] {
    if (stale.empty() || s.outside().ticks() - first < settle) return true;
    auto views = looked_up(s, stale, query);
    if (!views) {
      failed = views.error();
      return false;
    }
    stale = {};
    if (!views->empty()) show(*views);
    return true;
  };
  int status = follow(
      s, **source,
      [&](const event_item& item) {
        if (stale.empty()) first = s.outside().ticks();
        note(stale, item);
        return look_again();
      },
      look_again);
  return failed ? s.report(*failed) : status;
}

std::vector<command> event_commands() {
  using enum value_kind;
  const parameter by_server{"--server", server, "N", "Only those of this server"};
  const parameter by_agent{"--agent", agent, "A", "Only those of this agent"};
  const parameter by_type{"--type", text, "T", "Only types with this prefix: server.status_changed, operation, ..."};
  return {
      {"event watch",
       "Print events as they happen, without gaps, across restarts of the manager",
       {{"--since", text, "CURSOR", "Begin after this event (epoch:seq) instead of now"},
        by_server,
        by_agent,
        by_type,
        {"--until-idle", none, "", "Exit after a second without events"}},
       watch,
       {"zedctl event watch --server pz1", "zedctl event watch --since 7:1042 -o json"}},
      {"event replay",
       "Print stored events after a cursor",
       {{"--since", text, "CURSOR", "Events after this one; default: all that are kept"}, by_server, by_agent, by_type},
       replay,
       {"zedctl event replay --since 7:1042 -o json"}},
  };
}

}  // namespace zedops::ctl
