// Writes the first inputs of every target: valid ones, since mutations of those get furthest into a parser.
// Usage: fuzz_seeds [CORPUS-DIRECTORY]. Files are named seed-*; what a fuzzer found beside them stays.
#include <filesystem>
#include <fstream>

#include "bus/protocol.hpp"
#include "config/settings/settings.hpp"
#include "config/template_file.hpp"
#include "integration/rcon/rcon_packet.hpp"
#include "persistence/detail/report_wire.hpp"
#include "persistence/envelope.hpp"
#include "tests/support/samples.hpp"

using namespace zedops;
using zedops::testing::sample;
namespace fs = std::filesystem;

namespace {

fs::path corpus;

void write(const std::string& target, const std::string& name, const std::string& bytes) {
  fs::create_directories(corpus / target);
  std::ofstream(corpus / target / ("seed-" + name), std::ios::binary) << bytes;
}

std::string chosen(size_t which, const std::string& rest) { return static_cast<char>(which) + rest; }

std::string text_of(const fs::path& file) {
  std::ifstream in(fs::path(ZEDOPS_SOURCE_DIR) / file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void bodies() {
  size_t n = 0;
#define X(type) write("msgpack", "array-" #type, chosen(n++, msg::pack(sample<msg::type>())));
  ZEDOPS_ARRAY_TYPES(X)
#undef X
  for (size_t i = 0; i < std::variant_size_v<msg::from_agent>; ++i)
    write("msgpack", "from-agent-" + std::to_string(i), chosen(5, msg::pack(sample<msg::from_agent>(1, i))));
  for (size_t i = 0; i < std::variant_size_v<msg::to_agent>; ++i)
    write("msgpack", "to-agent-" + std::to_string(i), chosen(6, msg::pack(sample<msg::to_agent>(1, i))));
  n = 0;
#define X(type)                                                                        \
  write("msgpack", "map-" #type, chosen(128 + n, msg::pack_map(sample<msg::type>()))); \
  write("json", #type, chosen(n++, msg::to_json(sample<msg::type>())));
  ZEDOPS_MAP_TYPES(X)
#undef X
}

std::string flat(const bus::frames& f) {
  std::string out(1, static_cast<char>(f.size()));
  for (const auto& frame : f) out += static_cast<char>(frame.size()) + frame;
  // The last frame is the rest: its length is ignored, but takes a byte.
  return out;
}

void wire() {
  using namespace std::chrono_literals;
  write("bus_frames", "request", flat(bus::encode(bus::request{"1", "server.start", "key-1", 5000ms, "\x80", "\x80"})));
  write("bus_frames", "bare", flat(bus::encode(bus::request{"id", "status", "", {}, "", ""})));
  write("bus_frames", "reply", flat(bus::encode(bus::reply{bus::reply_kind::progress, "1", "body"})));
  write("bus_frames", "agent", flat(bus::encode(bus::agent_message{"3", 77, "body"})));
  write("bus_frames", "event", flat(bus::encode(bus::raw_event{"server.s1", {7, 1042}, "body"})));
  write("bus_frames", "cursor", "18446744073709551615:18446744073709551615");
  const auto packet = rcon::encode(1, rcon::login_reply, "") + rcon::encode(2, rcon::packet_type::reply, "ok");
  write("rcon", "whole", chosen(0, packet));
  write("rcon", "pieces", chosen(3, packet));
  write("rcon", "negative", chosen(0, std::string("\xff\xff\xff\xff", 4) + packet));
}

void store_bytes() {
  const std::string key = "s1", payload = "a record";
  std::string sealed(store::envelope_bytes + payload.size(), '\0');
  store::seal(store::table::servers, key, payload, sealed.data());
  write("store_records", "record", chosen(0, chosen(1, chosen(key.size(), key + sealed))));
  store::verify_report r;
  r.schema = 1, r.epoch = 42, r.file_bytes = 4096, r.damaged = 1, r.structure = "cut off";
  r.listed.push_back({store::table::log, "key", "its checksum does not match", "raw"});
  write("store_records", "report", chosen(1, store::detail::encode_report(r)));
}

std::string with_keys_in_force(std::string text) {  // a sample file has every key commented out
  for (size_t at = 0; (at = text.find("\n#", at)) != std::string::npos; ++at)
    if (text[at + 2] != ' ') text.erase(at + 1, 1);
  return text;
}

void files() {
  write("settings", "manager", chosen(0, with_keys_in_force(config::sample_file<config::manager_settings>())));
  write("settings", "agent", chosen(1, with_keys_in_force(config::sample_file<config::agent_settings>())));
  for (const auto& file : config::builtin_template_files())
    write("template_file", std::string(file.name), std::string(file.text));
}

void words() {
  const char* lines[][4] = {{"my-server", "host-1.example", "ENV_KEY", "/srv/games"},
                            {"ghcr.io/owner/image:1.2", "localhost:5000/x", "busybox",
                             "a/b@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
                            {"2024-05-01T12:00:00.123Z", "1h30m", "250ms", "7d"},
                            {"7:1042", "2GiB", "strat", "{name}-{game_port}"}};
  for (size_t kind = 0; kind < std::size(lines); ++kind)
    for (size_t i = 0; i < std::size(lines[kind]); ++i)
      write("names", std::to_string(kind) + std::to_string(i), chosen(kind, lines[kind][i]));
}

void engine() {
  const char* answers[] = {
      R"({"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12"})",
      R"({"OperatingSystem":"Debian GNU/Linux 12","Name":"host"})",
      R"([{"Id":"a","Names":["/x"],"Image":"i","State":"running","Labels":{"k":"v"},"Ports":[{"PrivatePort":80,"PublicPort":8080,"Type":"tcp"}]}])",
      "",
      R"({"Id":"a","Warnings":["w"]})",
      R"({"Id":"a"})",
      R"({"Id":"sha256:1","RepoTags":["a:b"],"RepoDigests":["a@sha256:1"],"Size":7,"Config":{"Labels":{"a":"b"},"Env":["A=B"]}})",
      R"({"Id":"a","Name":"n","Driver":"bridge","Labels":{}})",
      R"({"cpu_stats":{"cpu_usage":{"total_usage":5}},"memory_stats":{"usage":100,"limit":500,"stats":{"inactive_file":40}},"networks":{"a":{"rx_bytes":1,"tx_bytes":2}}})",
      R"({"Type":"container","Action":"die","Actor":{"ID":"abc","Attributes":{"exitCode":"137"}},"time":1,"timeNano":1795202106960196056})",
      R"({"message":"no such container"})"};
  for (size_t i = 0; i < std::size(answers); ++i)
    if (*answers[i]) write("engine_json", std::to_string(i), chosen(i, answers[i]));
  write("engine_json", "3", chosen(3, text_of("tests/unit/docker/golden/inspect-20.10.json")));
  const std::string framed = std::string("\1\0\0\0\0\0\0\6hello\n", 14) + std::string("\2\0\0\0\0\0\0\4oops", 12);
  for (size_t which : {0, 1})
    write("engine_streams", "frames-" + std::to_string(which), chosen(which, chosen(3, framed)));
  write("engine_streams", "raw", chosen(2, chosen(5, "one\r\ntwo\nthree")));
  write("engine_streams", "lines", chosen(3, chosen(2, "one\r\ntwo\nthree")));
  write("engine_streams", "pull",
        chosen(4, chosen(0, R"({"status":"Downloading","progressDetail":{"current":50,"total":100},"id":"aa"})"
                            "\n"
                            R"({"status":"Pull complete","progressDetail":{},"id":"aa"})"
                            "\n"
                            R"({"errorDetail":{"message":"m"},"error":"e"})"
                            "\n")));
}

}  // namespace

int main(int argc, char** argv) {
  corpus = argc > 1 ? fs::path(argv[1]) : fs::path(ZEDOPS_SOURCE_DIR) / "tests/fuzz/corpus";
  bodies();
  wire();
  store_bytes();
  files();
  words();
  engine();
}
