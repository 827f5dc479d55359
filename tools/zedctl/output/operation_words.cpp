#include "tools/zedctl/output/operation_words.hpp"

#include <fmt/format.h>

#include "tools/zedctl/input/spec_input.hpp"

namespace zedops::ctl {
namespace {

using msg::op_kind;

const parameter fresh{"--fresh", value_kind::none, "", "Start with empty directories if there is no data; asks first"};
const parameter env{"--env", value_kind::pair, "K=V",
                    "Set a variable of the server; K alone takes its value from zedctl's environment; may be repeated",
                    arity::any};
const parameter env_file{"--env-file", value_kind::path, "FILE",
                         "Variables from a file, one K=V or K per line; keeps secrets out of the command line",
                         arity::any};
const parameter recovery{"--recovery",    value_kind::choice, "HOW", "When its container vanishes: manual or auto",
                         arity::optional, {"manual", "auto"}};
const parameter crash{
    "--crash-policy",
    value_kind::choice,
    "HOW",
    "When its container exits by itself: engine (Docker's own restart policy), or its agent restarts it: "
    "never, on-failure or always",
    arity::optional,
    {msg::enum_names<msg::crash_policy>::list.begin(), msg::enum_names<msg::crash_policy>::list.end()}};
const parameter priority{"--priority", value_kind::integer, "N",
                         "After its host has booted, servers with a higher number are started first; default 0"};

std::vector<parameter> own_parameters(op_kind kind) {
  using enum value_kind;
  const parameter names{"NAME", server, "", "Name, agent/name, id or unique prefix of the id", arity::some};
  const parameter name{"NAME", server, "", names.help, arity::one};
  const parameter image{"--image", text, "REPO", "Repository of the image, without tag"};
  const parameter tag{"--tag", text, "TAG", "Tag of the image"};
  const parameter new_name{"NAME", text, "", "3-32 lower-case letters, digits and hyphens", arity::one};
  const parameter kind_of_server{"--template", template_name, "T", "Kind of server; default generic"};
  switch (kind) {
    case op_kind::adopt:
      return {new_name,
              {"--container", text, "C", "Name or id of the container to take over", arity::one},
              {"--agent", agent, "A", "The agent on whose host it is", arity::one},
              kind_of_server,
              {"--image", text, "REPO", "Repository of the image, without tag; default: the container's"},
              {"--tag", text, "TAG", "Tag of the image; default: the container's"},
              env,
              env_file,
              {"--game-port", port, "N",
               "Port of the game; default, also for the two below: as the container publishes it"},
              {"--udp-port", port, "N", "Second port of the game"},
              {"--rcon-port", port, "N", "Port of the remote console"},
              {"--data-path", path, "DIR", "Folder on the agent's host for the copy of its data; default: the agent's"},
              recovery,
              crash,
              priority,
              {"--leave-behind", none, "", "Adopt it even if the server will lack something that the container has"}};
    case op_kind::create:
      return {{"NAME", text, "", new_name.help},
              {"--agent", agent, "A", "The agent that runs it"},
              {"-f,--file", path, "FILE", "The server as YAML, as server get -o yaml shows one; - for standard input"},
              kind_of_server,
              image,
              tag,
              env,
              env_file,
              {"--game-port", port, "N", "Port of the game; default, also for the two below: the next free one"},
              {"--udp-port", port, "N", "Second port of the game"},
              {"--rcon-port", port, "N", "Port of the remote console"},
              {"--data-path", path, "DIR", "Folder on the agent's host for its data; default: the agent's"},
              recovery,
              crash,
              priority,
              {"--use-existing-data", none, "", "Take over data that a purged server of this name left"}};
    case op_kind::edit:
      return {name,
              env,
              env_file,
              {"--unset", text, "K", "Remove a variable; may be repeated", arity::any},
              image,
              tag,
              recovery,
              crash,
              priority,
              {"--reset", text, "FIELD", "Reset a field of its spec to the template's; may be repeated", arity::any},
              {"--revision", number, "N", "Refuse when the record has changed since this revision"}};
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
              {"--remove-data", none, "", "Remove its data for good; the folder backups beside it stays"}};
    case op_kind::stop:
    case op_kind::restart:
    case op_kind::remove:
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
  return {names};
}

}  // namespace

std::vector<parameter> parameters_of(op_kind kind) {
  auto out = own_parameters(kind);
  if (kind != op_kind::create && kind != op_kind::edit && kind != op_kind::adopt) return out;
  auto more = spec_parameters();
  out.insert(out.end(), more.begin(), more.end());
  return out;
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
    case op_kind::restore:
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
  return {fmt::format("zedctl server {} pz1", msg::row_of(kind).word())};
}

std::string more_of(const msg::verb_row& row) {
  std::string out;
  if (row.allowed != 0) out = fmt::format("Possible when the server is {}.", msg::states_text(row.allowed));
  switch (row.offline) {
    case msg::offline_rule::refuse: out += " Its agent must be online."; break;
    case msg::offline_rule::keep:
      out += " With its agent offline it is accepted, and carried out once the agent is back.";
      break;
    case msg::offline_rule::resume:
      out += " Its agent must be online; if the agent goes offline meanwhile, the operation continues once it is back.";
      break;
    case msg::offline_rule::irrelevant: break;
  }
  return out;
}

}  // namespace zedops::ctl
