#include <filesystem>
#include <fstream>

#include "config/template_file.hpp"
#include "tests/support/catch.hpp"

using namespace zedops;
using namespace zedops::config;
using namespace std::chrono_literals;

namespace {
msg::server_template builtin(const std::string& name) {
  auto all = load_templates({});
  REQUIRE(all);
  for (const auto& t : *all)
    if (t.name == name) return t;
  FAIL("no template " << name);
  return {};
}

const std::string small = "name = \"small\"\n[[dir]]\nname = \"data\"\ntarget = \"/data\"\n";

msg::error refused(const std::string& text) {
  auto t = parse_template(text, "t.toml");
  REQUIRE_FALSE(t);
  INFO(t.error().message);
  REQUIRE_FALSE(t.error().hint.empty());
  return t.error();
}

struct folder {
  std::filesystem::path path;
  folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "zedops-templates-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()));
    path = pattern;
  }
  ~folder() { std::filesystem::remove_all(path); }
  void write(const std::string& name, const std::string& text) { std::ofstream{path / name} << text; }
};
}  // namespace

TEST_CASE("template: Project Zomboid servers equal those of the predecessor", "[unit][config][acc-10]") {
  auto t = builtin("project-zomboid");
  REQUIRE(t.name == "project-zomboid");
  REQUIRE(t.container_name == "steam-zomboid-{name}");
  REQUIRE(t.image_tag == "latest");
  REQUIRE(t.pull == msg::pull_policy::always);
  REQUIRE(t.labels == std::map<std::string, std::string>{{"zedops.managed", "true"},
                                                         {"zedops.server.id", "{id}"},
                                                         {"zedops.server.name", "{name}"},
                                                         {"zedops.type", "project-zomboid"},
                                                         {"pz.rcon.enabled", "true"}});
  REQUIRE(t.dirs.size() == 2);
  REQUIRE(t.dirs[0] == msg::template_dir{"bin", "/home/steam/zomboid-dedicated", "bin", true, false});
  REQUIRE(t.dirs[1] == msg::template_dir{"data", "/home/steam/Zomboid", "data", true, false});
  REQUIRE(t.networks == std::vector<std::string>{"zomboid-servers", "zomboid-backend"});
  REQUIRE(t.rcon_network == "zomboid-backend");
  REQUIRE(t.restart == msg::restart_rule::unless_stopped);
  REQUIRE(t.spec == msg::default_spec());
  REQUIRE(t.env_immutable == std::vector<std::string>{"SERVER_MAP"});
}

TEST_CASE("template: Project Zomboid ports follow the predecessor's ranges", "[unit][config][acc-65]") {
  auto t = builtin("project-zomboid");
  REQUIRE(t.game_port == msg::port_plan{msg::port_rule::assigned, 16261, 16400, 2, 0});
  REQUIRE(t.udp_port == msg::port_plan{msg::port_rule::assigned, 0, 0, 1, 1});
  REQUIRE(t.rcon_port == msg::port_plan{msg::port_rule::assigned, 27015, 27100, 1, 0});
  REQUIRE(t.ports.size() == 3);
  REQUIRE(t.ports[0] == msg::template_port{"game", msg::protocol::udp, "{game_port}", 0, true});
  REQUIRE(t.ports[1] == msg::template_port{"udp", msg::protocol::udp, "{udp_port}", 0, true});
  REQUIRE(t.ports[2] == msg::template_port{"rcon", msg::protocol::tcp, "{rcon_port}", 0, false});
  REQUIRE(t.inject_env == std::map<std::string, std::string>{{"SERVER_DEFAULT_PORT", "{game_port}"},
                                                             {"SERVER_UDP_PORT", "{udp_port}"},
                                                             {"RCON_PORT", "{rcon_port}"}});
}

TEST_CASE("template: Project Zomboid saves over RCON before it stops", "[unit][config][acc-16]") {
  auto t = builtin("project-zomboid");
  REQUIRE(t.stop_steps == std::vector<msg::rcon_step>{{{"save"}, 5s, 3s, {"RCON_PASSWORD", "ADMIN_PASSWORD"}}});
  REQUIRE(t.spec.stop_grace == 30s);
}

TEST_CASE("template: generic and teeworlds are built in", "[unit][config]") {
  auto generic = builtin("generic");
  REQUIRE(generic.image.empty());
  REQUIRE(generic.game_port.rule == msg::port_rule::optional);
  REQUIRE(generic.udp_port.rule == msg::port_rule::none);
  REQUIRE(generic.ports.size() == 2);
  auto teeworlds = builtin("teeworlds");
  REQUIRE(teeworlds.image + ":" + teeworlds.image_tag == "zedops/teeworlds:0.7.5");
  REQUIRE(teeworlds.pull == msg::pull_policy::if_missing);
  REQUIRE(teeworlds.game_port.first == 8303);
  REQUIRE(teeworlds.inject_env.at("SERVER_PORT") == "{game_port}");
  REQUIRE(teeworlds.dirs.at(0).target == "/data");
}

