// Sources from git: from a daemon on this machine, and from a web server that refuses our token.
#include "integration/host/git.hpp"

#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <thread>

#include "tests/support/catch.hpp"
#include "tests/support/tcp.hpp"
#include "tests/support/temp_dir.hpp"

using namespace zedops;
using host::git_request;
namespace fs = std::filesystem;

namespace {

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Answers each connection until it is destroyed, one after the other.
class listener {
 public:
  explicit listener(std::function<void(int fd)> answer) : answer_(std::move(answer)) {
    if (!port_.listen()) throw std::system_error(errno, std::generic_category(), "listen");
    thread_ = std::thread([this] {
      for (int fd; (fd = ::accept4(port_.fd, nullptr, nullptr, SOCK_CLOEXEC)) >= 0; ::close(fd)) answer_(fd);
    });
  }
  ~listener() {
    ::shutdown(port_.fd, SHUT_RDWR);
    thread_.join();
  }
  std::string at() const { return "127.0.0.1:" + std::to_string(port_.number); }

 private:
  const std::function<void(int)> answer_;
  test::held_port port_;
  std::thread thread_;
};

// One connection of git's own protocol.
void serve_git(int fd, const std::string& root) {
  const auto base = "--base-path=" + root;
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(fd, 0);
    ::dup2(fd, 1);
    ::execlp("git", "git", "daemon", "--inetd", "--export-all", base.c_str(), root.c_str(), nullptr);
    ::_exit(127);
  }
  ::waitpid(child, nullptr, 0);
}

void refuse(int fd) {
  std::string asked;
  char c = 0;
  while (!asked.ends_with("\r\n\r\n") && ::recv(fd, &c, 1, 0) == 1) asked += c;
  constexpr std::string_view no =
      "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\n"
      "Content-Length: 0\r\nConnection: close\r\n\r\n";
  (void)!::send(fd, no.data(), no.size(), MSG_NOSIGNAL);
}

struct a_repository {
  test::temp_dir dir;
  fs::path repo = dir.path() / "all/shop", archive = dir.path() / "a.tar", folder = dir.path() / "1.git";
  listener daemon{[root = (dir.path() / "all").string()](int fd) { serve_git(fd, root); }};

  a_repository() {
    fs::create_directories(repo);
    git("init -q -b main");
    write("index.html", "hello");
  }
  void git(const std::string& what) const {
    const auto command =
        "cd '" + repo.string() + "' && GIT_CONFIG_GLOBAL=/dev/null git -c user.name=ann -c user.email=a@b " + what;
    REQUIRE(std::system(command.c_str()) == 0);
  }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((repo / name).parent_path());
    std::ofstream(repo / name) << text;
  }
  void commit() const {
    git("add -A");
    git("commit -q -m one");
  }
  git_request asked() const {
    git_request r;
    r.url = "git://" + daemon.at() + "/shop";
    r.folder = folder;
    r.archive = archive;
    return r;
  }
  std::string unpacked() const {
    const auto to = dir.path() / "out";
    fs::create_directories(to);
    REQUIRE(std::system(("tar -C '" + to.string() + "' -xf '" + archive.string() + "'").c_str()) == 0);
    return to.string();
  }
};

void succeeds(const git_request& r) {
  auto commit = host::fetch_commit(r);
  INFO((commit ? std::string{} : commit.error().message));
  REQUIRE(commit.has_value());
  CHECK(commit->size() == 40);
}

void has_lfs(const git_request& r) {
  auto commit = host::fetch_commit(r);
  REQUIRE_FALSE(commit.has_value());
  CHECK(commit.error().code == msg::ec::bad_request);
  CHECK(commit.error().message.find("LFS") != std::string::npos);
}

}  // namespace

TEST_CASE_METHOD(a_repository, "git: what a killed git has left behind is no obstacle", "[host][git]") {
  commit();
  succeeds(asked());
  for (const auto* left : {"shallow.lock", "index.lock", "config.lock", "objects/pack/tmp_pack_x"})
    std::ofstream(folder / ".git" / left) << "";
  succeeds(asked());
  CHECK_FALSE(fs::exists(folder / ".git/shallow.lock"));
  CHECK(text_of(fs::path(unpacked()) / "index.html") == "hello");
}

TEST_CASE("git: a token that the server refuses is not removed from its file", "[host][git]") {
  test::temp_dir dir;
  const listener server(refuse);
  git_request r;
  r.url = "http://" + server.at() + "/shop";
  r.folder = dir.path() / "1.git";
  r.archive = dir.path() / "a.tar";
  r.credentials = dir.path() / "the tokens \"$1\"";
  const auto tokens = "http://bot:t0ken@" + server.at() + "\nhttps://bot:other@example.org\n";
  std::ofstream(r.credentials) << tokens;
  REQUIRE(::chmod(r.credentials.c_str(), 0600) == 0);
  auto commit = host::fetch_commit(r);
  REQUIRE_FALSE(commit.has_value());
  CHECK(commit.error().code == msg::ec::pull_failed);
  INFO(commit.error().message);
  CHECK(commit.error().message.find("Authentication failed") != std::string::npos);  // it was tried
  CHECK(text_of(r.credentials) == tokens);
}

TEST_CASE_METHOD(a_repository, "git: every file is as it was committed, whatever export-ignore and export-subst say",
                 "[host][git]") {
  write(".gitattributes", "secret.txt export-ignore\nversion.txt export-subst\ndocs export-ignore\n");
  write("sub/.gitattributes", "* export-ignore\n");
  write("secret.txt", "kept");
  write("version.txt", "$Format:%H$");
  write("docs/a.md", "docs");
  write("sub/b.md", "below");
  commit();
  succeeds(asked());
  const fs::path out = unpacked();
  CHECK(text_of(out / "secret.txt") == "kept");
  CHECK(text_of(out / "version.txt") == "$Format:%H$");
  CHECK(text_of(out / "docs/a.md") == "docs");
  CHECK(text_of(out / "sub/b.md") == "below");
}

TEST_CASE_METHOD(a_repository, "git: files in LFS are refused, whichever folder's .gitattributes names them",
                 "[host][git]") {
  write("a b/ü/.gitattributes", "*.txt text\n");
  write("notes.gitattributes", "*.bin filter=lfs\n");  // not a .gitattributes file
  commit();
  succeeds(asked());
  write("a b/ü/.gitattributes", "*.txt text\n*.bin filter=lfs diff=lfs\n");
  commit();
  has_lfs(asked());
  fs::remove_all(repo / "a b");
  write(".gitattributes", "*.bin filter=lfs\n");
  commit();
  has_lfs(asked());
}
