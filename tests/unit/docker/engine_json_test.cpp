#include "integration/docker/engine_json.hpp"

#include <rapidcheck.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/catch.hpp"

using namespace zedops;
using namespace zedops::docker;

namespace {

std::string golden(const std::string& name) {
  std::ifstream file{std::string{GOLDEN_DIR} + "/" + name};
  REQUIRE(file);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

msg::container_spec full_spec() {
  using namespace std::chrono_literals;
  msg::container_spec s;
  s.name = "game";
  s.image = "zedops/teeworlds:0.7.5";
  s.env = {{"SERVER_NAME", "a = b"}, {"EMPTY", ""}};
  s.labels = {{"zedops.server", "s1"}};
  s.ports = {{8303, 8303, msg::protocol::udp, ""}, {8080, 80, msg::protocol::tcp, "127.0.0.1"}};
  s.mounts = {{"/srv/data", "/data", false}, {"/etc/hosts", "/hosts", true}};
  s.networks = {"front", "back"};
  s.restart = msg::restart_rule::on_failure;
  s.restart_max = 3;
  s.entrypoint = {"/entry.sh"};
  s.command = {"serve", "--fast"};
  s.user = "1000:1000";
  s.working_dir = "/data";
  s.stop_signal = "SIGINT";
  s.health = {{"CMD", "/healthy.sh"}, 5s, 2s, 30s, 4};
  s.memory_max = 256 * 1024 * 1024;
  s.cpu_millis = 1500;
  s.tty = true;
  s.open_stdin = true;
  s.hostname = "pz";
  s.stop_timeout = 1500ms;
  s.init = true;
  s.shm_size = 128 * 1024 * 1024;
  s.ulimits = {{"nofile", {1024, 65536}}};
  s.tmpfs = {{"/run", "size=64m"}};
  s.log_driver = "json-file";
  s.log_options = {{"max-size", "10m"}};
  s.cap_add = {"SYS_NICE"};
  s.cap_drop = {"NET_RAW"};
  return s;
}

}  // namespace

TEST_CASE("docker json: a full specification becomes exactly the golden create body", "[unit][docker]") {
  auto body = nlohmann::json::parse(json::create_body(full_spec(), {1, 41}));
  CHECK(body == nlohmann::json::parse(golden("create-1.41.json")));
}

TEST_CASE("docker json: from API 1.44 on, create names every network", "[unit][docker]") {
  auto body = nlohmann::json::parse(json::create_body(full_spec(), {1, 44}));
  CHECK(body["NetworkingConfig"]["EndpointsConfig"].size() == 2);
  CHECK(body["HostConfig"]["NetworkMode"] == "front");
  body = nlohmann::json::parse(json::create_body(full_spec(), {1, 43}));
  CHECK(body["NetworkingConfig"]["EndpointsConfig"].size() == 1);
}

TEST_CASE("docker json: an empty specification leaves everything to the image", "[unit][docker]") {
  msg::container_spec s;
  s.image = "x";
  auto body = nlohmann::json::parse(json::create_body(s, {1, 41}));
  for (const char* key : {"Cmd", "Entrypoint", "User", "WorkingDir", "StopSignal", "Healthcheck", "NetworkingConfig",
                          "Hostname", "StopTimeout"})
    CHECK_FALSE(body.contains(key));
  for (const char* key :
       {"Memory", "NanoCpus", "NetworkMode", "Init", "ShmSize", "Ulimits", "Tmpfs", "LogConfig", "CapAdd", "CapDrop"})
    CHECK_FALSE(body["HostConfig"].contains(key));
  CHECK(body["HostConfig"]["RestartPolicy"] == nlohmann::json{{"Name", "no"}});
}

TEST_CASE("docker json: bytes that are not UTF-8 are replaced, and throw nothing", "[unit][docker]") {
  msg::container_spec s;
  s.env = {{"BAD", "\xff\xfe"}};
  CHECK_NOTHROW(json::create_body(s, {1, 41}));
}

TEST_CASE("docker json: a recorded inspect answer fills every field of the details", "[unit][docker]") {
  auto d = json::parse_details(golden("inspect-20.10.json"));
  REQUIRE(d);
  CHECK(d->view.id == "0df6f9146f03b09548b1faf60b6ded506c1c278545b65fec8df78ce52166c44d");
  CHECK(d->view.name == "game");
  CHECK(d->view.image == "zedops/busybox:test");
  CHECK(d->view.state == msg::container_state::exited);
  CHECK(d->view.health == msg::health_state::unhealthy);
  CHECK(d->view.exit_code == 137);
  CHECK(d->view.restarts == 3);
  CHECK(d->view.labels == labels{{"a", "b"}});
  CHECK(msg::to_rfc3339(d->view.started_at) == "2026-11-20T19:13:01.321Z");
  CHECK(msg::to_rfc3339(d->view.finished_at) == "2026-11-20T19:13:07.405Z");
  CHECK(d->image_id == "sha256:8306931ec3beccfc32f482385dd2dd8ad0ecd5164c63e707df3d1ca7e1e92631");
  CHECK(d->env == labels{{"K", "V=W"}, {"ALONE", ""}});
  CHECK(d->ports == std::vector<msg::port_binding>{{18080, 80, msg::protocol::tcp, ""},
                                                   {18081, 81, msg::protocol::udp, "127.0.0.1"}});
  CHECK(d->mounts == std::vector<msg::mount>{{"/tmp", "/x", true}});
  CHECK(d->networks == std::vector<std::string>{"bridge"});
  CHECK_FALSE(d->tty);
}

TEST_CASE("docker json: the year 1 means never", "[unit][docker]") {
  auto d =
      json::parse_details(R"({"Id":"a","State":{"Status":"created","StartedAt":"0001-01-01T00:00:00Z"},"Config":{}})");
  REQUIRE(d);
  CHECK(d->view.started_at == msg::never);
}

TEST_CASE("docker json: every state of the Engine is mapped and an unknown one is an error", "[unit][docker][fc-8]") {
  for (auto word : msg::enum_names<msg::container_state>::list) {
    auto d = json::parse_details(R"({"Id":"a","Config":{},"State":{"Status":")" + std::string{word} + R"("}})");
    REQUIRE(d);
    CHECK(msg::name_of(d->view.state) == word);
  }
  CHECK_FALSE(json::parse_details(R"({"Id":"a","Config":{},"State":{"Status":"dreaming"}})"));
  CHECK_FALSE(json::parse_list(R"([{"Id":"a","State":"dreaming"}])"));
}

TEST_CASE("docker json: a list keeps published ports and own names, not links", "[unit][docker]") {
  auto list = json::parse_list(R"([{"Id":"a","Names":["/other/alias","/game"],"Image":"i","State":"running",
    "Labels":{"k":"v"},"Ports":[{"PrivatePort":80,"Type":"tcp"},
    {"IP":"0.0.0.0","PrivatePort":81,"PublicPort":8081,"Type":"udp"},{"PublicPort":99999,"Type":"udp"}]}])");
  REQUIRE(list);
  REQUIRE(list->size() == 1);
  CHECK(list->front().name == "game");
  CHECK(list->front().labels == labels{{"k", "v"}});
  CHECK(list->front().ports == std::vector<msg::port_binding>{{8081, 81, msg::protocol::udp, "0.0.0.0"}});
}

