// Between the plan's description of a server's data and the host adapter's. Pure.
#pragma once
#include <string>

#include "integration/host/data/data_dir.hpp"
#include "messages/wire/link.hpp"

namespace zedops::agent {

// Below a server's tree: a folder for each volume that its image declares and its template does not mount.
inline constexpr std::string_view volumes_folder = "volumes/";

// The path of a directory below {root}/{name}/; bad_request when it is not there.
msg::result<std::string> path_below(const msg::data_layout& layout, const msg::data_dir& dir);

// The owner of every data root is the agent.
msg::result<host::check_request> check_request_of(const msg::data_layout& layout, const msg::agent_id& owner,
                                                  host::sizing sizes);
msg::result<host::dirs_request> dirs_request_of(const msg::data_layout& layout, const msg::agent_id& owner);

// A row of a data answer. The directories named "bin" and "data" have columns of their own.
msg::data_row row_of(const msg::known_server& server, const host::data_report& report);

}  // namespace zedops::agent
