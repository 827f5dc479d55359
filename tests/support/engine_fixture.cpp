#include "tests/support/engine_fixture.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace zedops::test {
namespace {

// The build folder of the tests; kept short, because a socket path has at most 107 characters.
std::string engines_dir() { return ZEDOPS_BUILD_DIR "/engine"; }

std::string start_shared() {
  if (const char* given = std::getenv("ZEDOPS_TEST_DOCKER_HOST"); given && *given) return given;
  shell(source_dir() + "/tools/engine up --dir " + engines_dir());
  return "unix://" + engines_dir() + "/docker.sock";
}

bool bindable(int type, uint16_t port) {
  int fd = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(port);
  bool good = ::bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof any) == 0;
  ::close(fd);
  return good;
}

}  // namespace

std::string source_dir() { return ZEDOPS_SOURCE_DIR; }

std::string shell(const std::string& command) {
  std::string out;
  // 2>&1: when a command fails, its error is the message of the test.
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (!pipe) throw std::runtime_error("cannot run " + command);
  std::array<char, 4096> buffer{};
  while (auto n = std::fread(buffer.data(), 1, buffer.size(), pipe)) out.append(buffer.data(), n);
  int status = ::pclose(pipe);
  if (status != 0)
    throw std::runtime_error(command + " ended with " + std::to_string(WEXITSTATUS(status)) + ": " + out);
  return out;
}

const std::string& docker_host() {
  static const std::string host = [] {
    auto h = start_shared();
    shell("DOCKER_HOST=" + h + " " + source_dir() + "/tools/images busybox zomboid-sim");
    return h;
  }();
  return host;
}

private_engine::private_engine(const std::string& name)
    : dir_{engines_dir() + "-" + name + "-" + std::to_string(::getpid())} {
  run("up");
  shell("DOCKER_HOST=" + host() + " " + source_dir() + "/tools/images busybox");
}
private_engine::~private_engine() {
  try {
    run("down --purge");
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
  }
}
void private_engine::run(const std::string& verb) { shell(source_dir() + "/tools/engine " + verb + " --dir " + dir_); }

std::string unique_name(const std::string& prefix) {
  static std::atomic<int> counter{0};
  return prefix + "-" + std::to_string(::getpid()) + "-" + std::to_string(++counter);
}

uint16_t free_port() {
  // Below the range of outgoing connections; test programs that run in parallel start at different numbers.
  static std::atomic<unsigned> next{static_cast<unsigned>(::getpid()) * 37U};
  for (int tries = 0; tries < 2000; ++tries) {
    auto port = static_cast<uint16_t>(21000 + next++ % 9000);
    if (bindable(SOCK_STREAM, port) && bindable(SOCK_DGRAM, port)) return port;
  }
  throw std::runtime_error("no free port between 21000 and 29999");
}

cleanup::cleanup(docker::engine& engine, docker::labels which) : engine_{engine}, which_{std::move(which)} { sweep(); }
cleanup::~cleanup() { sweep(); }

void cleanup::sweep() {
  using docker::effect;
  auto list = wait_for<std::vector<docker::container_summary>>(
      [&](auto h) { engine_.list_containers(which_, {}, std::move(h)); });
  if (!list) return;
  for (const auto& c : *list)
    (void)wait_for<effect>([&](auto h) {
      engine_.remove_container(c.id, docker::removal::force, docker::anonymous_volumes::remove, {}, std::move(h));
    });
}

}  // namespace zedops::test