TEST_CASE("docker json: a list that cannot be read is an error, never an empty list", "[unit][docker][fc-1]") {
  for (const char* body : {"", "null", "{}", "[", R"({"message":"boom"})", "[null]", "[{}]", R"([{"Id":7}])"}) {
    auto list = json::parse_list(body);
    REQUIRE_FALSE(list);
    CHECK(list.error().code == msg::ec::engine_error);
    CHECK_FALSE(list.error().hint.empty());
  }
}

TEST_CASE("docker json: an event carries its action, attributes and time", "[unit][docker]") {
  auto e = json::parse_event(R"({"Type":"container","Action":"die","Actor":{"ID":"abc","Attributes":
    {"exitCode":"137","name":"game"}},"time":1,"timeNano":1795202106960196056})");
  REQUIRE(e);
  CHECK(e->type == "container");
  CHECK(e->action == "die");
  CHECK(e->id == "abc");
  CHECK(e->attributes.at("exitCode") == "137");
  CHECK(e->time_ns == 1795202106960196056);
}

TEST_CASE("docker json: filters escape nothing by hand and leave out empty values", "[unit][docker]") {
  auto f = nlohmann::json::parse(json::filters({{"a", "b\"c"}, {"any", ""}}, {"container"}));
  CHECK(f == nlohmann::json{{"label", {"a=b\"c", "any"}}, {"type", {"container"}}});
}

