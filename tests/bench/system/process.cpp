#include "tests/bench/system/process.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "bus/client.hpp"
#include "messages/wire/codec.hpp"

extern char** environ;

namespace zedops::bench {

using namespace std::chrono_literals;

namespace {
constexpr auto end_time_max = 15s;

std::string slurp(const std::string& path) {
  std::ifstream in(path);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}
}  // namespace

std::string program(const std::string& name) {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / name).string();
}

process::process(const std::vector<std::string>& command, std::string log_file) : log_file_(std::move(log_file)) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 1, log_file_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&files, 1, 2);
  std::vector<char*> argv;
  for (const auto& a : command) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  started_ = steady::now();
  const int rc = posix_spawn(&pid_, argv[0], &files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  if (rc != 0) die("cannot start " + command[0]);
}

process::~process() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  int status = 0;
  if (!wait_until([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; }, end_time_max)) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, &status, 0);
  }
}

int process::wait() {
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string process::log() const { return slurp(log_file_); }

bool process::wait_for_log(const std::string& text, std::chrono::milliseconds time_max) const {
  return wait_until([&] { return log().find(text) != std::string::npos; }, time_max);
}

double process::status_kb(pid_t pid, const std::string& field) {
  std::istringstream in(slurp("/proc/" + std::to_string(pid) + "/status"));
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(field)) return std::stod(line.substr(field.size()));
  return 0;
}

double process::cpu_seconds() const {
  const auto text = slurp("/proc/" + std::to_string(pid_) + "/stat");
  std::istringstream in(text.substr(text.rfind(')') + 2));  // from field 3 on
  std::string skipped;
  for (int field = 3; field < 14; ++field) in >> skipped;
  double user = 0, system = 0;
  in >> user >> system;
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

uint16_t free_port() {
  const int s = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof at;
  if (::bind(s, reinterpret_cast<sockaddr*>(&at), bytes) != 0 ||
      ::getsockname(s, reinterpret_cast<sockaddr*>(&at), &bytes) != 0)
    die("no port is free");
  ::close(s);
  return ntohs(at.sin_port);
}

manager_process::manager_process(const scratch_dir& dir, std::vector<std::string> more_flags) {
  const auto run = dir / "run";
  clients_uri = "ipc://" + run + "/clients.ipc";
  agents_uri = "ipc://" + run + "/agents.ipc";
  events_uri = "ipc://" + run + "/events.ipc";
  std::vector<std::string> command{program("zedops-manager"), "--data-dir", dir / "data", "--runtime-dir", run};
  if (std::ranges::find(more_flags, "--http") == more_flags.end())
    more_flags.insert(more_flags.end(), {"--http", "off"});
  command.insert(command.end(), more_flags.begin(), more_flags.end());
  process_.emplace(command, dir / "manager.log");
}

double manager_process::first_read_ms() {
  msg::list_servers q;
  q.where.limit = 1;
  const auto body = msg::pack_map(q);
  const bool answered = wait_until(
      [&] {
        auto c = bus::client::connect(clients_uri);
        if (!c) return false;
        auto r = c->request("server.ls", body);
        return r && r->kind == bus::reply_kind::result;
      },
      60s);
  if (!answered) die("the manager does not answer:\n" + process_->log());
  return ms_since(process_->started());
}

}  // namespace zedops::bench
