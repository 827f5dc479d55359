// The verbs that change a server: one per row of msg::operation_table.
#include <fmt/format.h>

#include <algorithm>

#include "messages/names.hpp"
#include "messages/operations.hpp"
#include "tools/zedctl/commands.hpp"
#include "tools/zedctl/confirm.hpp"
#include "tools/zedctl/env_input.hpp"
#include "tools/zedctl/json_text.hpp"
#include "tools/zedctl/progress.hpp"
#include "tools/zedctl/verbs.hpp"

namespace zedops::ctl {
namespace {

using msg::op_kind;

using variables = std::map<std::string, std::string>;

std::optional<std::string> given(const arguments& a, const std::string& key) {
  return a.has(key) ? std::optional(a.one(key)) : std::nullopt;
}

msg::recovery_policy recovery_of(const arguments& a) {
  return a.one("recovery") == "auto" ? msg::recovery_policy::automatic : msg::recovery_policy::manual;
}

std::optional<msg::crash_policy> crash_of(const arguments& a) {
  return msg::enum_from_name<msg::crash_policy>(a.one("crash-policy"));
}

// What a request has that makes a server, whatever it is made of.
template <class Request>
Request new_server(const std::string& name, const arguments& a, variables env) {
  Request r;
  r.name = name;
  r.agent = a.one("agent");
  r.template_name = a.one("template", r.template_name);
  r.image = a.one("image");
  r.image_tag = a.one("tag");
  r.config = std::move(env);
  r.game_port = static_cast<uint16_t>(a.number("game-port", 0));
  r.udp_port = static_cast<uint16_t>(a.number("udp-port", 0));
  r.rcon_port = static_cast<uint16_t>(a.number("rcon-port", 0));
  r.server_data_path = a.one("data-path");
  r.recovery = recovery_of(a);
  r.crash = crash_of(a);
  r.priority = a.integer("priority", 0);
  return r;
}

std::string create_body(const std::string& name, const arguments& a, variables env) {
  auto r = new_server<msg::create_server>(name, a, std::move(env));
  r.use_existing_data = a.has("use-existing-data");
  return msg::pack_map(r);
}

std::string adopt_body(const std::string& name, const arguments& a, variables env) {
  auto r = new_server<msg::adopt_server>(name, a, std::move(env));
  r.container = a.one("container");
  r.leave_behind = a.has("leave-behind");
  return msg::pack_map(r);
}

std::string edit_body(const std::string& name, const arguments& a, variables env) {
  msg::edit_server r;
  r.server = name;
  r.config = std::move(env);
  r.unset = a.all("unset");
  r.image = given(a, "image");
  r.image_tag = given(a, "tag");
  if (a.has("recovery")) r.recovery = recovery_of(a);
  if (a.has("revision")) r.revision = a.number("revision", 0);
  r.crash = crash_of(a);
  if (a.has("priority")) r.priority = a.integer("priority", 0);
  return msg::pack_map(r);
}

std::string body_of(op_kind kind, const std::string& name, const arguments& a, variables env) {
  switch (kind) {
    case op_kind::create: return create_body(name, a, std::move(env));
    case op_kind::adopt: return adopt_body(name, a, std::move(env));
    case op_kind::start: return msg::pack_map(msg::start_server{name, a.has("fresh")});
    case op_kind::stop: return msg::pack_map(msg::stop_server{name});
    case op_kind::restart: return msg::pack_map(msg::restart_server{name});
    case op_kind::rebuild: return msg::pack_map(msg::rebuild_server{name, a.has("fresh")});
    case op_kind::recreate: return msg::pack_map(msg::recreate_server{name, a.has("fresh")});
    case op_kind::edit: return edit_body(name, a, std::move(env));
    case op_kind::remove: return msg::pack_map(msg::remove_server{name});
    case op_kind::restore: return msg::pack_map(msg::restore_server{name, a.has("fresh")});
    case op_kind::move: return msg::pack_map(msg::move_server{name, a.one("data-path")});
    case op_kind::purge: break;
  }
  return msg::pack_map(msg::purge_server{name, true, a.has("keep-data"), a.has("remove-data")});
}

// What a purge takes away, with the sizes as the agent sees them now; what cannot be seen is said to be so.
// `called`: its name, however it was given.
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
                     remove_data ? " Backups, in a folder backups beside its data, stay." : "");
}

