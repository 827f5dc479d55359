#include "actors/agent/ports.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <thread>

namespace zedops::agent {
namespace {

class real_host final : public machine_port {
 public:
  real_host(std::string engine_socket, std::vector<std::string> bind_paths)
      : socket_(std::move(engine_socket)), bind_paths_(std::move(bind_paths)) {}
  host::data_report check(const host::check_request& request) override { return host::check(request); }
  std::string owner_of_root(const std::string& path) override { return host::owner_of_root(path); }
  msg::result<host::root_made> prepare_root(const host::data_root& root) override { return host::prepare_root(root); }
  msg::result<unsigned> make_dirs(const host::dirs_request& request) override { return host::make_dirs(request); }
  msg::result<host::removed_tree> remove_tree(const host::remove_request& request) override {
    return host::remove_tree(request);
  }
  msg::result<uint64_t> free_space_at(const std::string& path) override { return host::free_space_at(path); }
  msg::result<void> check_new_root(const std::string& path) override { return host::check_new_root(path); }
  msg::result<host::copy_stage> look_at_copy(const host::copy_request& r) override { return host::look_at_copy(r); }
  msg::result<host::copy_size> check_copy(const host::copy_request& r) override { return host::check_copy(r); }
  msg::result<host::copy_size> copy_tree(const host::copy_request& r, const host::copy_progress& progress) override {
    return host::copy_tree(r, progress);
  }
  msg::result<void> place_copy(const host::copy_request& r) override { return host::place_copy(r); }
  msg::result<std::string> drop_copy(const host::copy_request& r, host::copy_fate fate) override {
    return host::drop_copy(r, fate);
  }
  msg::result<void> finish_copy(const host::copy_request& r) override { return host::finish_copy(r); }
  msg::result<void> check_bind(const std::string& path) override { return host::check_bind(path, bind_paths_); }
  host::port_sight sight_of_ports() override { return host::sight_of_ports(socket_); }
  std::vector<host::port_report> check_ports(const std::vector<host::port_query>& queries) override {
    return host::check_ports(queries, host::sight_of_ports(socket_));
  }

 private:
  std::string socket_;
  std::vector<std::string> bind_paths_;
};

class real_console final : public console_port {
 public:
  msg::result<std::string> execute(const rcon::target& to, const std::vector<std::string>& commands) override {
    return rcon::rcon_execute(to, commands);
  }
};

}  // namespace

std::unique_ptr<machine_port> make_machine_port(std::string engine_socket, std::vector<std::string> bind_paths) {
  return std::make_unique<real_host>(std::move(engine_socket), std::move(bind_paths));
}
std::unique_ptr<console_port> make_console_port() { return std::make_unique<real_console>(); }

bool engine_listens(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return true;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return true;
  const bool refused = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 &&
                       (errno == ECONNREFUSED || errno == ENOENT);
  ::close(fd);
  return !refused;
}

clocks real_clocks() {
  return {[] { return std::chrono::time_point_cast<msg::duration>(std::chrono::system_clock::now()); },
          [] { return std::chrono::steady_clock::now(); }, [](auto d) { std::this_thread::sleep_for(d); }};
}

}  // namespace zedops::agent
