// The real program: its exits, its lock, and a session over the bus.
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "bus/server_bus.hpp"
#include "messages/wire/codec.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/engine_fixture.hpp"
#include "tests/support/sanitized.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace zedops::test;

namespace {

// A manager that answers each hello as the test says.
class greeter final : public bus::server_bus_listener {
 public:
  greeter(std::filesystem::path dir, std::function<to_agent(const hello&)> answer) : answer_(std::move(answer)) {
    bus::server_bus_options o;
    uri = "ipc://" + (dir / "agents.ipc").string();
    o.agents_uris = {uri};
    o.runtime_dir = dir;
    auto started = bus::server_bus::start(std::move(o), *this);
    if (!started) throw std::runtime_error(started.error().message);
    bus_ = std::move(*started);
  }
  ~greeter() { bus_.reset(); }
  void on_start(bus::server_bus& b) noexcept override { sender_ = &b; }
  void on_request(bus::client_request&&) noexcept override {}
  void on_bad_message(const bus::bad_message&) noexcept override {}
  void on_unreachable(bus::door, const std::string&) noexcept override {}
  void on_slow(bus::door, const std::string&) noexcept override {}
  void on_agent_message(bus::agent_inbound&& m) noexcept override {
    auto what = unpack<from_agent>(m.body);
    if (!what) return;
    if (auto h = std::get_if<hello>(&*what)) {
      auto answer = answer_(*h);
      sender_->send(bus::door::agents, m.routing_id,
                    bus::encode(bus::agent_message{std::to_string(answer.index()), 5, pack(answer)}));
    }
    said.change([&](auto& all) { all.push_back(*what); });
  }

  std::string uri;
  watched<std::vector<from_agent>> said;

 private:
  std::function<to_agent(const hello&)> answer_;
  bus::server_bus* sender_ = nullptr;
  std::unique_ptr<bus::server_bus> bus_;
};

struct folder {
  std::filesystem::path path;
  folder() {
    char name[] = "/tmp/zedops-proc.XXXXXX";
    path = ::mkdtemp(name);
    std::filesystem::create_directory(path / "data");
  }
  ~folder() { std::filesystem::remove_all(path); }
};

class program {
 public:
  program(const folder& f, const std::string& manager, const std::string& state = "state") {
    pid_ = ::fork();
    if (pid_ != 0) return;
    auto flag = [](const std::string& k, const std::string& v) { return "--" + k + "=" + v; };
    const auto a1 = flag("manager", manager), a2 = flag("docker-host", docker_host()),
               a3 = flag("data-path", f.path / "data"), a4 = flag("state-dir", f.path / state), a5 = flag("name", "h1");
    const auto log = (f.path / "log").string();
    if (!::freopen(log.c_str(), "a", stderr)) ::_exit(99);
    ::execl(ZEDOPS_AGENT, ZEDOPS_AGENT, a1.c_str(), a2.c_str(), a3.c_str(), a4.c_str(), a5.c_str(), nullptr);
    ::_exit(98);
  }
  ~program() {
    if (pid_ > 0) ::kill(pid_, SIGKILL), ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }
  void signal(int s) { ::kill(pid_, s); }
  // The exit status; -1: it still runs after ten seconds.
  int status() {
    int s = 0;
    for (int i = 0; i < 1000; ++i) {
      if (::waitpid(pid_, &s, WNOHANG) == pid_) {
        pid_ = -1;
        return WIFEXITED(s) ? WEXITSTATUS(s) : 128 + WTERMSIG(s);
      }
      ::usleep(10'000);
    }
    return -1;
  }

 private:
  pid_t pid_ = -1;
};

template <class T>
bool said(greeter& g, size_t count = 1) {
  return g.said.wait([&](auto& all) {
    size_t n = 0;
    for (auto& m : all) n += std::holds_alternative<T>(m) ? 1 : 0;
    return n >= count;
  });
}

}  // namespace

TEST_CASE("agent process: says hello, reports its inventory, and says goodbye at SIGTERM", "[integration][agent]") {
  folder f;
  greeter g(f.path, [](const hello& h) { return to_agent{welcome{h.id, "m1", 3, 5, {}}}; });
  program p(f, g.uri);
  REQUIRE(said<inventory>(g));
  REQUIRE(said<heartbeat>(g, 2));
  agent_id id;
  for (auto& m : g.said.value())
    if (auto h = std::get_if<hello>(&m)) {
      id = h->id;
      CHECK(h->engine_ok);
      CHECK_FALSE(h->engine_version.empty());
    }
  SECTION("a second one with the same state is refused at once") {
    program second(f, g.uri);
    CHECK(second.status() == 1);
    std::ifstream log(f.path / "log");
    std::string text((std::istreambuf_iterator<char>(log)), {});
    CHECK(text.find("in use by another agent") != std::string::npos);
  }
  SECTION("its memory is modest") {
    std::ifstream status("/proc/" + std::to_string(p.pid()) + "/status");
    std::string line;
    long kib = 0;
    while (std::getline(status, line))
      if (line.starts_with("RssAnon:")) kib = std::stol(line.substr(8));
    // Its own pages: those of the program's file are shared, and three times as many in a build for debugging.
    WARN("agent's own memory: " << kib << " KiB");
    CHECK(kib > 0);
    if (!sanitized) CHECK(kib < 16 * 1024);
  }
  p.signal(SIGTERM);
  CHECK(p.status() == 0);
  CHECK(said<goodbye>(g));
  program again(f, g.uri);
  REQUIRE(g.said.wait([&](auto& all) {
    auto h = std::get_if<hello>(&all.back());
    return (h && h->id == id && h->manager_id == "m1" && h->term == 3) || all.size() > 10'000;
  }));
}

TEST_CASE("agent process: a final refusal ends it with the status that forbids a restart",
          "[integration][agent][acc-20]") {
  folder f;
  greeter g(f.path, [](const hello&) {
    return to_agent{refused{{ec::forbidden, "revoked", "enrol it again", {}}, true}};
  });
  program p(f, g.uri);
  CHECK(p.status() == 78);
}

TEST_CASE("agent process: a manager other than its own is refused for good", "[integration][agent]") {
  folder f;
  {
    greeter g(f.path, [](const hello& h) { return to_agent{welcome{h.id, "m1", 3, 5, {}}}; });
    program p(f, g.uri);
    REQUIRE(said<inventory>(g));
    p.signal(SIGTERM);
    CHECK(p.status() == 0);
  }
  greeter other(f.path, [](const hello& h) { return to_agent{welcome{h.id, "m2", 3, 5, {}}}; });
  program p(f, other.uri);
  CHECK(p.status() == 78);
}
