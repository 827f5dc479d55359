// From record and template to what the agent must make: container, directories, stop procedure.
#pragma once
#include <array>

#include "messages/api/operations.hpp"
#include "messages/records/server.hpp"
#include "messages/records/template.hpp"
#include "messages/wire/link.hpp"

namespace zedops::core {

inline constexpr std::string_view label_managed = "zedops.managed";
inline constexpr std::string_view label_manager = "zedops.manager";
inline constexpr std::string_view label_server = "zedops.server.id";
inline constexpr std::string_view label_name = "zedops.server.name";
inline constexpr std::string_view label_type = "zedops.type";
inline constexpr std::string_view label_operation = "zedops.operation";

struct plan_context {
  std::string manager_id;
  std::string agent_name;
  msg::operation_id op;  // the operation that makes the container; labels it
};

// Errors: bad_request when a pattern of the template cannot be filled for this server.
msg::result<msg::server_plan> plan_for(const msg::server& s, const msg::server_template& t, const plan_context& cx);
// Without its template, what the record alone says: its agent goes on managing it by what it knows.
msg::known_server known_for(const msg::server& s, const msg::server_template* t, const plan_context& cx);
inline msg::known_server known_for(const msg::server& s, const msg::server_template& t, const plan_context& cx) {
  return known_for(s, &t, cx);
}

// Where the server's data is, or would be, in a data root.
msg::data_layout layout_at(const msg::server& s, const msg::server_template& t, const std::string& root);

// How long a server's stop plan may take at most: all its steps, then the grace.
msg::duration stop_time(const msg::server& s, const msg::server_template& t);
// Raises the times of the operations that may stop a container, so that none is given up while its plan is carried out.
void allow_for_stop(std::array<msg::duration, msg::operation_table.size()>& time_max, const msg::server& s,
                    const msg::server_template& t);

inline constexpr size_t env_keys_max = 512;
inline constexpr size_t env_bytes_max = 256 * 1024;  // keys and values; the kernel gives a process about two megabytes
// Keys, values, their number and what they have together. Errors: bad_request, too_large.
msg::result<void> check_env(const std::map<std::string, std::string>& env);

// A new record from a request, all rules checked but the claims. Errors: invalid_name, bad_request, port_conflict.
msg::result<msg::server> record_for(const msg::create_server& r, const msg::agent& a, const msg::server_template& t,
                                    msg::server_id id, std::vector<msg::reserved_port> ports);
// The spec that a server has after an edit.
msg::server_spec edited_spec(const msg::server& s, const msg::edit_server& r);
// The rules for a change of environment, image and spec: keys, values, required and immutable ones, reference, tag.
msg::result<void> check_edit(const msg::server& s, const msg::edit_server& r, const msg::server_template& t);

}  // namespace zedops::core