msg::result<void> confirm_each(session& s, const msg::operation_row& row, const std::vector<std::string>& names,
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
    return confirm(s, fmt::format("{} {} with empty directories where there is no data: what was there before is not "
                                  "brought back.",
                                  row.verb, joined(names)));
  auto there = s.where();
  if (row.risk == msg::danger::interrupts && there && there->production)
    return confirm(s, fmt::format("{} {}: players will notice.", row.verb, joined(names)));
  return {};
}

msg::error refined(session& s, op_kind kind, msg::error e, const std::string& name) {
  bool may_be_fresh =
      kind == op_kind::start || kind == op_kind::recreate || kind == op_kind::rebuild || kind == op_kind::restore;
  if (e.code == msg::ec::no_data && may_be_fresh && e.hint.find("--fresh") == std::string::npos)
    e.hint = fmt::format("zedctl server {} --fresh {} begins with empty directories", msg::row_of(kind).verb, name);
  const bool makes_the_name = kind == op_kind::create || kind == op_kind::adopt;
  return makes_the_name ? e : with_guess(s, std::move(e), name);
}

std::string duration_text(const msg::operation_view& op) {
  return op.started_at && op.ended_at ? " after " + msg::format_age(*op.ended_at - *op.started_at) : "";
}

// How much a move copies and how much room there is, as its agent sees it now.
std::string move_numbers(session& s, const std::string& name, const std::string& to) {
  auto v = s.ask<msg::data_reply>("server.check-data", msg::check_data{{name}, true, to}, patient_read_max);
  if (!v || v->servers.empty()) return "  size and room cannot be told: the agent did not answer\n";
  const auto& bytes = v->servers.front().bytes;
  return fmt::format("  {} to copy, {} free at {}\n", bytes ? msg::format_bytes(*bytes) : "an unknown amount",
                     v->space_free ? msg::format_bytes(*v->space_free) : "an unknown amount", to);
}

