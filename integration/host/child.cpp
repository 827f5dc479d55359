#include "integration/host/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "integration/host/files.hpp"

namespace zedops::host {

using namespace msg;

namespace {

constexpr int look_every_ms = 100;
constexpr size_t line_max = 4'096;

struct file_actions {
  posix_spawn_file_actions_t all;
  file_actions() { posix_spawn_file_actions_init(&all); }
  ~file_actions() { posix_spawn_file_actions_destroy(&all); }
};
struct attributes {
  posix_spawnattr_t all;
  attributes() { posix_spawnattr_init(&all); }
  ~attributes() { posix_spawnattr_destroy(&all); }
};

std::vector<char*> pointers(const std::vector<std::string>& list) {
  std::vector<char*> out;
  for (const auto& x : list) out.push_back(const_cast<char*>(x.c_str()));
  out.push_back(nullptr);
  return out;
}

// Splits its input into lines.
class lines {
 public:
  explicit lines(const std::function<void(std::string_view)>& said) : said_(said) {}
  void add(std::string_view text) {
    for (const char c : text) {
      if (c != '\n' && c != '\r') {
        if (line_.size() < line_max) line_ += c;
      } else {
        end();
      }
    }
  }
  void end() {
    if (said_ && !line_.empty()) said_(line_);
    line_.clear();
  }

 private:
  const std::function<void(std::string_view)>& said_;
  std::string line_;
};

}  // namespace

result<int> run_child(const child_request& r) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(ec::internal, "cannot make a pipe: " + errno_text(errno), "");
  unique_fd from(ends[0]), to(ends[1]);
  file_actions files;
  posix_spawn_file_actions_addopen(&files.all, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files.all, 1, r.output.empty() ? "/dev/null" : r.output.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&files.all, to.get(), 2);
  posix_spawn_file_actions_addchdir_np(&files.all, r.folder.c_str());
  attributes how;
  sigset_t none, defaults;
  sigemptyset(&none);
  sigfillset(&defaults);
  posix_spawnattr_setsigmask(&how.all, &none);
  posix_spawnattr_setsigdefault(&how.all, &defaults);
  posix_spawnattr_setpgroup(&how.all, 0);
  posix_spawnattr_setflags(&how.all, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  auto argv = pointers(r.argv), env = pointers(r.environment);
  pid_t pid = 0;
  if (const int problem = ::posix_spawnp(&pid, argv[0], &files.all, &how.all, argv.data(), env.data()); problem != 0)
    return fail(problem == ENOENT ? ec::not_found : ec::internal, r.argv[0] + " cannot be run: " + errno_text(problem),
                problem == ENOENT ? "install it on this host" : "");
  to = unique_fd();
  lines said(r.said);
  std::array<char, 16 * 1024> buffer;
  bool cancelled = false;
  for (;;) {
    pollfd what{from.get(), POLLIN, 0};
    ::poll(&what, 1, look_every_ms);
    if (what.revents != 0) {
      const auto n = ::read(from.get(), buffer.data(), buffer.size());
      if (n == 0) break;  // the last process that could write has ended
      if (n > 0) said.add({buffer.data(), static_cast<size_t>(n)});
      else if (errno != EINTR && errno != EAGAIN) break;
    }
    if (!cancelled && r.cancelled && r.cancelled()) {
      cancelled = true;
      ::kill(-pid, SIGKILL);
    }
  }
  said.end();
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  ::kill(-pid, SIGKILL);  // its helpers, if it has left any running
  if (cancelled) return fail(ec::cancelled, r.argv[0] + " was cancelled");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace zedops::host
