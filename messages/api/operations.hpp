// THE table of verbs: requests of clients, REST routes, buttons, docs, rights and the guard of the server machine all
// follow from it. A new operation is a struct in requests.hpp, a row here, and the overload of core::decide that the
// compiler then demands (docs/recipes/add-an-operation.md).
#pragma once
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <tuple>

#include "messages/api/deploy_requests.hpp"
#include "messages/api/deploy_views.hpp"
#include "messages/api/requests.hpp"
#include "messages/api/views.hpp"
#include "messages/records/principal.hpp"

namespace zedops::msg {

ZEDOPS_ENUM(danger, none, interrupts, destroys)
// What becomes of a request whose agent is not there: refused, or accepted and kept until it is back. resume: refused,
// but one that was at work when its agent went goes on when it is back.
ZEDOPS_ENUM(offline_rule, refuse, keep, irrelevant, resume)
// Who answers: the actor of the entity, which decides and remembers; an agent, which is asked or told; keys, users
// and settings of this manager; the read model alone; or the store of uploads.
ZEDOPS_ENUM(served_by, entity, agent, keys, records, uploads)

constexpr bool needs_agent(offline_rule r) { return r == offline_rule::refuse || r == offline_rule::resume; }

using status_set = uint16_t;
constexpr status_set in(std::initializer_list<server_status> list) {
  status_set out = 0;
  for (auto s : list) out |= static_cast<status_set>(1u << static_cast<unsigned>(s));
  return out;
}
constexpr bool contains(status_set set, server_status s) { return (set >> static_cast<unsigned>(s)) & 1; }

struct verb_row {
  std::string_view verb;  // on the wire; zedctl and REST have it in two parts
  right needs;
  served_by served;
  std::string_view help;
  // Of an operation:
  op_kind kind{};
  status_set allowed = 0;  // states that permit it
  danger risk = danger::none;
  offline_rule offline = offline_rule::irrelevant;
  duration time_max{};      // default deadline
  std::string_view done{};  // "Started"