TEST_CASE("template: an error names file, line, column and remedy", "[unit][config][acc-100]") {
  auto e = refused("name = \"small\"\npul = \"always\"\n");
  REQUIRE(e.message == "t.toml:1:1: dir is missing");  // the first problem met; unknown keys come last
  e = refused("name = \"small\"\npul = \"always\"\n[[dir]]\nname = \"data\"\ntarget = \"/data\"\n");
  REQUIRE(e.message == "t.toml:2:1: \"pul\" is not a known key");
  REQUIRE(e.hint == "did you mean pull?");
  e = refused("name = 3\n");
  REQUIRE(e.message == "t.toml:1:8: name must be a string, got an integer");
  e = refused("name = \"small\"\nrestart = \"sometimes\"\n[[dir]]\nname = \"data\"\ntarget = \"/data\"\n");
  REQUIRE(e.message == "t.toml:2:11: restart is \"sometimes\"");
  REQUIRE(e.hint == "use no, always, unless-stopped or on-failure");
  e = refused("name = \"small\"\n[[dir]\n");
  REQUIRE(e.message.rfind("t.toml:2:", 0) == 0);
  e = refused(small + "tagret = \"/x\"\n");
  REQUIRE(e.message == "t.toml:5:1: dir[0].\"tagret\" is not a known key");
  REQUIRE(e.hint == "did you mean target?");
}

TEST_CASE("template: parts that could harm a host or lose a container are refused", "[unit][config]") {
  REQUIRE(parse_template(small, "t.toml"));
  for (const std::string bad : {
           "name = \"s\"\n[[dir]]\nname = \"data\"\ntarget = \"/data\"\npath = \"../other\"\n",
           "name = \"s\"\n[[dir]]\nname = \"data\"\ntarget = \"/data\"\npath = \"/etc\"\n",
           "name = \"s\"\n[[dir]]\nname = \"data\"\ntarget = \"data\"\n",
           "name = \"s\"\n[[dir]]\nname = \"data\"\ntarget = \"/a/../b\"\n",
           "container_name = \"same-for-all\"\n",
           "container_name = \"{nmae}\"\n",
           "container_name = \"a b{name}\"\n",
           "container_name = \"{name\"\n",
           "labels = {\"zedops.server.id\" = \"other\"}\n",
           "inject_env = {PORT = \"{game_port}\"}\n",
           "env = {\"A=B\" = \"x\"}\n",
           "env = {A = 3}\n",
           "image = \"has space\"\n",
           "image_tag = \"a:b\"\n",
           "networks = [\"-x\"]\n",
           "networks = [\"a\", \"a\"]\n",
           "rcon_network = \"b\"\n",
           "memory_max = \"1KiB\"\n",
           "cpus = -1\n",
           "cpus = nan\n",
           "restart_max = 3\n",
           "stop = {grace = \"0s\"}\n",
           "stop = {signal = \"TERM\"}\n",
           "stop = {rcon = [{commands = [\"save\"]}]}\n",
           "health = {test = [\"sh\"]}\n",
           "crash = {policy = \"sometimes\"}\n",
           "crash = {restarts_max = 0}\n",
           "crash = {window = \"25h\"}\n",
           "crash = {backoff_min = \"1ms\"}\n",
           "crash = {backoff_min = \"2m\"}\n",
           "crash = {healthy_after = \"0s\"}\n",
           "crash = {restart = 1}\n",
           "game_port = {first = 70000}\n",
           "game_port = {first = 10, last = 9}\n",
           "game_port = {game_offset = 1}\n",
           "udp_port = {}\n",
           "port = [{name = \"web\", proto = \"tcp\"}]\n",
           "port = [{name = \"web\", proto = \"tcp\", host = \"80x\"}]\n",
           "port = [{name = \"web\", host = \"80\"}]\n",
           "port = [{name = \"a\", proto = \"tcp\", host = \"80\"}, {name = \"b\", proto = \"tcp\", host = \"80\"}]\n",
           "pull = \"\"\n",
       }) {
    INFO(bad);
    REQUIRE_FALSE(parse_template(bad.rfind("name", 0) == 0 ? bad : bad + small, "t.toml"));
  }
}

