#include "bus/endpoint.hpp"

#include <sys/stat.h>
#include <sys/wait.h>

#include <fstream>

#include "tests/integration/bus/support.hpp"

using namespace bus_test;

namespace {

unsigned mode_of(const std::filesystem::path& path) {
  struct stat info {};
  REQUIRE(::lstat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}
msg::error refusal(const server_bus_options& options) {
  recorder seen;
  auto started = server_bus::start(options, seen);
  REQUIRE_FALSE(started);
  CHECK_FALSE(started.error().hint.empty());
  return started.error();
}
bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("endpoint: the runtime directory is 0750 and the sockets are 0660", "[integration][bus]") {
  fixture f;
  CHECK(mode_of(f.dir.path / "run") == 0750);
  for (auto name : {"clients.ipc", "agents.ipc", "events.ipc"}) CHECK(mode_of(f.dir.path / "run" / name) == 0660);
}

TEST_CASE("endpoint: a runtime directory where anybody may write is refused, a sticky one is not",
          "[integration][bus]") {
  temp_dir dir;
  const auto run = dir.path / "run";
  std::filesystem::create_directory(run);
  REQUIRE(::chmod(run.c_str(), 0777) == 0);
  const auto refused = ensure_runtime_dir(run);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == msg::ec::forbidden);
  CHECK(has(refused.error().hint, "chmod o-w"));
  REQUIRE(::chmod(run.c_str(), 01777) == 0);
  CHECK(ensure_runtime_dir(run));
}

TEST_CASE("endpoint: a second manager on the same socket is refused and the first keeps running",
          "[integration][bus]") {
  fixture f;
  auto why = refusal(f.options());
  CHECK(why.code == msg::ec::already_exists);
  CHECK(has(why.message, "process " + std::to_string(::getpid()) + " already listens at " + f.uri("clients")));
  auto c = must_connect(f);
  CHECK(c.request("echo", "still here")->body == "still here");
}

TEST_CASE("endpoint: a socket left behind by a crash is replaced", "[integration][bus]") {
  temp_dir dir;
  auto path = dir.path / "clients.ipc";
  {  // a child that binds and dies without cleaning up
    auto pid = ::fork();
    if (pid == 0) {
      zmq::context_t context;
      zmq::socket_t socket(context, zmq::socket_type::router);
      socket.bind("ipc://" + path.string());
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
  }
  REQUIRE(std::filesystem::exists(path));
  CHECK(probe("ipc://" + path.string()).error().code == msg::ec::agent_unreachable);
  auto claim = endpoint_claim::take("ipc://" + path.string());
  CHECK(claim);
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("endpoint: another program's live socket and a plain file are left alone", "[integration][bus]") {
  temp_dir dir;
  auto path = dir.path / "clients.ipc";
  {
    zmq::context_t context;
    zmq::socket_t socket(context, zmq::socket_type::router);
    socket.bind("ipc://" + path.string());
    auto claim = endpoint_claim::take("ipc://" + path.string());
    REQUIRE_FALSE(claim);
    CHECK(claim.error().code == msg::ec::already_exists);
  }
  std::filesystem::remove(path);
  std::ofstream(path) << "precious";
  auto claim = endpoint_claim::take("ipc://" + path.string());
  REQUIRE_FALSE(claim);
  CHECK(has(claim.error().message, "is not a socket"));
  CHECK(std::filesystem::file_size(path) == 8);
}

TEST_CASE("endpoint: unusable URIs are refused with cause and remedy, and nothing is bound", "[integration][bus]") {
  temp_dir dir;
  recorder seen;
  server_bus_options o;
  o.runtime_dir = dir.path / "run";
  o.clients_uris = {"ipc://" + (dir.path / "run/clients.ipc").string()};
  auto with = [&](std::string uri) {
    o.agents_uris = {std::move(uri)};
    auto why = refusal(o);
    CHECK_FALSE(std::filesystem::exists(dir.path / "run"));
    return why.message;
  };
  CHECK(has(with("tcp://0.0.0.0:7701"), "needs CURVE keys and none are configured"));
  CHECK(has(with("ipc://@agents"), "absolute path"));
  CHECK(has(with("ipc://*"), "absolute path"));
  CHECK(has(with("agents.ipc"), "not an endpoint"));
  CHECK(has(with("inproc://x"), "not an endpoint"));
  CHECK(has(with("ipc:///tmp/" + std::string(103, 'x')), "has 108 bytes; the system allows 107"));
}

TEST_CASE("endpoint: a path of exactly 107 bytes works", "[integration][bus]") {
  temp_dir dir;
  recorder seen;
  server_bus_options o;
  std::string path = (dir.path / "").string();
  path += std::string(ipc_path_max - path.size(), 'x');
  o.clients_uris = {"ipc://" + path};
  auto started = server_bus::start(o, seen);
  REQUIRE(started);
  auto c = client::connect("ipc://" + path);
  REQUIRE(c);
  CHECK(c->request("echo", "x"));
}

TEST_CASE("endpoint: several endpoints per door all work", "[integration][bus]") {
  fixture f([](server_bus_options& o) { o.clients_uris.push_back(o.clients_uris[0] + "2"); });
  auto second = client::connect(f.uri("clients") + "2");
  REQUIRE(second);
  CHECK(second->request("echo", "b")->body == "b");
  CHECK(must_connect(f).request("echo", "a")->body == "a");
}

TEST_CASE("endpoint: after stop the next manager can listen at once", "[integration][bus]") {
  fixture f;
  for (int i = 0; i < 5; ++i) {
    f.bus.reset();
    f.start(f.options());
    CHECK(must_connect(f).request("echo", "x"));
  }
}