TEST_CASE("docker json: statistics subtract the page cache for both kinds of cgroups", "[unit][docker]") {
  auto v1 = json::parse_stats(R"({"cpu_stats":{"cpu_usage":{"total_usage":5}},"memory_stats":{"usage":100,"limit":500,
    "stats":{"total_inactive_file":30,"inactive_file":1}},"networks":{"a":{"rx_bytes":1,"tx_bytes":2},"b":{"rx_bytes":3}},
    "blkio_stats":{"io_service_bytes_recursive":[{"op":"Read","value":7},{"op":"Write","value":8},{"op":"Sync","value":9}]}})");
  REQUIRE(v1);
  CHECK(v1->read_bytes == 7);
  CHECK(v1->written_bytes == 8);
  CHECK(v1->cpu_total_ns == 5);
  CHECK(v1->memory_bytes == 70);
  CHECK(v1->memory_max == 500);
  CHECK(v1->received_bytes == 4);
  CHECK(v1->sent_bytes == 2);
  auto v2 = json::parse_stats(R"({"memory_stats":{"usage":100,"stats":{"inactive_file":40}},
    "blkio_stats":{"io_service_bytes_recursive":[{"op":"read","value":1},{"op":"read","value":2},{"op":"write"}]}})");
  REQUIRE(v2);
  CHECK(v2->memory_bytes == 60);
  CHECK(v2->read_bytes == 3);
}

TEST_CASE("docker json: no mutation of a good answer makes a parser throw", "[unit][docker]") {
  auto good = golden("inspect-20.10.json");
  REQUIRE(rc::check("mutated inspect answers", [&] {
    auto text = good;
    auto at = *rc::gen::inRange<std::size_t>(0, text.size());
    auto length = *rc::gen::inRange<std::size_t>(0, 40);
    text.replace(at, length, *rc::gen::element<std::string>("", "null", "{", "]", "\"", "-1", "1e999", "\xff", "[[[["));
    (void)json::parse_details(text);
    (void)json::parse_list("[" + text + "]");
    (void)json::parse_event(text);
    (void)json::parse_image(text);
    (void)json::parse_stats(text);
    (void)json::refusal_text(text);
  }));
}

TEST_CASE("docker json: values of the wrong type are read as empty", "[unit][docker]") {
  auto d = json::parse_details(R"({"Id":"a","Name":7,"RestartCount":-1,"State":{"Status":"running","ExitCode":"x",
    "Health":[]},"Config":{"Labels":[1],"Env":{"a":1},"Image":null,"Tty":"yes"},"Mounts":{"a":1},
    "HostConfig":{"PortBindings":{"x/tcp":[{}],"80/sctp":[{"HostPort":"1"}],"80":[{"HostPort":"99999"}]}},
    "NetworkSettings":7})");
  REQUIRE(d);
  CHECK(d->view.name.empty());
  CHECK(d->view.restarts == 0);
  CHECK(d->view.labels.empty());
  CHECK(d->env.empty());
  CHECK(d->ports.empty());
  CHECK(d->mounts.empty());
}

TEST_CASE("docker json: a container's own options are read into a spec", "[unit][docker]") {
  using namespace std::chrono_literals;
  auto d = json::parse_details(R"({"Id":"abc0123456789","Name":"/x","State":{"Status":"running"},
    "Config":{"Image":"i","Hostname":"abc012345678","WorkingDir":"/w","Tty":true,"OpenStdin":true,"StopSignal":"SIGINT",
              "StopTimeout":120,"Healthcheck":{"Test":["CMD","true"],"Interval":5000000000}},
    "HostConfig":{"Memory":1073741824,"NanoCpus":1500000000,"ShmSize":134217728,"Init":true,"NetworkMode":"default",
      "Ulimits":[{"Name":"nofile","Soft":1,"Hard":2}],"Tmpfs":{"/run":"size=1m"},"CapAdd":["CAP_SYS_NICE"],
      "CapDrop":["NET_RAW"],"LogConfig":{"Type":"json-file","Config":{"max-size":"1m"}},
      "Mounts":[{"Type":"tmpfs","Target":"/t","TmpfsOptions":{"SizeBytes":4096}}]}})");
  REQUIRE(d);
  const auto& s = d->spec;
  CHECK(!s.hostname);
  CHECK(s.working_dir == "/w");
  CHECK(s.tty == true);
  CHECK(s.open_stdin == true);
  CHECK(s.stop_signal == "SIGINT");
  CHECK(s.stop_grace == 120s);
  CHECK(s.health->interval == 5s);
  CHECK(s.memory_max == 1ull << 30);
  CHECK(s.cpu_millis == 1500);
  CHECK(s.shm_size == 128ull << 20);
  CHECK(s.init == true);
  CHECK(s.ulimits->at("nofile") == msg::ulimit{1, 2});
  CHECK(*s.tmpfs == labels{{"/run", "size=1m"}, {"/t", "size=4096"}});
  CHECK(s.cap_add == std::vector<std::string>{"SYS_NICE"});
  CHECK(s.cap_drop == std::vector<std::string>{"NET_RAW"});
  CHECK(*s.log_options == labels{{"max-size", "1m"}});
  CHECK(d->unusual.empty());
}

