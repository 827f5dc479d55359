// MessagePack and JSON for every record and message. Nothing here throws: hostile bytes are an error value.
//
// Two MessagePack forms: arrays where both ends are ours (store, agent link; enums as numbers), maps by field name at
// public doors (clients, events; enums as names, like JSON). Both skip unknown fields and default missing ones.
#pragma once
#include <string>
#include <string_view>

#include "messages/api/deploy_requests.hpp"
#include "messages/api/deploy_views.hpp"
#include "messages/api/requests.hpp"
#include "messages/api/views.hpp"
#include "messages/base/error.hpp"
#include "messages/records/facts.hpp"
#include "messages/records/server.hpp"
#include "messages/wire/link.hpp"

namespace zedops::msg {

inline constexpr size_t decode_depth_max = 32;
inline constexpr size_t decode_items_max = 1 << 20;   // per array or map
inline constexpr size_t decode_bytes_max = 64 << 20;  // per message and per string
// How much memory the lists and maps of a message may take: the base, plus the factor times its own size.
inline constexpr size_t decode_memory_base = 4 << 20;
inline constexpr size_t decode_memory_factor = 16;

// Types with an array form, i.e. what is stored and what travels between manager and agent.
#define ZEDOPS_ARRAY_TYPES(X) \
  X(server)                   \
  X(agent)                    \
  X(operation)                \
  X(log_entry)                \
  X(orphan_data)              \
  X(project)                  \
  X(service)                  \
  X(from_agent) X(to_agent) X(command_result) X(run_command) X(known_server) X(audit_record) X(usage_sample)

// Types with a map form and JSON, i.e. what clients and subscribers see.
// clang-format off
#define ZEDOPS_MAP_TYPES(X)                                                                                   \
  X(create_server) X(start_server) X(stop_server) X(restart_server) X(rebuild_server) X(recreate_server)      \
  X(edit_server) X(remove_server) X(restore_server) X(purge_server) X(move_server) X(adopt_server)            \
  X(list_servers) X(get_server) X(server_history) X(list_agents) X(get_agent) X(remove_agent) X(sync_agents)  \
  X(check_data) X(check_ports) X(suggest_ports) X(server_logs) X(list_operations) X(get_operation)            \
  X(wait_operation) X(cancel_operation) X(replay_events) X(get_status) X(request_options) X(server_view)      \
  X(agent_view) X(operation_view) X(server_list) X(agent_list) X(operation_list) X(event) X(event_page)       \
  X(operation_reply) X(sync_reply) X(data_reply) X(ports_reply) X(suggest_reply) X(logs_reply)                \
  X(manager_status) X(check_layer) X(layer_reply) X(error) X(explain_server) X(forget_agent) X(recover_agent) \
  X(forget_reply) X(explanation) X(audit_record) X(list_keys) X(add_key) X(remove_key) X(make_token)          \
  X(enrol_agent) X(approve_agent) X(key_view) X(key_list) X(token_reply) X(enrol_reply) X(list_audit)         \
  X(audit_page) X(verify_audit) X(audit_verdict) X(list_users) X(add_user) X(remove_user) X(reset_user)       \
  X(list_tokens) X(add_token) X(remove_token) X(set_log_level) X(get_metrics) X(user_list) X(user_link)       \
  X(token_list) X(token_made) X(log_level_reply) X(metrics_reply) X(list_templates) X(template_list)          \
  X(server_usage) X(agent_usage) X(usage_reply) X(usage_sample) X(create_project) X(edit_project)             \
  X(remove_project) X(create_service) X(edit_service) X(remove_service) X(deploy_service) X(rollback_service) \
  X(list_projects) X(get_project) X(list_services) X(get_service) X(service_history) X(list_deployments)      \
  X(get_deployment) X(begin_upload) X(upload_chunk) X(end_upload) X(list_uploads) X(remove_upload)            \
  X(deployment_view) X(deployment_list) X(service_view) X(service_list) X(project_view) X(project_list)       \
  X(upload_view) X(upload_list) X(deploy_reply) X(start_service) X(stop_service) X(service_logs)              \
  X(deployment_logs) X(list_strays) X(remove_stray) X(stray_list) X(rotate_key) X(rotation_view)
// clang-format on

template <class T>
std::string pack(const T& value);  // array form
template <class T>
result<T> unpack(std::string_view bytes);

template <class T>
std::string pack_map(const T& value);
template <class T>
result<T> unpack_map(std::string_view bytes);

// A MessagePack map in a form that does not depend on who encoded it: order of fields, width of numbers. Anything else
// is returned unchanged.
std::string encoding_free(std::string_view map);

template <class T>
std::string to_json(const T& value, int indent = -1);
template <class T>
result<T> from_json(std::string_view text);

#define X(type)                                  \
  extern template std::string pack(const type&); \
  extern template result<type> unpack(std::string_view);
ZEDOPS_ARRAY_TYPES(X)
#undef X
#define X(type)                                              \
  extern template std::string pack_map(const type&);         \
  extern template result<type> unpack_map(std::string_view); \
  extern template std::string to_json(const type&, int);     \
  extern template result<type> from_json(std::string_view);
ZEDOPS_MAP_TYPES(X)
#undef X

// The name under which a field is public where its C++ name cannot be or is not it.
constexpr std::string_view public_name(std::string_view field) {
  if (field == "failure") return "error";
  if (field == "why") return "cause";
  if (field == "template_name") return "template";
  return field;
}

}  // namespace zedops::msg
