#include "tools/zedctl/reports/describe.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "messages/api/operations.hpp"
#include "messages/base/names.hpp"
#include "tools/zedctl/output/facts_text.hpp"

namespace zedops::ctl {
namespace {

constexpr size_t described_events_max = 10;
constexpr size_t described_columns_max = 72;  // of one event; history shows all of it

const msg::event* last_status_change(const std::vector<msg::event>& history) {
  auto found = std::ranges::find_if(history, [](const msg::event& e) {
    return std::holds_alternative<msg::status_changed>(e.data) || std::holds_alternative<msg::server_created>(e.data);
  });
  return found == history.end() ? nullptr : &*found;
}

std::string who(const msg::cause& why) {
  return why.actor.empty() ? because(why) : fmt::format("{}, by {}", because(why), why.actor);
}

std::string error_text(const msg::error& e) {
  return fmt::format("{} ({}){}", e.message, name_of(e.code), e.hint.empty() ? "" : "; " + e.hint);
}

std::string operation_text(const msg::operation_view& op, const look& l) {
  auto out = fmt::format("{} {}, {}", name_of(op.kind), op.id.value, operation_phrase(op, {.now = l.now}).text);
  if (!op.note.empty()) out += ", " + op.note;
  if (!op.actor.empty()) out += ", by " + op.actor;
  return out + ", started " + ago_text(op.started_at, l);
}

std::string calls_text(const msg::operation_view& op, const look& l) {
  table t({"", "", "", "", ""});
  for (const auto& c : op.calls)
    t.add({{ago_text(c.at, l), style::faint},
           {c.call, style::plain},
           {c.status ? fmt::format("HTTP {}", c.status) : "no answer", c.problem.empty() ? style::plain : style::bad},
           {msg::format_duration(c.took), style::faint},
           {c.problem, style::bad}});
  return t.render({.headers = false, .colour = l.colour});
}

std::string actions_text(const msg::server_view& v) {
  std::string out;
  for (const auto& verb : v.actions) {
    auto row = std::ranges::find(msg::operation_table, verb, &msg::verb_row::word);
    auto line = fmt::format("zedctl server {} {}", verb, v.name);
    if (row != msg::operation_table.end())
      line = fmt::format("{:<{}}  # {}", line, sizeof "zedctl server recreate" + v.name.size(), row->help);
    out += line + '\n';
  }
  return out;
}

std::string events_text(const std::vector<msg::event>& history, const look& l) {
  table t({"", "", ""});
  for (size_t i = 0; i < std::min(history.size(), described_events_max); ++i) {
    const auto& e = history[i];
    t.add({{ago_text(e.time, l), style::plain},
           {cut(sentence(e.data), described_columns_max), style::plain},
           {who(e.why), style::plain}});
  }
  return t.render({.headers = false});
}

// What the template marks as secret arrives masked. Other keys may hold secrets, too, and others may see the screen;
// -o json shows their values.
bool looks_secret(std::string_view key) {
  for (std::string_view word : {"PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY"})
    if (key.find(word) != std::string_view::npos) return true;
  return false;
}

std::string config_text(const msg::server_view& v) {
  std::string out;
  for (const auto& [key, value] : v.config)
    out += fmt::format("{}={}\n", key, looks_secret(key) && !value.empty() ? "(hidden)" : value);
  make_harmless(out, true);
  return out;
}

std::string spec_lines(const msg::server_view& v) {
  if (!v.spec) return {};
  std::string out;
  for (auto field : msg::given_fields(*v.spec)) out += fmt::format("{}: {}\n", field, msg::spec_text(*v.spec, field));
  make_harmless(out, true);
  return out;
}

std::string container_text(const msg::server_view& v) {
  if (v.container_id.empty()) return "none";
  auto out = v.container_id.substr(0, 12);
  if (v.container_state) out += fmt::format(", {}", name_of(*v.container_state));
  if (v.container_state == msg::container_state::exited) out += fmt::format(" with code {}", v.exit_code);
  if (v.restarts > 0) out += fmt::format(", restarted {}", counted(v.restarts, "time"));
  return out;
}

}  // namespace

std::string describe_text(const msg::server_view& v, const std::vector<msg::event>& history, const look& l,
                          const std::string& layer) {
  sheet page;
  auto status = status_phrase(v, l);
  const auto* change = last_status_change(history);
  if (change) status.text += ", since " + ago_text(change->time, l);
  page.add("Name", v.name, style::strong);
  page.add("Status", status.text, status.how);
  if (change) page.add("Because", sentence(change->data) + "; " + who(change->why));
  page.add("Problem", v.last_error ? error_text(*v.last_error) : "", style::bad);
  page.add("Operation", v.operation ? operation_text(*v.operation, l) : "", style::busy);
  page.add("Condition", joined(condition_words(v, l)), style::warn);
  page.add("Drift", v.drift, style::warn);
  if (v.stale && v.data_problem.empty())
    page.add("Stale", "the last look failed: this is what was known before", style::warn);
  if (v.pending_rebuild) page.add("Pending", "edited; a rebuild or recreate applies it", style::warn);
  page.add("Wanted", fmt::format("{}, recovery {}, crash policy {}, priority {}", name_of(v.desired_state),
                                 name_of(v.recovery), name_of(v.crash_policy), v.priority));
  page.add("Agent", fmt::format("{} ({})", v.agent, name_of(v.agent_status)));
  page.add("Template", v.template_name);
  page.add("Image", image_text(v));
  page.add("Container", container_text(v));
  page.add("Health", std::string(name_of(v.health)));
  page.add("Ports", ports_text(v));
  page.add("Data",
           v.data_problem.empty() ? data_text(v)
                                  : fmt::format("{} when last seen; cannot be checked since {}: {}", data_text(v),
                                                age_text(v.data_problem_since, l), v.data_problem),
           v.data_problem.empty() ? style::plain : style::warn);
  page.add("Path", v.server_data_path);
  page.add("In container only", layer.empty() ? "" : layer + "; lost at the next rebuild", style::warn);
  page.add("Id", v.id.value);
  page.add("Created", ago_text(v.created_at, l));
  page.add("Observed", v.observed_at ? ago_text(v.observed_at, l) : "");
  if (v.deleted_at) page.add("Deleted", ago_text(v.deleted_at, l));
  if (v.purge_at)
    page.add("Purge", fmt::format("restore until {}: zedctl server restore {}", until_text(*v.purge_at, l), v.name));
  page.section("Configuration", config_text(v));
  page.section("Beyond its template", spec_lines(v));
  page.section("Last events", events_text(history, l));
  page.section("What can be done now", actions_text(v));
  return page.render(l.colour);
}

std::string describe_text(const msg::agent_view& a, const std::string& data_trouble, const look& l) {
  sheet page;
  auto status = agent_phrase(a, l);
  page.add("Name", a.name, style::strong);
  page.add("Status", status.text, status.how);
  page.add("Last seen", ago_text(a.last_seen, l));
  page.add("Last sync", ago_text(a.last_sync, l));
  page.add("Servers", fmt::format("{}, {} running", a.servers, a.running));
  if (a.recovery_held)
    page.add("Recovery",
             fmt::format("held: most of its servers were gone at once; resume with zedctl agent recover {}", a.name),
             style::bad);
  page.add("Engine",
           a.engine_ok                ? fmt::format("{} (API {})", a.engine_version, a.api_version)
           : a.engine_problem.empty() ? "does not answer; see the agent's log on its host"
                                      : a.engine_problem,
           a.engine_ok ? style::plain : style::bad);
  page.add("Host", a.hostname);
  page.add("Data path", a.data_path);
  page.add("Data", data_trouble, style::bad);
  page.add("Version", a.version);
  page.add("Id", a.id.value);
  page.add("Created", ago_text(a.created_at, l));
  return page.render(l.colour);
}

std::string describe_text(const msg::operation_view& op, const look& l) {
  sheet page;
  auto status = operation_phrase(op, l);
  page.add("Id", op.id.value, style::strong);
  page.add("Kind", std::string(name_of(op.kind)));
  page.add("Server", fmt::format("{} ({})", op.target_name, op.target.value));
  page.add("Status", status.text, status.how);
  page.add("Note", op.note);
  page.add("By", op.actor);
  page.add("Started", ago_text(op.started_at, l));
  page.add("Ended", op.ended_at ? ago_text(op.ended_at, l) : "");
  if (!msg::ended(op.status)) page.add("Deadline", op.deadline ? until_text(*op.deadline, l) : "");
  page.add("Problem", op.failure ? error_text(*op.failure) : "", style::bad);
  page.section("Calls to the Engine", calls_text(op, l));
  return page.render(l.colour);
}

table history_table() { return table({"TIME", "TYPE", "WHAT", "WHY", "BY"}); }

void add_row(table& t, const msg::event& e, const look& l) {
  t.add({{ago_text(e.time, l), style::plain},
         {std::string(type_of(e.data)), style::faint},
         {sentence(e.data), style::plain},
         {because(e.why), style::plain},
         {e.why.actor, style::plain}});
}

}  // namespace zedops::ctl