TEST_CASE("docker json: the Engine's defaults are not reported as unusual, anything else that is set is",
          "[unit][docker]") {
  auto plain = json::parse_details(golden("inspect-20.10.json"));
  REQUIRE(plain);
  CHECK(plain->unusual.empty());
  struct row {
    const char* host;
    const char* named;
  };
  for (const auto& r : {row{R"("NetworkMode":"container:vpn")", "the network of another container"},
                        row{R"("NetworkMode":"host")", "the host's network"},
                        row{R"("NetworkMode":"none")", "no network"},
                        row{R"("PidMode":"host")", "PidMode host"},
                        row{R"("IpcMode":"host")", "IpcMode host"},
                        row{R"("UsernsMode":"host")", "UsernsMode host"},
                        row{R"("Runtime":"nvidia")", "the runtime nvidia"},
                        row{R"("Privileged":true)", "privileged"},
                        row{R"("SecurityOpt":["seccomp=unconfined"])", "security options"},
                        row{R"("ReadonlyRootfs":true)", "a read-only root"},
                        row{R"("Sysctls":{"a":"b"})", "sysctls"},
                        row{R"("ExtraHosts":["a:1"])", "extra hosts"},
                        row{R"("GroupAdd":["1"])", "further groups"},
                        row{R"("PidsLimit":100)", "a limit of processes"},
                        row{R"("CpuQuota":5000)", "a CPU quota"},
                        row{R"("SomethingNew":{"x":1})", "SomethingNew"},
                        row{R"("Mounts":[{"Type":"image","Target":"/x"}])", "a mount of type image"},
                        row{R"("PortBindings":{"80/tcp":[{"HostPort":""}]})", "80/tcp on a port of the Engine's"},
                        row{R"("PortBindings":{"80/tcp":[{"HostPort":"8000-8010"}]})", "80/tcp on a port of"},
                        row{R"("PortBindings":{"80/sctp":[{"HostPort":"80"}]})", "port 80/sctp"}}) {
    auto d =
        json::parse_details(std::string(R"({"Id":"a","Name":"/x","State":{"Status":"running"},"Config":{"Image":"i"},
      "HostConfig":{)") + r.host +
                            "}}");
    REQUIRE(d);
    INFO(r.host);
    REQUIRE(d->unusual.size() == 1);
    CHECK(d->unusual[0].find(r.named) != std::string::npos);
  }
  auto composed = json::parse_details(R"({"Id":"a","Name":"/x","State":{"Status":"running"},"HostConfig":{},
    "Config":{"Image":"i","Labels":{"com.docker.compose.project":"games"}}})");
  REQUIRE(composed);
  CHECK(composed->unusual == std::vector<std::string>{"compose project games, which would make another one"});
}

TEST_CASE("docker json: the layer of a container is what it wrote outside its mounts", "[unit][docker]") {
  auto layer = json::parse_layer(
      R"([{"Path":"/opt","Kind":0},{"Path":"/opt/game","Kind":1},{"Path":"/opt/game/save","Kind":1},
          {"Path":"/opt-other","Kind":1},{"Path":"/etc/old","Kind":2},{"Path":"/data","Kind":1},{"Path":"/srv","Kind":0},
          {"Path":"/srv/maps","Kind":1}])",
      R"({"SizeRw":4096,"Mounts":[{"Destination":"/data"},{"Destination":"/srv/maps"}]})");
  REQUIRE(layer);
  CHECK(layer->bytes == 4096);
  CHECK(layer->files == std::vector<std::string>{"/opt-other", "/opt/game/save"});
  CHECK(json::parse_layer("null", R"({"SizeRw":0})")->files.empty());
  CHECK_FALSE(json::parse_layer("{}", "{}"));
  CHECK_FALSE(json::parse_layer("[]", "no"));
}
