#include "config/settings/settings.hpp"

#include <filesystem>
#include <fstream>

#include "tests/support/catch.hpp"

using namespace zedops;
using namespace zedops::config;
using namespace std::chrono_literals;

namespace {
struct world {
  std::filesystem::path dir;
  surroundings from{{}, {{"XDG_RUNTIME_DIR", "/run/user/7"}, {"HOME", "/home/u"}}, "host-1", false};
  world() {
    std::string pattern = (std::filesystem::temp_directory_path() / "zedops-settings-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()));
    dir = pattern;
  }
  ~world() { std::filesystem::remove_all(dir); }
  std::string file(const std::string& text) {
    auto path = (dir / "m.toml").string();
    std::ofstream{path} << text;
    return path;
  }
  world& args(std::vector<std::string> a) {
    from.arguments = std::move(a);
    return *this;
  }
  template <class S = manager_settings>
  auto load() const {
    return load_settings<S>(from);
  }
  template <class S = manager_settings>
  msg::error refused() const {
    auto r = load_settings<S>(from);
    REQUIRE_FALSE(r);
    REQUIRE_FALSE(r.error().hint.empty());
    return r.error();
  }
};
}  // namespace

TEST_CASE("settings: defaults for root", "[unit][config]") {
  world w;
  w.from = {{"--config", w.file("")}, {}, "host-1", true};
  auto m = w.load();
  REQUIRE(m);
  REQUIRE(m->settings.data_dir == "/var/lib/zedops");
  REQUIRE(m->settings.runtime_dir == "/run/zedops");
  REQUIRE(m->settings.clients == std::vector<std::string>{"ipc:///run/zedops/clients.ipc"});
  REQUIRE(m->settings.agents == std::vector<std::string>{"ipc:///run/zedops/agents.ipc"});
  REQUIRE(m->settings.events == std::vector<std::string>{"ipc:///run/zedops/events.ipc"});
  REQUIRE(m->settings.sync_interval == 30s);
  REQUIRE(m->settings.retention == 24h);
  REQUIRE(m->settings.agent_suspect_after == 2s);
  REQUIRE(m->settings.agent_unreachable_after == 3s);
  auto a = w.load<agent_settings>();
  REQUIRE(a);
  REQUIRE(a->settings.name == "host-1");
  REQUIRE(a->settings.manager == "ipc:///run/zedops/agents.ipc");
  REQUIRE(a->settings.docker_host == "unix:///var/run/docker.sock");
  REQUIRE(a->settings.data_path == "/var/lib/zedops/servers");
  REQUIRE(a->settings.state_dir == "/var/lib/zedops-agent");
  REQUIRE(a->settings.lanes == 4);
  REQUIRE(a->settings.boot_starts == 4);
}

TEST_CASE("settings: defaults for a user come from the XDG directories", "[unit][config]") {
  world w;
  auto m = w.load();
  REQUIRE(m);
  REQUIRE(m->settings.config == "/home/u/.config/zedops/manager.toml");
  REQUIRE(m->settings.data_dir == "/home/u/.local/state/zedops");
  REQUIRE(m->settings.runtime_dir == "/run/user/7/zedops");
  REQUIRE(w.load<agent_settings>()->settings.data_path == "/home/u/.local/state/zedops/servers");
  w.from.environment["XDG_STATE_HOME"] = "/s";
  REQUIRE(w.load()->settings.data_dir == "/s/zedops");
  w.from.environment["DOCKER_HOST"] = "tcp://docker:2375";
  REQUIRE(w.load<agent_settings>()->settings.docker_host == "tcp://docker:2375");
}

TEST_CASE("settings: a default that needs an unset variable is refused only when it is used", "[unit][config]") {
  world w;
  w.from.environment.erase("XDG_RUNTIME_DIR");
  REQUIRE(w.refused().message == "runtime_dir has no default: XDG_RUNTIME_DIR is not set");
  REQUIRE(w.refused().hint == "give --runtime-dir or set XDG_RUNTIME_DIR");
  REQUIRE(w.args({"--runtime-dir", "/tmp/z"}).load()->settings.clients.at(0) == "ipc:///tmp/z/clients.ipc");
}

TEST_CASE("settings: flag wins over environment, environment over file, file over default", "[unit][config]") {
  world w;
  auto file = w.file("retention = \"1h\"\nsync_interval = \"1m\"\nhistory_max = 2000\n");
  w.args({"--config=" + file, "--retention", "3h"});
  w.from.environment["ZEDOPS_RETENTION"] = "2h";
  w.from.environment["ZEDOPS_SYNC_INTERVAL"] = "2m";
  auto m = w.load();
  REQUIRE(m);
  REQUIRE(m->settings.retention == 3h);
  REQUIRE(m->settings.sync_interval == 2min);
  REQUIRE(m->settings.history_max == 2000);
  REQUIRE(m->values.at("retention").origin == "flag --retention");
  REQUIRE(m->values.at("sync_interval").origin == "environment variable ZEDOPS_SYNC_INTERVAL");
  REQUIRE(m->values.at("history_max").origin == file + ":3:15");
  REQUIRE(m->values.at("log_level").origin == "default");
  w.args({});
  w.from.environment["ZEDOPS_CONFIG"] = file;
  REQUIRE(w.load()->settings.retention == 2h);
}

TEST_CASE("settings: retention can be seconds, from the environment", "[unit][config][acc-62]") {
  world w;
  w.from.environment["ZEDOPS_RETENTION"] = "2s";
  REQUIRE(w.load()->settings.retention == 2s);
}

TEST_CASE("settings: every operation has a timeout, and stop's exceeds save, wait and grace",
          "[unit][config][acc-16]") {
  auto m = world{}.load();
  REQUIRE(m);
  for (size_t i = 0; i < msg::enum_names<msg::op_kind>::list.size(); ++i)
    REQUIRE(timeout_of(m->settings, static_cast<msg::op_kind>(i)) >= 1min);
  REQUIRE(timeout_of(m->settings, msg::op_kind::stop) > 5s + 3s + 30s);
}

TEST_CASE("settings: endpoints are a list, an array in the file", "[unit][config]") {
  world w;
  w.args({"--config", w.file("clients = [\"ipc:///a\", \"tcp://0.0.0.0:7700\"]\nagents = \"tcp://*:7701\"\n"),
          "--events", "ipc:///e, tcp://[::1]:7702"});
  auto m = w.load();
  REQUIRE(m);
  REQUIRE(m->settings.clients == std::vector<std::string>{"ipc:///a", "tcp://0.0.0.0:7700"});
  REQUIRE(m->settings.agents == std::vector<std::string>{"tcp://*:7701"});
  REQUIRE(m->settings.events == std::vector<std::string>{"ipc:///e", "tcp://[::1]:7702"});
}

TEST_CASE("settings: the web door listens on this machine only unless a proxy is named", "[unit][config]") {
  const auto load = [](std::vector<std::string> flags) {
    world w;
    w.args(std::move(flags));
    return w.load();
  };
  const auto usual = load({});
  REQUIRE(usual);
  CHECK(usual->settings.http == std::vector<std::string>{"127.0.0.1:7780"});
  CHECK(usual->settings.http_proxies.empty());
  for (const auto* at : {"off", "[::1]:1", "localhost:80", "unix:/run/x", "127.0.0.1:1, 127.1.2.3:2"})
    CHECK(load({"--http", at}));
  for (const auto* at : {"0.0.0.0:7780", "192.0.2.7:80", "127.example.com:80", "[::]:80", "127.0.0.1",
                         "127.0.0.1:", ":80", "127.0.0.1:99999", "off, 127.0.0.1:1"})
    CHECK(!load({"--http", at}));
  CHECK(load({"--http", "0.0.0.0:7780", "--http-proxies", "192.0.2.9, fd00::7"}));
  CHECK(!load({"--http", "0.0.0.0:7780", "--http-proxies", "proxy.example"}));
  CHECK(load({"--http", "127.0.0.1:1, tls:0.0.0.0:2", "--http-certificate", "/c.pem", "--http-key", "/k.pem"}));
  CHECK(!load({"--http", "tls:0.0.0.0:2", "--http-certificate", "/c.pem"}));
  CHECK(!load({"--http", "tls:", "--http-certificate", "/c.pem", "--http-key", "/k.pem"}));
}

TEST_CASE("settings: an error names the place, what was got and the remedy", "[unit][config][acc-100]") {
  world w;
  auto file = [&](const std::string& text) {
    auto path = w.file(text);
    w.args({"--config", path});
    auto e = w.refused();
    REQUIRE(e.message.rfind(path, 0) == 0);
    e.message.erase(0, path.size());
    return e;
  };
  auto e = file("\nsync_intervall = \"30s\"\n");
  REQUIRE(e.message == ":2:1: \"sync_intervall\" is not a setting of zedops-manager");
  REQUIRE(e.hint == "did you mean sync_interval?");
  e = file("sync_interval = 30\n");
  REQUIRE(e.message == ":1:17: sync_interval must be a string");
  REQUIRE(e.hint == "give a duration from 100ms to 1d");
  e = file("sync_interval = \"30\"\n");
  REQUIRE(e.message == ":1:17: sync_interval cannot be \"30\"");
  REQUIRE(e.hint == "give a duration from 100ms to 1d, with a unit: ms, s, m, h or d, such as \"30s\"");
  REQUIRE(file("history_max = \"2000\"\n").message == ":1:15: history_max must be an integer");
  REQUIRE(file("history_max = 3\n").hint == "give a number from 1000 to 100000000");
  REQUIRE(file("log_level = \"inf\"\n").hint == "did you mean info? use trace, debug, info, warn or error");
  REQUIRE(file("config = \"x\"\n").message == ":1:1: \"config\" is not a setting of zedops-manager");
  REQUIRE(file("data_dir = \"relative\"\n").hint == "give an absolute path, without '.' or '..' parts");
  REQUIRE(file("a = \n").message.rfind(":1:", 0) == 0);

  w.args({"--retention", "0s"});
  REQUIRE(w.refused().message == "flag --retention: retention cannot be \"0s\"");
  w.args({"--retnetion", "2h"});
  REQUIRE(w.refused().hint == "did you mean --retention? see --help");
  w.args({"stray"});
  REQUIRE(w.refused().message == "\"stray\" is not a flag of this program");
  w.args({"--retention"});
  REQUIRE(w.refused().message.rfind("arguments: ", 0) == 0);
  w.args({});
  w.from.environment["ZEDOPS_AGENTS"] = "http://x";
  REQUIRE(w.refused().message == "environment variable ZEDOPS_AGENTS: agents cannot be \"http://x\"");
}

TEST_CASE("settings: a socket's path that the kernel would cut is refused", "[unit][config]") {
  world w;
  w.args({"--runtime-dir", "/" + std::string(95, 'x')});
  REQUIRE(w.refused().hint == "a socket's path has at most 107 bytes, this one 108");
}

TEST_CASE("settings: an agent is suspect before it is unreachable", "[unit][config]") {
  world w;
  w.args({"--agent-unreachable-after", "2s"});
  REQUIRE(w.refused().message ==
          "flag --agent-unreachable-after: agent_unreachable_after is 2s, not longer than agent_suspect_after = 2s");
}

TEST_CASE("settings: a file that was named must exist", "[unit][config]") {
  world w;
  w.args({"--config", (w.dir / "none.toml").string()});
  REQUIRE(w.refused().message.find("No such file") != std::string::npos);
  w.args({"--config", w.dir.string()});
  REQUIRE(w.refused().message.find("Is a directory") != std::string::npos);
}

TEST_CASE("settings: help, version and check-config print and do not run", "[unit][config]") {
  world w;
  auto help = w.args({"--help"}).load();
  REQUIRE(help);
  for (auto text : {"--sync-interval", "--data-dir", "--check-config", "[30s]", "ipc:///run/user/7/zedops/clients.ipc"})
    REQUIRE(help->print.find(text) != std::string::npos);
  REQUIRE(w.args({"--version"}).load()->print == "zedops-manager " ZEDOPS_VERSION "\n");
  auto checked = w.args({"--check-config", "--retention", "2h"}).load();
  REQUIRE(checked);
  REQUIRE(checked->print.find("retention = \"2h\"  # flag --retention\n") != std::string::npos);
  REQUIRE_FALSE(w.args({"--check-config", "--retention", "2"}).load());
  REQUIRE(w.args({}).load()->print.empty());
}

TEST_CASE("settings: a ZEDOPS_ variable that nothing reads is worth a warning", "[unit][config]") {
  world w;
  w.from.environment["ZEDOPS_SYNC_INTERVL"] = "3s";
  w.from.environment["ZEDOPS_LANES"] = "3";  // the agent's
  REQUIRE(w.load()->warnings ==
          std::vector<std::string>{"environment variable \"ZEDOPS_SYNC_INTERVL\" is not a setting; "
                                   "did you mean ZEDOPS_SYNC_INTERVAL?"});
}

TEST_CASE("settings: reload applies what it can, names what needs a restart, and changes nothing on an error",
          "[unit][config][acc-98]") {
  world w;
  w.args({"--config", w.file("log_level = \"info\"\nretention = \"2h\"\n"), "--sync-interval", "7s"});
  auto first = w.load();
  REQUIRE(first);
  w.file("log_level = \"debug\"\nretention = \"2h\"\nsync_interval = \"9s\"\ndata_dir = \"/elsewhere\"\n");
  auto second = reload(*first);
  REQUIRE(second);
  REQUIRE(second->changed == std::vector<std::string>{"log_level"});
  REQUIRE(second->restart == std::vector<std::string>{"data_dir"});
  REQUIRE(second->now.settings.log_level == msg::log_level::debug);
  REQUIRE(second->now.settings.sync_interval == 7s);  // the flag still wins
  REQUIRE(second->now.settings.data_dir == first->settings.data_dir);
  auto third = reload(second->now);
  REQUIRE(third);
  REQUIRE(third->changed.empty());
  REQUIRE(third->restart == std::vector<std::string>{"data_dir"});
  w.file("log_level = \"loud\"\n");
  REQUIRE_FALSE(reload(second->now));
}

namespace {
template <class S>
void sample_is_the_defaults() {
  std::string text = sample_file<S>();
  std::string live;
  for (size_t at = 0; at < text.size();) {
    auto end = text.find('\n', at);
    auto line = text.substr(at, end - at);
    if (line.size() > 1 && line[0] == '#' && line[1] != ' ') live += line.substr(1) + "\n";
    at = end + 1;
  }
  world w;
  w.from = {{"--config", w.file(live)}, {}, "host-1", true};
  auto from_sample = w.load<S>();
  INFO(live);
  if (!from_sample) FAIL(from_sample.error().message);
  w.file("");
  REQUIRE(from_sample->settings == w.load<S>()->settings);
  size_t from_file = 0;
  for (const auto& [key, value] : from_sample->values) from_file += value.origin != "default";
  REQUIRE(from_file == from_sample->values.size());  // every key is in the sample
}
}  // namespace

TEST_CASE("settings: the samples, uncommented, are the defaults", "[unit][config][acc-100]") {
  sample_is_the_defaults<manager_settings>();
  sample_is_the_defaults<agent_settings>();
}
