// server apply: makes the servers match files. The manager decides what differs: an edit is planned first, and sent
// only if it would change something.
#include <fmt/format.h>

#include <algorithm>

#include "messages/api/operations.hpp"
#include "messages/base/names.hpp"
#include "tools/zedctl/cli/commands.hpp"
#include "tools/zedctl/input/server_file.hpp"
#include "tools/zedctl/output/json_text.hpp"
#include "tools/zedctl/verbs/verbs.hpp"

namespace zedops::ctl {
namespace {

constexpr std::string_view mask = "***";

msg::error refused(const wanted_server& w, std::string what, std::string hint) {
  return {msg::ec::bad_request, w.from + ": " + std::move(what), std::move(hint), {}};
}

// What an edit cannot change.
std::optional<msg::error> fixed_differs(const wanted_server& w, const msg::server_view& now) {
  const auto& s = w.server;
  if (!s.agent.empty() && s.agent != now.agent && s.agent != now.agent_id.value)
    return refused(w, fmt::format("{} is on agent {}, not {}", now.name, now.agent, s.agent),
                   "a server stays on its agent; create another one there");
  if (s.template_name != now.template_name)
    return refused(w, fmt::format("{} was made from template {}, not {}", now.name, now.template_name, s.template_name),
                   "a server keeps its template; create another one");
  const auto port = [](uint16_t wanted, const std::optional<uint16_t>& has) { return wanted != 0 && wanted != has; };
  if (port(s.game_port, now.game_port) || port(s.udp_port, now.udp_port) || port(s.rcon_port, now.rcon_port))
    return refused(w, now.name + " has other ports: " + ports_text(now),
                   "the template's ports are fixed until a purge");
  if (!s.server_data_path.empty() && s.server_data_path != now.server_data_path)
    return refused(w, fmt::format("the data of {} is in {}", now.name, now.server_data_path),
                   fmt::format("zedctl server move {} --data-path {}", now.name, s.server_data_path));
  return std::nullopt;
}

// The file is the whole configuration and spec: what it leaves out is removed.
msg::edit_server edit_of(const msg::create_server& s, const msg::server_view& now) {
  msg::edit_server e;
  e.server = now.id.value;
  for (const auto& [key, value] : s.config)
    if (value != mask) e.config[key] = value;
  for (const auto& [key, value] : now.config)
    if (!s.config.contains(key)) e.unset.push_back(key);
  if (!s.image.empty()) e.image = s.image;
  if (!s.image_tag.empty()) e.image_tag = s.image_tag;
  e.recovery = s.recovery;
  if (s.crash) e.crash = s.crash;
  e.priority = s.priority;
  e.spec = s.spec;
  if (now.spec)
    for (auto field : msg::given_fields(*now.spec)) {
      const auto given = s.spec ? msg::given_fields(*s.spec) : std::vector<std::string_view>{};
      if (std::find(given.begin(), given.end(), field) == given.end()) e.reset.emplace_back(field);
    }
  return e;
}

struct work {
  std::vector<named_body> creates, edits;
  std::vector<std::string> unchanged, rebuilds;
};

// A deleted server counts as absent; as its name is still taken, create is refused with what to do.
msg::result<void> plan(session& s, const wanted_server& w, work& out) {
  const auto& name = w.server.name;
  const auto called = w.server.agent.empty() ? name : w.server.agent + "/" + name;
  auto now = s.ask<msg::server_view>("server.get", msg::get_server{called});
  if (!now && now.error().code != msg::ec::not_found) return msg::fail(now.error());
  if (!now || now->status == msg::server_status::deleted) {
    out.creates.push_back({name, msg::pack_map(w.server)});
    return {};
  }
  if (auto e = fixed_differs(w, *now)) return msg::fail(std::move(*e));
  const auto edit = edit_of(w.server, *now);
  auto would = s.ask_plan<msg::operation_reply>("server.edit", edit);
  if (!would) {
    auto e = would.error();
    e.message = w.from + ": " + e.message;
    return msg::fail(std::move(e));
  }
  if (would->plan.empty()) out.unchanged.push_back(name);
  else out.edits.push_back({name, msg::pack_map(edit)});
  if (!would->plan.empty() || now->pending_rebuild) out.rebuilds.push_back(now->id.value);
  return {};
}

int apply(session& s, const arguments& a) {
  auto wanted = servers_in_files(a.one("file"), s.outside().in);
  if (!wanted) return s.report(wanted.error());
  work todo;
  for (auto& w : *wanted) {
    if (a.has("agent")) w.server.agent = a.one("agent");
    if (auto ok = plan(s, w, todo); !ok) return s.report(ok.error(), w.server.name);  // nothing was changed yet
    if (s.was_interrupted()) return exit_interrupted;
  }
  tally count;
  std::vector<std::string> records;
  for (const auto& name : todo.unchanged) {
    count.add(exit_ok);
    if (!s.machine() && !s.flags().quiet) s.print(name + " is up to date\n");
  }
  if (!todo.creates.empty()) count.add(perform(s, msg::row_of(msg::op_kind::create), todo.creates, &records));
  if (!todo.edits.empty()) count.add(perform(s, msg::row_of(msg::op_kind::edit), todo.edits, &records));
  if (a.has("rebuild") && !s.flags().dry_run && count.status() == exit_ok) {
    std::vector<named_body> bodies;
    for (const auto& id : todo.rebuilds) {
      auto now = s.ask<msg::server_view>("server.get", msg::get_server{id});
      if (now && now->pending_rebuild) bodies.push_back({now->name, msg::pack_map(msg::rebuild_server{id, false})});
    }
    if (!bodies.empty()) count.add(perform(s, msg::row_of(msg::op_kind::rebuild), bodies, &records));
  }
  if (s.machine()) s.print(s.structured(array_json(records)));
  return count.status();
}

}  // namespace

std::vector<command> apply_commands() {
  command c;
  c.path = "server apply";
  c.help = "Make servers match files: create, edit or leave them alone";
  c.parameters = {
      {"-f,--file", value_kind::path, "FILE", "A file, a folder of *.yaml, or - for standard input", arity::one},
      {"--agent", value_kind::agent, "A", "The agent that runs them, instead of the files' agent"},
      {"--rebuild", value_kind::none, "", "Then rebuild those whose containers lack the edits"}};
  c.run = apply;
  c.examples = {"zedctl server get pz1 -o yaml > servers/pz1.yaml", "zedctl server apply -f servers/ --dry-run",
                "zedctl server apply -f servers/ --rebuild"};
  c.more =
      "A file has the fields of server create as server get -o yaml shows them; several servers are separated by ---.\n"
      "It is the whole set of variables and the whole spec: what it leaves out is removed. A masked secret (***) is "
      "kept.\n"
      "With -o json: a list of what was done; servers that are up to date are not in it.\n"
      "Everything is checked before anything is changed; applying the same files again changes nothing.";
  return {c};
}

}  // namespace zedops::ctl
