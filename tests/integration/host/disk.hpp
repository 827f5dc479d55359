// A folder that is removed with the test, and child processes for what must not happen to this one: mounts, another
// user.
#pragma once
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "integration/host/data/data_dir.hpp"
#include "tests/support/catch.hpp"

namespace zedops::test {

namespace fs = std::filesystem;

struct disk {
  fs::path path;
  host::data_root root;

  disk() {
    std::string pattern = (fs::temp_directory_path() / "zedops-host-XXXXXX").string();
    path = ::mkdtemp(pattern.data());
    fs::permissions(path, fs::perms(0755));
    root = {(path / "servers").string(), "a0123456789abcd"};
  }
  ~disk() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  disk(const disk&) = delete;
  disk& operator=(const disk&) = delete;

  void prepare() const { REQUIRE(host::prepare_root(root)); }
  fs::path servers() const { return root.data_path; }
  void write(const fs::path& below_servers, const std::string& text = "x") const {
    fs::create_directories((servers() / below_servers).parent_path());
    std::ofstream(servers() / below_servers) << text;
  }
  host::data_report check(const std::string& name, host::sizing sizes = host::sizing::skip) const {
    return host::check({root, name, {{"bin", false}, {"data", true}}, sizes});
  }
  msg::result<uint64_t> remove(const std::string& name, const std::string& id = "o1") const {
    return host::remove_tree({root, name, id}).map([](const host::removed_tree& gone) { return gone.bytes; });
  }
};

// Runs `body` in a child process; returns its text, empty for "all well".
inline std::string in_child(const std::function<std::string()>& body) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    auto text = body();
    auto written = ::write(ends[1], text.data(), text.size());
    ::_exit(written == static_cast<ssize_t>(text.size()) ? 0 : 1);
  }
  ::close(ends[1]);
  std::string text;
  char bytes[1024];
  for (ssize_t n; (n = ::read(ends[0], bytes, sizeof bytes)) > 0;) text.append(bytes, static_cast<size_t>(n));
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return "the child died: " + text;
  return text;
}

// Mounts are made in the child's own namespace; needs root.
inline bool own_mounts() {
  return ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

inline bool is_root() {
  if (::geteuid() == 0) return true;
  WARN("needs root: skipped");
  return false;
}

}  // namespace zedops::test
