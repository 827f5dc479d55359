// What was set for the container of one server beyond its template. A field that is not given is the template's, else
// the image's or the Engine's; a list or map that is given replaces the whole of the template's, except folders and
// labels, which are added to it by name.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/base/error.hpp"
#include "messages/records/container.hpp"

namespace zedops::msg {

// A folder below the server's own that is mounted in its container and counts as its data.
struct data_folder {
  std::string path;    // below {data path}/{server name}/; one with the name of a template's folder takes its place
  std::string target;  // absolute path in the container
  bool read_only = false;
  ZEDOPS_FIELDS(path, target, read_only)
  friend bool operator==(const data_folder&, const data_folder&) = default;
};

struct server_spec {
  std::optional<std::vector<std::string>> command;     // the image's arguments; empty: the image's own
  std::optional<std::vector<std::string>> entrypoint;  // given, the template's command is left out
  std::optional<std::string> user;                     // name or number, "user:group"
  std::optional<std::string> working_dir;
  std::optional<std::string> hostname;
  std::optional<uint64_t> memory_max;                       // bytes; zero: no limit
  std::optional<uint32_t> cpu_millis;                       // thousandths of a core; zero: no limit
  std::optional<std::vector<port_binding>> ports;           // further ones; reserved like those of the template
  std::optional<std::string> address;                       // of the host, for the ports of the template; empty: all
  std::optional<std::vector<data_folder>> folders;          // further ones
  std::optional<std::vector<mount>> binds;                  // of the host; its agent must permit them
  std::optional<std::map<std::string, std::string>> tmpfs;  // place in the container: options, as mount(8) takes them
  std::optional<bool> tty;
  std::optional<bool> open_stdin;
  std::optional<bool> init;  // a small init of the Engine's as process 1
  std::optional<std::string> stop_signal;
  std::optional<duration> stop_grace;  // from the signal to the kill
  std::optional<healthcheck> health;   // test {"NONE"}: none, whatever the image says
  std::optional<std::map<std::string, std::string>> labels;
  std::optional<std::map<std::string, ulimit>> ulimits;  // "nofile", "nproc" ...
  std::optional<uint64_t> shm_size;                      // bytes of /dev/shm
  std::optional<std::string> log_driver;
  std::optional<std::map<std::string, std::string>> log_options;
  std::optional<std::vector<std::string>> cap_add;  // without "CAP_"
  std::optional<std::vector<std::string>> cap_drop;
  ZEDOPS_FIELDS(command, entrypoint, user, working_dir, hostname, memory_max, cpu_millis, ports, address, folders,
                binds, tmpfs, tty, open_stdin, init, stop_signal, stop_grace, health, labels, ulimits, shm_size,
                log_driver, log_options, cap_add, cap_drop)
  friend bool operator==(const server_spec&, const server_spec&) = default;
};

// Names of all fields, in order.
const std::vector<std::string_view>& spec_fields();
std::vector<std::string_view> given_fields(const server_spec& s);
inline bool nothing_given(const server_spec& s) { return given_fields(s).empty(); }
// Each field that `over` gives takes the place of the one in `base`.
void overlay(server_spec& base, const server_spec& over);
// False when there is no field of that name.
bool clear_field(server_spec& s, std::string_view name);

// Size of its texts: roughly what it takes in a message.
size_t bytes_of(const server_spec& s);

// A field as people read it; "the template's" when it is not given.
std::string spec_text(const server_spec& s, std::string_view field);
// One line for each field that differs, "memory_max: 1 GiB -> 2 GiB".
std::vector<std::string> spec_changes(const server_spec& before, const server_spec& after);

// ---- short forms; errors: bad_request, with the forms that are accepted ----
// "25565", "25565:25565/udp", "27015-27020:27015-27020/udp", "127.0.0.1:8080:80", "[::1]:8080:80/tcp"; default: tcp.
result<std::vector<port_binding>> parse_ports(std::string_view text);
result<data_folder> parse_folder(std::string_view text);     // "mods:/game/mods", "mods:/game/mods:ro"
result<mount> parse_bind(std::string_view text);             // "/srv/maps:/maps:ro"
std::optional<ulimit> parse_ulimit(std::string_view text);   // "1024:65536", "1024" for both, "-1" for no limit
std::optional<uint64_t> parse_bytes(std::string_view text);  // "512m", "2g", "1.5GiB", "65536"

}  // namespace zedops::msg