TEST_CASE("template: the default crash policy is the Engine's, and errors in it name their place", "[unit][config]") {
  REQUIRE(parse_template(small, "t.toml")->crash == msg::crash_rules{});
  auto t = parse_template(small +
                              "[crash]\npolicy = \"on-failure\"\nrestarts_max = 3\nwindow = \"5m\"\n"
                              "backoff_min = \"2s\"\nbackoff_max = \"30s\"\nhealthy_after = \"1m\"\n"
                              "exit_zero_is_crash = true\n",
                          "t.toml");
  REQUIRE(t);
  REQUIRE(t->crash == msg::crash_rules{msg::crash_policy::on_failure, 3, 5min, 2s, 30s, 1min, true});
  REQUIRE(parse_template(small + "[crash]\npolicy = \"never\"\n", "t.toml")->crash.policy == msg::crash_policy::leave);
  auto e = refused(small + "[crash]\npolicy = \"sometimes\"\n");
  REQUIRE(e.message == "t.toml:6:10: crash.policy is \"sometimes\"");
  REQUIRE(e.hint == "use engine, never, on-failure or always");
  e = refused(small + "[crash]\nbackoff_min = \"10s\"\nbackoff_max = \"5s\"\n");
  REQUIRE(e.message == "t.toml:7:15: crash.backoff_max is 5s, shorter than backoff_min = 10s");
}

TEST_CASE("template: sizes and counts have limits", "[unit][config]") {
  REQUIRE(refused(std::string(template_bytes_max + 1, '#')).code == msg::ec::too_large);
  std::string many = "networks = [";
  for (int i = 0; i < 65; ++i) many += "\"n" + std::to_string(i) + "\",";
  REQUIRE(refused(many + "]\n" + small).message == "t.toml:1:12: networks has 65 entries, at most 64 are allowed");
  REQUIRE(refused("description = \"" + std::string(5000, 'x') + "\"\n" + small).message ==
          "t.toml:1:15: description has 5000 bytes, at most 4096 are allowed");
}

TEST_CASE("templates: a directory adds templates and replaces built-in ones", "[unit][config]") {
  folder dir;
  dir.write("a.toml", small);
  dir.write(
      "pz.toml",
      "name = \"project-zomboid\"\nimage = \"registry.example.com/pz\"\n[[dir]]\nname = \"data\"\ntarget = \"/d\"\n");
  dir.write("notes.txt", "not a template");
  auto all = load_templates({dir.path.string()});
  REQUIRE(all);
  std::vector<std::string> names;
  for (const auto& t : *all) names.push_back(t.name);
  REQUIRE(names == std::vector<std::string>{"generic", "project-zomboid", "small", "teeworlds"});
  REQUIRE((*all)[1].image == "registry.example.com/pz");
}

TEST_CASE("templates: two of one name, a broken file and an absent directory are refused", "[unit][config]") {
  folder dir;
  dir.write("a.toml", small);
  dir.write("b.toml", small);
  auto twice = load_templates({dir.path.string()});
  REQUIRE_FALSE(twice);
  REQUIRE(twice.error().message.find("b.toml: template small is already in") != std::string::npos);
  dir.write("b.toml", "name = ");
  auto broken = load_templates({dir.path.string()});
  REQUIRE_FALSE(broken);
  REQUIRE(broken.error().message.find("b.toml:1:") != std::string::npos);
  auto absent = load_templates({(dir.path / "none").string()});
  REQUIRE_FALSE(absent);
  REQUIRE(absent.error().message.find("No such file") != std::string::npos);
}

TEST_CASE("patterns: placeholders are replaced once, and a missing value fails", "[unit][config]") {
  auto value = [](std::string_view name) -> std::optional<std::string> {
    if (name == "name") return "{id}";
    return std::nullopt;
  };
  REQUIRE(msg::expand("a-{name}-b", value) == "a-{id}-b");
  REQUIRE(msg::expand("plain", value) == "plain");
  REQUIRE_FALSE(msg::expand("{other}", value));
  REQUIRE_FALSE(msg::expand("{name", value));
}

TEST_CASE("template: directories must not be within each other", "[unit][config]") {
  for (const char* path : {"data/saves", "data/saves/deep"}) {
    const auto e = refused(small + "[[dir]]\nname = \"saves\"\ntarget = \"/saves\"\npath = \"" + path + "\"\n");
    CHECK(e.message.find("is within, or around, the path of \"data\"") != std::string::npos);
  }
  CHECK(parse_template(small + "[[dir]]\nname = \"data2\"\ntarget = \"/saves\"\n", "t.toml"));
  CHECK(parse_template(small + "settle = \"5s\"\n", "t.toml").has_value() == false);  // below a [[dir]] it is unknown
  CHECK(parse_template("settle = \"5s\"\n" + small, "t.toml")->settle == std::chrono::seconds(5));
}
