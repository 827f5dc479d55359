// The verbs that change a server: one per row of msg::operation_table.
#include <fmt/format.h>

#include <algorithm>

#include "messages/api/operations.hpp"
#include "messages/base/names.hpp"
#include "tools/zedctl/cli/commands.hpp"
#include "tools/zedctl/input/confirm.hpp"
#include "tools/zedctl/input/env_input.hpp"
#include "tools/zedctl/input/server_file.hpp"
#include "tools/zedctl/input/spec_input.hpp"
#include "tools/zedctl/output/json_text.hpp"
#include "tools/zedctl/output/operation_words.hpp"
#include "tools/zedctl/output/progress.hpp"
#include "tools/zedctl/verbs/verbs.hpp"

namespace zedops::ctl {
namespace {

using msg::op_kind;

// The parts of the arguments that were parsed and may be invalid.
struct given_input {
  std::map<std::string, std::string> env;
  msg::server_spec spec;
};

std::optional<std::string> given(const arguments& a, const std::string& key) {
  return a.has(key) ? std::optional(a.one(key)) : std::nullopt;
}

msg::recovery_policy recovery_of(const arguments& a) {
  return a.one("recovery") == "auto" ? msg::recovery_policy::automatic : msg::recovery_policy::manual;
}

std::optional<msg::crash_policy> crash_of(const arguments& a) {
  return msg::enum_from_name<msg::crash_policy>(a.one("crash-policy"));
}

// The fields that requests which make a server have in common.
template <class Request>
Request new_server(const std::string& name, const arguments& a, given_input in) {
  Request r;
  r.name = name;
  r.agent = a.one("agent");
  r.template_name = a.one("template", r.template_name);
  r.image = a.one("image");
  r.image_tag = a.one("tag");
  r.config = std::move(in.env);
  if (!msg::nothing_given(in.spec)) r.spec = std::move(in.spec);
  r.game_port = static_cast<uint16_t>(a.number("game-port", 0));
  r.udp_port = static_cast<uint16_t>(a.number("udp-port", 0));
  r.rcon_port = static_cast<uint16_t>(a.number("rcon-port", 0));
  r.server_data_path = a.one("data-path");
  r.recovery = recovery_of(a);
  r.crash = crash_of(a);
  r.priority = a.integer("priority", 0);
  return r;
}

std::string create_body(const std::string& name, const arguments& a, given_input in) {
  auto r = new_server<msg::create_server>(name, a, std::move(in));
  r.use_existing_data = a.has("use-existing-data");
  return msg::pack_map(r);
}

std::string adopt_body(const std::string& name, const arguments& a, given_input in) {
  auto r = new_server<msg::adopt_server>(name, a, std::move(in));
  r.container = a.one("container");
  r.leave_behind = a.has("leave-behind");
  return msg::pack_map(r);
}

std::string edit_body(const std::string& name, const arguments& a, given_input in) {
  msg::edit_server r;
  r.server = name;
  r.config = std::move(in.env);
  if (!msg::nothing_given(in.spec)) r.spec = std::move(in.spec);
  r.reset = a.all("reset");
  r.unset = a.all("unset");
  r.image = given(a, "image");
  r.image_tag = given(a, "tag");
  if (a.has("recovery")) r.recovery = recovery_of(a);
  if (a.has("revision")) r.revision = a.number("revision", 0);
  r.crash = crash_of(a);
  if (a.has("priority")) r.priority = a.integer("priority", 0);
  return msg::pack_map(r);
}

std::string body_of(op_kind kind, const std::string& name, const arguments& a, given_input in) {
  switch (kind) {
    case op_kind::create: return create_body(name, a, std::move(in));
    case op_kind::adopt: return adopt_body(name, a, std::move(in));
    case op_kind::start: return msg::pack_map(msg::start_server{name, a.has("fresh")});
    case op_kind::stop: return msg::pack_map(msg::stop_server{name});
    case op_kind::restart: return msg::pack_map(msg::restart_server{name});
    case op_kind::rebuild: return msg::pack_map(msg::rebuild_server{name, a.has("fresh")});
    case op_kind::recreate: return msg::pack_map(msg::recreate_server{name, a.has("fresh")});
    case op_kind::edit: return edit_body(name, a, std::move(in));
    case op_kind::remove: return msg::pack_map(msg::remove_server{name});
    case op_kind::restore: return msg::pack_map(msg::restore_server{name, a.has("fresh")});
    case op_kind::move: return msg::pack_map(msg::move_server{name, a.one("data-path")});
    case op_kind::purge:
    case op_kind::create_project:
    case op_kind::edit_project:
    case op_kind::remove_project:
    case op_kind::create_service:
    case op_kind::edit_service:
    case op_kind::remove_service:
    case op_kind::deploy:
    case op_kind::start_service:
    case op_kind::stop_service:
    case op_kind::rollback: break;
  }
  return msg::pack_map(msg::purge_server{name, true, a.has("keep-data"), a.has("remove-data")});
}

// What a purge removes, with the sizes as the agent sees them now; what cannot be seen is called unknown.
// `called`: the server's name, whichever way it was given.
msg::result<std::string> purge_consequence(session& s, const std::string& name, bool remove_data, std::string& called) {
  auto v = s.ask<msg::server_view>("server.get", msg::get_server{name});
  if (!v) return msg::fail(with_guess(s, v.error(), name));
  called = v->name;
  auto data = s.ask<msg::data_reply>("server.check-data", msg::check_data{{name}, true, {}}, patient_read_max);
  std::string size = "data of unknown size";
  auto path = v->server_data_path;
  if (data && data->servers.size() == 1) {
    const auto& row = data->servers.front();
    if (auto folder = path + '/' + v->name; row.data_path.starts_with(folder)) path = folder;
    if (row.bytes) size = "data " + msg::format_bytes(*row.bytes);
    else if (row.state == msg::data_state::absent || row.state == msg::data_state::empty) size = "no data";
  } else if (v->data_bytes) {
    size = fmt::format("data {} when last seen", msg::format_bytes(*v->data_bytes));
  }
  if (s.was_interrupted()) return msg::fail(msg::ec::cancelled, "interrupted");
  if (!path.empty()) path.insert(0, " in ");
  return fmt::format("Purge {}: container, DB record, {}{}, ports {}.{} This cannot be undone.", v->name,
                     remove_data ? size : fmt::format("but not the {}", size), path, ports_text(*v),
                     remove_data ? " Backups, in the folder backups beside its data, stay." : "");
}

msg::result<void> confirm_each(session& s, const msg::verb_row& row, const std::vector<std::string>& names,
                               const arguments& a) {
  if (s.flags().yes || s.flags().dry_run) return {};
  if (row.risk == msg::danger::destroys) {
    for (const auto& name : names) {
      std::string called;
      auto text = purge_consequence(s, name, a.has("remove-data"), called);
      if (!text) return msg::fail(text.error());
      if (auto ok = confirm_by_typing(s, *text, called); !ok) return ok;
    }
    return {};
  }
  if (a.has("fresh"))
    return confirm(s, fmt::format("{} {} with empty directories where there is no data: the former data is not brought "
                                  "back.",
                                  row.word(), joined(names)));
  auto there = s.where();
  if (row.risk == msg::danger::interrupts && there && there->production)
    return confirm(s, fmt::format("{} {}: players will notice.", row.word(), joined(names)));
  return {};
}

msg::error refined(session& s, op_kind kind, msg::error e, const std::string& name) {
  bool may_be_fresh =
      kind == op_kind::start || kind == op_kind::recreate || kind == op_kind::rebuild || kind == op_kind::restore;
  if (e.code == msg::ec::no_data && may_be_fresh && e.hint.find("--fresh") == std::string::npos)
    e.hint = fmt::format("zedctl server {} --fresh {} starts with empty directories", msg::row_of(kind).word(), name);
  const bool makes_the_name = kind == op_kind::create || kind == op_kind::adopt;
  return makes_the_name ? e : with_guess(s, std::move(e), name);
}

std::string duration_text(const msg::operation_view& op) {
  return op.started_at && op.ended_at ? " after " + msg::format_age(*op.ended_at - *op.started_at) : "";
}

// How much a move copies and how much room there is, as its agent sees it now.
std::string move_numbers(session& s, const std::string& name, const std::string& to) {
  auto v = s.ask<msg::data_reply>("server.check-data", msg::check_data{{name}, true, to}, patient_read_max);
  if (!v || v->servers.empty()) return "  size and free space are unknown: the agent did not answer\n";
  const auto& bytes = v->servers.front().bytes;
  return fmt::format("  {} to copy, {} free at {}\n", bytes ? msg::format_bytes(*bytes) : "an unknown amount",
                     v->space_free ? msg::format_bytes(*v->space_free) : "an unknown amount", to);
}

// The line that a success leaves on stdout, and what goes with it on stderr.
std::string done_line(session& s, const msg::verb_row& row, const msg::operation_reply& r, const std::string& name) {
  if (s.flags().dry_run) {
    std::string out = fmt::format("{} {} would:\n", row.word(), name);
    for (const auto& step : r.plan) out += "  " + step + '\n';
    if (row.kind == op_kind::move) out += move_numbers(s, name, r.operation.data_to);
    const bool replaces = row.kind == op_kind::rebuild || row.kind == op_kind::recreate || row.kind == op_kind::move ||
                          row.kind == op_kind::remove || row.kind == op_kind::purge;
    if (replaces && !r.plan.empty())
      if (auto lost = layer_text(s, name); !lost.empty()) out += "  lost with its container: " + lost + '\n';
    return r.plan.empty() ? fmt::format("{} {} would change nothing\n", row.word(), name) : out;
  }
  bool ended = msg::ended(r.operation.status);
  if (!ended) {
    s.say(fmt::format("{} of {} accepted; follow it with: zedctl op wait {}", row.word(), name, r.operation.id.value));
    return r.operation.id.value + '\n';
  }
  if (s.flags().quiet) return (r.server.id.empty() ? r.operation.target.value : r.server.id.value) + '\n';
  if (s.flags().output == form::name) return name + '\n';
  auto l = s.looks();
  if (row.kind == op_kind::remove && r.server.purge_at)
    s.say(fmt::format("restore until {}: zedctl server restore {}", until_text(*r.server.purge_at, l), name));
  if (row.kind == op_kind::edit && r.server.pending_rebuild)
    s.say(fmt::format("apply it with: zedctl server rebuild {}", name));
  if (!r.operation.note.empty()) s.say(fmt::format("{}: {}", name, r.operation.note));
  if (r.fresh_start) s.say(fmt::format("{} started with empty directories", name));
  std::string state;
  if (!r.server.id.empty() && row.kind != op_kind::purge) state = ": " + status_phrase(r.server, l).text;
  return fmt::format("{} {}{}{}\n", row.done, name, state, duration_text(r.operation));
}

int stopped_watching(session& s, const std::vector<exchange>& all, ending end) {
  std::string resume;
  for (const auto& x : all)
    if (!x.outcome) resume += ' ' + (x.operation.empty() ? "(not yet accepted: zedctl op ls)" : x.operation);
  auto what =
      end == ending::interrupted ? "stopped watching; the operation goes on." : "timed out; the operation goes on.";
  if (s.machine()) {
    msg::error e{end == ending::interrupted ? msg::ec::cancelled : msg::ec::timeout, what, "zedctl op wait" + resume,
                 all.front().operation};
    s.tell(error_json(e, {}));
  } else {
    s.tell(fmt::format("{} Follow it with: zedctl op wait{}", what, resume));
  }
  return end == ending::interrupted ? exit_interrupted : exit_timeout;
}

int finish(session& s, const msg::verb_row& row, const std::vector<exchange>& all, std::vector<std::string>* gathered) {
  tally count;
  std::vector<std::string> own;
  auto& records = gathered ? *gathered : own;
  for (const auto& x : all) {
    if (!x.outcome) continue;
    auto reply = x.outcome->and_then(msg::unpack_map<msg::operation_reply>);
    if (reply && reply->operation.failure && !s.flags().dry_run) {
      auto e = *reply->operation.failure;
      if (e.operation.empty()) e.operation = reply->operation.id.value;
      reply = msg::fail(std::move(e));
    }
    if (!reply) {
      auto e = refined(s, row.kind, reply.error(), x.name);
      if (e.operation.empty()) e.operation = x.operation;
      count.add(s.report(e, x.name));
      continue;
    }
    count.add(exit_ok);
    if (s.machine()) records.push_back(msg::to_json(*reply));
    else s.print(done_line(s, row, *reply, x.name));
  }
  if (!own.empty())
    s.print(s.structured(all.size() == 1
                             ? msg::to_json(*msg::unpack_map<msg::operation_reply>(**all.front().outcome), 2)
                             : array_json(records)));
  return count.status();
}

}  // namespace

int perform(session& s, const msg::verb_row& row, const std::vector<named_body>& wanted,
            std::vector<std::string>* records) {
  bool wait = s.flags().wait;
  std::vector<exchange> all;
  for (const auto& one : wanted) {
    exchange x;
    x.name = one.name;
    x.verb = row.verb;
    x.body = one.body;
    x.options = s.packed_options(wait);
    if (!wait && !s.flags().dry_run) x.expect = answer::accepted;
    all.push_back(std::move(x));
  }
  auto& w = s.outside();
  ending end;
  {
    progress_options how{w.err_tty, s.colour_err(), !w.err_tty && (s.machine() || s.flags().quiet), w.width};
    progress_view view(w.err, how, w.ticks);
    exchange_listener listener;
    if (wait) listener.progress = [&](size_t i, const msg::operation_view& op) { view.update(all[i].name, op); };
    listener.idle = [&] { view.tick(); };
    end = s.run(all, std::move(listener), s.flags().timeout);
  }
  int status = finish(s, row, all, records);
  return end == ending::done ? status : stopped_watching(s, all, end);
}

namespace {

// The file gives everything; NAME replaces the name of a single server, --agent the agent of all of them.
int create_from_file(session& s, const msg::verb_row& row, const arguments& a) {
  auto wanted = servers_in_files(a.one("file"), s.outside().in);
  if (!wanted) return s.report(wanted.error());
  const auto& names = a.all("NAME");
  if (!names.empty() && wanted->size() > 1)
    return s.report({msg::ec::bad_request,
                     fmt::format("{} contains {} servers, but one NAME was given", a.one("file"), wanted->size()),
                     "leave NAME out",
                     {}});
  std::vector<named_body> all;
  for (auto& w : *wanted) {
    if (!names.empty()) w.server.name = names.front();
    if (a.has("agent")) w.server.agent = a.one("agent");
    all.push_back({w.server.name, msg::pack_map(w.server)});
  }
  return perform(s, row, all);
}

int run_operation(session& s, const msg::verb_row& row, const arguments& a) {
  const auto& names = a.all("NAME");
  if (row.kind == op_kind::purge && a.has("keep-data") == a.has("remove-data"))
    return s.report({msg::ec::bad_request,
                     "purge needs to know what to do with the data",
                     "give exactly one of --keep-data and --remove-data",
                     {}});
  if (row.kind == op_kind::create && a.has("file")) return create_from_file(s, row, a);
  if (row.kind == op_kind::create && (names.empty() || !a.has("agent")))
    return s.report({msg::ec::bad_request,
                     names.empty() ? "the server has no name" : "no agent was given",
                     "zedctl server create NAME --agent A, or -f FILE; zedctl agent ls",
                     {}});
  auto env = environment_of(s.outside(), a);
  if (!env) return s.report(env.error());
  auto spec = spec_of(a);
  if (!spec) return s.report(spec.error());
  if (auto ok = confirm_each(s, row, names, a); !ok) return s.report(ok.error());
  std::vector<named_body> all;
  for (const auto& name : names) all.push_back({name, body_of(row.kind, name, a, {*env, *spec})});
  return perform(s, row, all);
}

}  // namespace

std::vector<command> operation_commands() {
  std::vector<command> out;
  for (const auto& row : msg::operation_table) {
    if (!msg::is_of_servers(row.kind)) continue;
    command c;
    c.path = fmt::format("server {}", row.word());
    c.help = row.help;
    c.parameters = parameters_of(row.kind);
    c.run = [&row](session& s, const arguments& a) { return run_operation(s, row, a); };
    c.examples = examples_of(row.kind);
    c.more = more_of(row);
    bool daily = row.kind == op_kind::start || row.kind == op_kind::stop || row.kind == op_kind::restart ||
                 row.kind == op_kind::remove;
    if (daily) c.shortcut = row.word();
    out.push_back(std::move(c));
  }
  return out;
}

}  // namespace zedops::ctl