// The line that a success leaves on stdout, and what goes with it on stderr.
std::string done_line(session& s, const msg::operation_row& row, const msg::operation_reply& r,
                      const std::string& name) {
  if (s.flags().dry_run) {
    std::string out = fmt::format("{} {} would:\n", row.verb, name);
    for (const auto& step : r.plan) out += "  " + step + '\n';
    if (row.kind == op_kind::move) out += move_numbers(s, name, r.operation.data_to);
    return r.plan.empty() ? fmt::format("{} {} would change nothing\n", row.verb, name) : out;
  }
  bool ended = msg::ended(r.operation.status);
  if (!ended) {
    s.say(fmt::format("{} of {} accepted; follow it with: zedctl op wait {}", row.verb, name, r.operation.id.value));
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
  if (r.fresh_start) s.say(fmt::format("{} began with empty directories", name));
  std::string state;
  if (!r.server.id.empty() && row.kind != op_kind::purge) state = ": " + status_phrase(r.server, l).text;
  return fmt::format("{} {}{}{}\n", row.done, name, state, duration_text(r.operation));
}

int stopped_watching(session& s, const std::vector<exchange>& all, ending end) {
  std::string resume;
  for (const auto& x : all)
    if (!x.outcome) resume += ' ' + (x.operation.empty() ? "(not yet accepted: zedctl op ls)" : x.operation);
  auto what =
      end == ending::interrupted ? "stopped watching; the work goes on." : "the time is over; the work goes on.";
  if (s.machine()) {
    msg::error e{end == ending::interrupted ? msg::ec::cancelled : msg::ec::timeout, what, "zedctl op wait" + resume,
                 all.front().operation};
    s.tell(error_json(e, {}));
  } else {
    s.tell(fmt::format("{} Follow it with: zedctl op wait{}", what, resume));
  }
  return end == ending::interrupted ? exit_interrupted : exit_timeout;
}

int finish(session& s, const msg::operation_row& row, const std::vector<exchange>& all) {
  tally count;
  std::vector<std::string> records;
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
  if (!records.empty())
    s.print(s.structured(all.size() == 1
                             ? msg::to_json(*msg::unpack_map<msg::operation_reply>(**all.front().outcome), 2)
                             : array_json(records)));
  return count.status();
}

int run_operation(session& s, const msg::operation_row& row, const arguments& a) {
  const auto& names = a.all("NAME");
  if (row.kind == op_kind::purge && a.has("keep-data") == a.has("remove-data"))
    return s.report({msg::ec::bad_request,
                     "purge must be told what becomes of the data",
                     "give exactly one of --keep-data and --remove-data",
                     {}});
  auto env = environment_of(s.outside(), a);
  if (!env) return s.report(env.error());
  if (auto ok = confirm_each(s, row, names, a); !ok) return s.report(ok.error());
  bool wait = s.flags().wait;
  std::vector<exchange> all;
  for (const auto& name : names) {
    exchange x;
    x.name = name;
    x.verb = fmt::format("server.{}", row.verb);
    x.body = body_of(row.kind, name, a, *env);
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
  int status = finish(s, row, all);
  return end == ending::done ? status : stopped_watching(s, all, end);
}

const parameter fresh{"--fresh", value_kind::none, "", "Begin with empty directories if there is no data; asks first"};
const parameter env{"--env", value_kind::pair, "K=V",
                    "Set a variable of the server; K alone takes the value that it has here; may be repeated",
                    arity::any};
const parameter env_file{"--env-file", value_kind::path, "FILE",
                         "Variables from a file, one K=V or K a line; keeps secrets out of the command line",
                         arity::any};
const parameter recovery{"--recovery",    value_kind::choice, "HOW", "When its container vanishes: manual or auto",
                         arity::optional, {"manual", "auto"}};
const parameter crash{
    "--crash-policy",
    value_kind::choice,
    "HOW",
    "When its container ends by itself: engine (Docker's own restart rule), or its agent decides: "
    "never, on-failure or always start it again",
    arity::optional,
    {msg::enum_names<msg::crash_policy>::list.begin(), msg::enum_names<msg::crash_policy>::list.end()}};
const parameter priority{"--priority", value_kind::integer, "N",
                         "Higher ones are started first after their host came up; default 0"};

std::vector<parameter> parameters_of(op_kind kind) {
  using enum value_kind;
  const parameter names{"NAME", server, "", "Name, agent/name, id or unique beginning of the id", arity::some};
  const parameter name{"NAME", server, "", names.help, arity::one};
  const parameter image{"--image", text, "REPO", "Repository of the image, without tag"};
  const parameter tag{"--tag", text, "TAG", "Tag of the image"};
  const parameter new_name{"NAME", text, "", "3-32 lower-case letters, digits and hyphens", arity::one};
  const parameter kind_of_server{"--template", template_name, "T", "Kind of server; default generic"};
  switch (kind) {
    case op_kind::adopt:
      return {new_name,
              {"--container", text, "C", "Name or id of the container that is taken over", arity::one},
              {"--agent", agent, "A", "The agent on whose host it is", arity::one},
              kind_of_server,
              {"--image", text, "REPO", "Repository of the image, without tag; default: the container's"},
              {"--tag", text, "TAG", "Tag of the image; default: the container's"},
              env,
              env_file,
              {"--game-port", port, "N", "Default, as for the two below: as the container publishes it"},
              {"--udp-port", port, "N", "Second port of the game"},
              {"--rcon-port", port, "N", "Port of the remote console"},
              {"--data-path", path, "DIR", "Folder on the agent's host for the copy of its data; default: the agent's"},
              recovery,
              crash,
              priority,
              {"--leave-behind", none, "", "Go on although the template has not all that the container has"}};
    case op_kind::create:
      return {new_name,
              {"--agent", agent, "A", "Where it is to run", arity::one},
              kind_of_server,
              image,
              tag,
              env,
              env_file,
              {"--game-port", port, "N", "Default: the next free one, as for the two below"},
              {"--udp-port", port, "N", "Second port of the game"},
              {"--rcon-port", port, "N", "Port of the remote console"},
              {"--data-path", path, "DIR", "Folder on the agent's host for its data; default: the agent's"},
              recovery,
              crash,
              priority,
              {"--use-existing-data", none, "", "Take over data that a purged server of this name left"}};
    case op_kind::edit:
      return {name,     env,
              env_file, {"--unset", text, "K", "Remove a variable; may be repeated", arity::any},
              image,    tag,
              recovery, crash,
              priority, {"--revision", number, "N", "Refuse when the record has changed since this revision"}};
    case op_kind::move:
      return {name,
              {"--data-path", path, "DIR", "Folder on its agent's host; the data will be in DIR/NAME", arity::one}};
    case op_kind::start:
    case op_kind::rebuild:
    case op_kind::recreate: return {names, fresh};
    case op_kind::restore: return {names, fresh};
    case op_kind::purge:
      return {names,
              {"--keep-data", none, "", "Leave its data on the host"},
              {"--remove-data", none, "", "Remove its data for good; a folder backups beside it stays"}};
    case op_kind::stop:
    case op_kind::restart:
    case op_kind::remove: break;
  }
  return {names};
}

std::vector<std::string> examples_of(op_kind kind) {
  switch (kind) {
    case op_kind::create:
      return {"zedctl server create pz1 --agent host1 --template project-zomboid --env SERVER_NAME=pz1",
              "zedctl server create web --agent host1 --image nginx --tag 1.25 --no-wait"};
    case op_kind::start: return {"zedctl start pz1", "zedctl server start --fresh pz1"};
    case op_kind::edit: return {"zedctl server edit pz1 --env MAX_PLAYERS=32 --unset MOTD"};
    case op_kind::adopt:
      return {"zedctl server adopt pz1 --container my-zomboid --agent host1 --template project-zomboid --dry-run",
              "zedctl server adopt pz1 --container my-zomboid --agent host1 --template project-zomboid"};
    case op_kind::move:
      return {"zedctl server move pz1 --data-path /mnt/fast/zedops",
              "zedctl server move pz1 --data-path /mnt/fast/zedops --dry-run"};
    case op_kind::remove: return {"zedctl rm pz1", "zedctl server rm pz1 pz2"};
    case op_kind::purge: return {"zedctl server purge pz1 --keep-data", "zedctl server purge pz1 --remove-data --yes"};
    case op_kind::stop:
    case op_kind::restart:
    case op_kind::rebuild:
    case op_kind::recreate:
    case op_kind::restore: break;
  }
  return {fmt::format("zedctl server {} pz1", msg::row_of(kind).verb)};
}

std::string more_of(const msg::operation_row& row) {
  std::string out;
  if (row.allowed != 0) out = fmt::format("Possible when the server is {}.", msg::states_text(row.allowed));
  switch (row.offline) {
    case msg::offline_rule::refuse: out += " Its agent must be online."; break;
    case msg::offline_rule::keep:
      out += " With its agent offline it is accepted and done once the agent is back.";
      break;
    case msg::offline_rule::resume:
      out += " Its agent must be online; should it go away meanwhile, it goes on when it is back.";
      break;
    case msg::offline_rule::irrelevant: break;
  }
  return out;
}

}  // namespace

std::vector<command> operation_commands() {
  std::vector<command> out;
  for (const auto& row : msg::operation_table) {
    command c;
    c.path = fmt::format("server {}", row.verb);
    c.help = row.help;
    c.parameters = parameters_of(row.kind);
    c.run = [&row](session& s, const arguments& a) { return run_operation(s, row, a); };
    c.examples = examples_of(row.kind);
    c.more = more_of(row);
    bool daily = row.kind == op_kind::start || row.kind == op_kind::stop || row.kind == op_kind::restart ||
                 row.kind == op_kind::remove;
    if (daily) c.shortcut = row.verb;
    out.push_back(std::move(c));
  }
  return out;
}

}  // namespace zedops::ctl
