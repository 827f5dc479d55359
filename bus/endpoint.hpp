// Where the bus listens: ipc sockets guarded by file permissions.
#pragma once
#include <filesystem>
#include <string>

#include "bus/security/keys.hpp"
#include "messages/base/error.hpp"

namespace zedops::bus {

// The path of a Unix socket in the kernel's structure, without its final zero byte.
inline constexpr size_t ipc_path_max = 107;

// "ipc:///run/zedops/clients.ipc" → the path. Errors: bad_request for another transport, a relative or a too long path.
msg::result<std::filesystem::path> ipc_path(const std::string& uri);

// Asks the kernel whether a process listens, without waiting: agent_unreachable when none does, forbidden when the
// user may not connect.
msg::result<void> probe(const address& to);
// Whether it can be listened at or dialled: a socket file, or tcp with keys. Errors: bad_request.
msg::result<void> usable(const std::string& uri, bool has_keys);

// Makes the directory with mode 0750 when it is missing.
msg::result<void> ensure_runtime_dir(const std::filesystem::path& dir);

// The right to bind one ipc endpoint: a lock on "<path>.lock" that dies with its process, so that a socket left behind
// by a crash is replaced and one in use is not.
class endpoint_claim {
 public:
  // Removes a stale socket. already_exists: another process listens there.
  static msg::result<endpoint_claim> take(const std::string& uri);
  endpoint_claim(endpoint_claim&& other) noexcept;
  endpoint_claim& operator=(endpoint_claim&& other) noexcept;
  ~endpoint_claim();

  // To be called once bound: owner and group may connect (0660), nobody else. The claim's end removes the socket file.
  msg::result<void> guard();

 private:
  endpoint_claim(std::filesystem::path path, int lock_fd) : path_(std::move(path)), lock_fd_(lock_fd) {}
  std::filesystem::path path_;
  int lock_fd_ = -1;
  bool bound_ = false;  // the socket file is ours to remove
};

}  // namespace zedops::bus