  constexpr std::string_view noun() const { return verb.substr(0, verb.find('.')); }
  constexpr std::string_view word() const { return verb.substr(verb.find('.') + 1); }
};

inline constexpr std::array verb_table = [] {
  using enum server_status;
  using enum served_by;
  using enum right;
  using namespace std::chrono_literals;
  constexpr auto settled = in({running, stopped, missing, failed});
  return std::array{
      verb_row{"server.create", operate, entity, "Make a server and start it", op_kind::create, 0, danger::none,
               offline_rule::refuse, 600s, "Created"},
      verb_row{"server.start", operate, entity, "Start it; a missing container is made again from the record",
               op_kind::start, in({stopped, missing, failed}), danger::none, offline_rule::refuse, 600s, "Started"},
      verb_row{"server.stop", operate, entity, "Save and stop it", op_kind::stop, in({running}), danger::interrupts,
               offline_rule::keep, 120s, "Stopped"},
      verb_row{"server.restart", operate, entity, "Save, stop and start the same container", op_kind::restart,
               in({running}), danger::interrupts, offline_rule::refuse, 180s, "Restarted"},
      verb_row{"server.rebuild", operate, entity,
               "Pull the image and replace the container; a failure puts the old one back", op_kind::rebuild, settled,
               danger::interrupts, offline_rule::refuse, 900s, "Rebuilt"},
      verb_row{"server.recreate", operate, entity, "Replace the container without pulling an image that is there",
               op_kind::recreate, settled, danger::interrupts, offline_rule::refuse, 600s, "Recreated"},
      verb_row{"server.edit", operate, entity, "Change environment, image or recovery; applied by rebuild or recreate",
               op_kind::edit, settled, danger::none, offline_rule::irrelevant, 10s, "Changed"},
      verb_row{"server.rm", operate, entity, "Soft delete: container away; data, name and ports stay until purge",
               op_kind::remove, settled, danger::interrupts, offline_rule::keep, 180s, "Deleted"},
      verb_row{"server.restore", operate, entity, "Undo a soft delete and bring the server back", op_kind::restore,
               in({deleted}), danger::none, offline_rule::keep, 600s, "Restored"},
      verb_row{"server.purge", purge, entity, "Forget the server for good; ports and name become free", op_kind::purge,
               in({running, stopped, missing, failed, deleted, deleting}), danger::destroys, offline_rule::keep, 600s,
               "Purged"},
      verb_row{"server.move", operate, entity,
               "Move its data to another folder on its host; a failure puts everything back", op_kind::move, settled,
               danger::interrupts, offline_rule::resume, 6h, "Moved"},
      verb_row{"server.adopt", operate, entity,
               "Take over a container that was made by hand; a failure puts everything back", op_kind::adopt, 0,
               danger::interrupts, offline_rule::resume, 6h, "Adopted"},
      verb_row{"project.create", operate, entity, "Create a project, which groups services", op_kind::create_project, 0,
               danger::none, offline_rule::irrelevant, 60s, "Created"},
      verb_row{"project.edit", operate, entity, "Change its description or base domain", op_kind::edit_project, 0,
               danger::none, offline_rule::irrelevant, 60s, "Changed"},
      verb_row{"project.rm", purge, entity, "Forget a project that has no services", op_kind::remove_project, 0,
               danger::none, offline_rule::irrelevant, 60s, "Removed"},
      verb_row{"service.create", operate, entity, "Create a service in a project; versions are deployed to it",
               op_kind::create_service, 0, danger::none, offline_rule::irrelevant, 60s, "Created"},
      verb_row{"service.edit", operate, entity, "Change its settings, retention, health check or hook",
               op_kind::edit_service, 0, danger::none, offline_rule::irrelevant, 60s, "Changed"},
      verb_row{"service.rm", purge, entity, "Remove a service, with the files of all its deployments",
               op_kind::remove_service, 0, danger::destroys, offline_rule::keep, 300s, "Removed"},
      verb_row{"deployment.create", operate, entity, "Deploy an upload, a repository or an image, and switch to it",
               op_kind::deploy, 0, danger::none, offline_rule::keep, 300s, "Deployed"},
      verb_row{"service.rollback", operate, entity, "Switch back to a deployment that worked, without a build",
               op_kind::rollback, 0, danger::none, offline_rule::keep, 300s, "Rolled back"},
      verb_row{"service.start", operate, entity, "Start the container of a service that was stopped",
               op_kind::start_service, 0, danger::none, offline_rule::keep, 300s, "Started"},
      verb_row{"service.stop", operate, entity, "Stop the container of a service; it stays stopped until it is started",
               op_kind::stop_service, 0, danger::interrupts, offline_rule::keep, 300s, "Stopped"},
      verb_row{"server.ls", view, records, "List servers, page by page"},
      verb_row{"server.get", view, records, "One server"},
      verb_row{"server.history", view, records, "What happened to a server, newest first"},
      verb_row{"server.explain", view, records, "Why a server is in its state, and what happens next"},
      verb_row{"server.logs", logs, agent, "The last lines its container wrote"},
      verb_row{"server.usage", view, records, "What its container has used: CPU, memory, network, disk"},
      verb_row{"server.check-data", view, agent, "Look at the data on disk, with sizes if asked"},
      verb_row{"server.check-layer", view, agent,
               "What its container has written outside of its folders, lost at the next rebuild"},
      verb_row{"server.sync", operate, agent, "Compare records with what the agents see, now"},
      verb_row{"agent.ls", view, records, "List agents"},
      verb_row{"agent.get", view, records, "One agent"},
      verb_row{"agent.usage", view, records, "What its host has used: CPU, memory, load, disk"},
      verb_row{"agent.rm", administer, agent, "Forget an agent that has no servers"},
      verb_row{"agent.forget", administer, agent, "Give up an agent whose host is lost, and its servers with it"},
      verb_row{"agent.recover", operate, agent,
               "Let the servers of an agent recover by themselves although most were gone at once"},
      verb_row{"port.check", view, agent, "Which of these ports are taken, and by whom"},
      verb_row{"port.suggest", view, agent, "Free ports for a new server"},
      verb_row{"project.ls", view, records, "List projects, with their health"},
      verb_row{"project.get", view, records, "One project"},
      verb_row{"service.ls", view, records, "List services, of one project or of all"},
      verb_row{"service.get", view, records, "One service"},
      verb_row{"service.history", view, records, "What happened to a service, newest first"},
      verb_row{"deployment.ls", view, records, "List deployments, newest first"},
      verb_row{"deployment.get", view, records, "One deployment, with the time of each phase"},
      verb_row{"service.logs", logs, agent, "The last lines that the container of a service wrote"},
      verb_row{"deployment.logs", logs, agent, "What the phases of a deployment wrote"},
      verb_row{"stray.ls", view, agent, "Containers whose service no longer exists, and when they are removed"},
      verb_row{"stray.rm", operate, agent, "Remove such a container now"},
      verb_row{"upload.begin", operate, uploads, "Begin an upload, or resume it: says how much has arrived"},
      verb_row{"upload.chunk", operate, uploads, "One piece of an upload, 1 MiB at most"},
      verb_row{"upload.end", operate, uploads, "Finish an upload: it is verified and kept"},
      verb_row{"upload.ls", view, uploads, "List uploads"},
      verb_row{"upload.rm", operate, uploads, "Remove an upload that no deployment needs"},
      verb_row{"op.ls", view, records, "List operations, newest first"},
      verb_row{"op.get", view, records, "One operation"},
      verb_row{"op.wait", view, records, "Follow an operation to its end"},
      verb_row{"op.cancel", operate, entity, "Cancel an operation that still waits for its agent"},
      verb_row{"event.replay", view, records, "Stored events after a cursor"},
      verb_row{"agent.token", administer, keys, "A one-time token with which a host enrols its agent"},
      verb_row{"agent.enrol", enrol, keys, "Enrol an agent with a token and a key of its own"},
      verb_row{"agent.approve", administer, keys, "Approve an agent that has enrolled and waits"},
      verb_row{"key.ls", administer, records, "List the keys that may connect over the network"},
      verb_row{"key.add", administer, keys, "Add a key: takes effect at once"},
      verb_row{"key.rm", administer, keys, "Remove a key and its rights: takes effect with its next request"},
      verb_row{"key.rotate", administer, keys, "Replace the manager's key; its agents are told beforehand"},
      verb_row{"user.ls", administer, records, "List who may sign in to the page"},
      verb_row{"user.add", administer, keys, "Add a user, or change a user's role"},
      verb_row{"user.rm", administer, keys, "Remove a user and end their sessions"},
      verb_row{"user.passwd", administer, keys, "A one-time link to choose a new password"},
      verb_row{"token.ls", administer, records, "List the tokens of programs that use HTTP"},
      verb_row{"token.add", administer, keys, "Create a token for a program that uses HTTP"},
      verb_row{"token.rm", administer, keys, "Remove a token"},
      verb_row{"template.ls", view, records, "List the templates for new servers"},
      verb_row{"audit.ls", administer, records, "List who asked for what, newest first"},
      verb_row{"audit.verify", administer, records, "Verify that the audit is as it was written"},
      verb_row{"manager.log-level", administer, keys, "How much the manager writes to its log, until it starts again"},
      verb_row{"metrics", view, records, "Figures of the manager, as Prometheus reads them"},
      verb_row{"status", connect, records, "The manager itself"},
  };
}();

// The request of each row, in the same order.
using verb_bodies =
    std::tuple<create_server, start_server, stop_server, restart_server, rebuild_server, recreate_server, edit_server,
               remove_server, restore_server, purge_server, move_server, adopt_server,  //
               create_project, edit_project, remove_project, create_service, edit_service, remove_service,
               deploy_service, rollback_service, start_service, stop_service,  //
               list_servers, get_server, server_history, explain_server, server_logs, server_usage, check_data,
               check_layer, sync_agents, list_agents, get_agent, agent_usage, remove_agent, forget_agent, recover_agent,
               check_ports, suggest_ports, list_projects, get_project, list_services, get_service, service_history,
               list_deployments, get_deployment, service_logs, deployment_logs, list_strays, remove_stray, begin_upload,
               upload_chunk, end_upload, list_uploads, remove_upload, list_operations, get_operation, wait_operation,
               cancel_operation, replay_events, make_token, enrol_agent, approve_agent, list_keys, add_key, remove_key,
               rotate_key, list_users, add_user, remove_user, reset_user, list_tokens, add_token, remove_token,
               list_templates, list_audit, verify_audit, set_log_level, get_metrics, get_status>;
static_assert(std::tuple_size_v<verb_bodies> == verb_table.size());

// What each row is answered with at its end, in the same order.
using verb_replies =
    std::tuple<operation_reply, operation_reply, operation_reply, operation_reply, operation_reply, operation_reply,
               operation_reply, operation_reply, operation_reply, operation_reply, operation_reply, operation_reply,  //
               deploy_reply, deploy_reply, deploy_reply, deploy_reply, deploy_reply, deploy_reply, deploy_reply,
               deploy_reply, deploy_reply, deploy_reply,  //
               server_list, server_view, event_page, explanation, logs_reply, usage_reply, data_reply, layer_reply,
               sync_reply, agent_list, agent_view, usage_reply, agent_view, forget_reply, agent_view, ports_reply,
               suggest_reply, project_list, project_view, service_list, service_view, event_page, deployment_list,
               deployment_view, logs_reply, logs_reply, stray_list, stray_list, upload_view, upload_view, upload_view,
               upload_list, upload_list, operation_list, operation_view, operation_view, operation_view, event_page,
               token_reply, enrol_reply, enrol_reply, key_list, key_list, key_list, rotation_view, user_list, user_link,
               user_list, user_link, token_list, token_made, token_list, template_list, audit_page, audit_verdict,
               log_level_reply, metrics_reply, manager_status>;
static_assert(std::tuple_size_v<verb_replies> == verb_table.size());

// Its rows of operations come first, so that a kind is its row's number.
inline constexpr size_t server_operations_count = std::variant_size_v<server_request>;
inline constexpr size_t operations_count = server_operations_count + std::variant_size_v<deploy_request>;
inline constexpr std::span<const verb_row, operations_count> operation_table{verb_table.data(), operations_count};
inline constexpr std::span<const verb_row, verb_table.size() - operations_count> other_verbs{
    verb_table.data() + operations_count, verb_table.size() - operations_count};

constexpr const verb_row& row_of(op_kind kind) { return verb_table[static_cast<size_t>(kind)]; }
constexpr bool is_operation(const verb_row& r) { return !r.done.empty(); }
constexpr bool is_of_servers(op_kind kind) { return static_cast<size_t>(kind) < server_operations_count; }
// Lists that show each caller what he may see, and are nothing for who may see nothing.
constexpr bool is_filtered(const verb_row& r) {
  return r.verb == "server.ls" || r.verb == "agent.ls" || r.verb == "service.ls" || r.verb == "deployment.ls";
}
// Requests that leave a record in the audit. What only reads does not.
constexpr bool is_audited(const verb_row& r) {
  return r.served != served_by::records && r.needs != right::connect && r.needs != right::view &&
         r.needs != right::logs && r.verb != "upload.chunk";  // its beginning and its end say all of an upload
}

static_assert(
    [] {
      if (operations_count != enum_names<op_kind>::list.size()) return false;
      for (size_t i = 0; i < verb_table.size(); ++i)
        if (is_operation(verb_table[i]) != (i < operations_count) ||
            (i < operations_count && static_cast<size_t>(verb_table[i].kind) != i))
          return false;
      return true;
    }(),
    "one row per kind of operation, one request struct per row, in the same order, before all others");

inline constexpr size_t verb_not_found = verb_table.size();
// The number of a verb's row, or verb_not_found.
size_t find_verb(std::string_view verb);

// "stopped, missing or failed"
std::string states_text(status_set set);
// Words of the verbs that a state permits.
std::vector<std::string> verbs_allowed(server_status s);

}  // namespace zedops::msg
