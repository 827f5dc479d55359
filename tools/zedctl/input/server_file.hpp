// Servers as files: YAML (or JSON) with the fields of server.create, so that the output of `server get -o yaml` is such
// a file. Its fields that cannot be set (status, container_id ...) are ignored.
#pragma once
#include <istream>
#include <string>
#include <vector>

#include "messages/api/requests.hpp"

namespace zedops::ctl {

inline constexpr size_t server_file_bytes_max = 1 << 20;
inline constexpr size_t server_files_max = 10'000;  // documents, over all files

struct wanted_server {
  std::string from;  // "dir/pz1.yaml", with ":2" for the second document in it
  msg::create_server server;
};

// Errors: bad_request, too_large; the message names file and line.
msg::result<std::vector<wanted_server>> servers_in_text(const std::string& text, const std::string& from);

// A file, "-" for standard input, or all *.yaml, *.yml and *.json of a folder, by name.
msg::result<std::vector<wanted_server>> servers_in_files(const std::string& path, std::istream& in);

}  // namespace zedops::ctl
