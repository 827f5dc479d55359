// zedops-loadgen: simulated agents, servers and clients for a real manager.
#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <cstdio>

#include "messages/wire/codec.hpp"
#include "tools/loadgen/fill.hpp"
#include "tools/loadgen/fleet.hpp"
#include "tools/loadgen/keys.hpp"
#include "tools/loadgen/pipeline.hpp"

namespace {

using namespace zedops;
using namespace zedops::load;

std::atomic<bool> stop{false};

int refuse(const msg::error& e) {
  std::fprintf(stderr, "zedops-loadgen: %s\n", e.message.c_str());
  if (!e.hint.empty()) std::fprintf(stderr, "  %s\n", e.hint.c_str());
  return msg::info(e.code).exit_code;
}

void report(const pipeline_result& r) {
  std::printf("answered %llu (refused %llu) in %.2f s: %.0f/s, p50 %.0f us, p99 %.0f us, max %.0f us\n",
              static_cast<unsigned long long>(r.answered), static_cast<unsigned long long>(r.refused), r.seconds,
              r.per_second(), r.percentile_us(50), r.percentile_us(99), r.percentile_us(100));
  if (!r.first_refusal.empty()) std::printf("first refusal: %s\n", r.first_refusal.c_str());
}

int run_agents(const fleet_options& o) {
  auto r = run_fleet(o, stop);
  if (!r) return refuse(r.error());
  std::printf("received %llu, sent %llu, commands %llu, mishaps %llu\n", static_cast<unsigned long long>(r->received),
              static_cast<unsigned long long>(r->sent), static_cast<unsigned long long>(r->commands),
              static_cast<unsigned long long>(r->mishaps));
  return 0;
}

std::string waiting() {
  msg::request_options o;
  o.wait = true;
  return msg::pack_map(o);
}

int run_servers(pipeline_options o, size_t agents, const std::string& prefix, const std::string& recovery) {
  o.run_for = std::chrono::hours(1);
  o.next = [&, options = waiting()](size_t client, uint64_t n) {
    const auto nth = n * o.clients + client;
    msg::create_server c;
    c.name = "srv-" + std::to_string(nth);
    c.agent = prefix + std::to_string(nth % agents);
    c.image = "registry.example/game-server";
    c.image_tag = "stable";
    c.config = {{"SERVER_NAME", c.name}};
    c.recovery = recovery == "auto" ? msg::recovery_policy::automatic : msg::recovery_policy::manual;
    return posted{"server.create", msg::pack_map(c), options};
  };
  auto r = run_pipeline(o);
  if (!r) return refuse(r.error());
  report(*r);
  return r->refused == 0 ? 0 : 1;
}

// Bodies of operations that name their server and nothing else may share one struct.
int run_commands(pipeline_options o, const std::string& verb) {
  auto c = bus::client::connect(o.clients_uri);
  if (!c) return refuse(c.error());
  auto ids = list_server_ids(*c);
  if (!ids) return refuse(ids.error());
  if (ids->empty()) return refuse({msg::ec::not_found, "the manager has no servers", "run: loadgen servers", {}});
  const bool edits = verb == "edit";
  const std::string options = verb == "get" || edits ? std::string() : waiting();
  o.next = [&](size_t client, uint64_t n) {
    const auto& id = (*ids)[(n * o.clients + client) % ids->size()];
    if (edits) {
      msg::edit_server e;
      e.server = id;
      e.config["LOAD"] = std::to_string(n);
      return posted{"server.edit", msg::pack_map(e), options};
    }
    return posted{"server." + verb, msg::pack_map(msg::get_server{id}), options};
  };
  auto r = run_pipeline(o);
  if (!r) return refuse(r.error());
  report(*r);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGINT, [](int) { stop = true; });
  std::signal(SIGTERM, [](int) { stop = true; });
  CLI::App app{"Simulated agents, servers and clients for a real manager", "zedops-loadgen"};
  app.require_subcommand(1);

  fleet_options fleet;
  std::string event = "die";
  double seconds = 0;
  long work_ms = 0;
  auto* agents = app.add_subcommand("agents", "Simulate agents; they adopt the servers that the manager sends them");
  agents->add_option("--manager", fleet.manager_uri, "the manager's endpoint for agents")->required();
  agents->add_option("--manager-key", fleet.manager_key, "the manager's public key, for tcp://; see allow");
  agents->add_option("--count", fleet.agents, "how many agents")->capture_default_str();
  agents->add_option("--first", fleet.first, "number of the first")->capture_default_str();
  agents->add_option("--name", fleet.name_prefix, "prefix of their names")->capture_default_str();
  agents->add_option("--work-ms", work_ms, "how long each command takes")->capture_default_str();
  agents->add_option("--events-per-second", fleet.mishaps_per_second, "mishaps of containers, over all servers");
  agents->add_option("--event", event, "die (alternating with start) or destroy")
      ->check(CLI::IsMember({"die", "destroy"}))
      ->capture_default_str();
  agents->add_option("--seconds", seconds, "stop after this many seconds; 0: on a signal");

  pipeline_options pipe;
  size_t agent_count = 10, servers = 1'000;
  std::string prefix = "load-", recovery = "manual", verb = "edit";
  const auto pipe_options = [&](CLI::App* sub) {
    sub->add_option("--endpoint", pipe.clients_uri, "the manager's endpoint for clients")->required();
    sub->add_option("--clients", pipe.clients, "connections")->check(CLI::Range(1, 64))->capture_default_str();
    sub->add_option("--in-flight", pipe.in_flight, "requests in flight, of all clients")->capture_default_str();
  };
  auto* make = app.add_subcommand("servers", "Create servers by real requests, on simulated agents");
  pipe_options(make);
  make->add_option("--count", servers, "how many")->capture_default_str();
  make->add_option("--agents", agent_count, "number of agents to spread them over")->capture_default_str();
  make->add_option("--name", prefix, "prefix of the agents' names")->capture_default_str();
  make->add_option("--recovery", recovery, "manual or auto")->check(CLI::IsMember({"manual", "auto"}));

  double command_seconds = 5;
  auto* commands = app.add_subcommand("commands", "Keep requests in flight, round robin over all servers");
  pipe_options(commands);
  commands->add_option("--seconds", command_seconds, "how long")->capture_default_str();
  commands->add_option("--verb", verb, "edit (durable at once), get, restart, rebuild, recreate, stop or start")
      ->check(CLI::IsMember({"edit", "get", "restart", "rebuild", "recreate", "stop", "start"}))
      ->capture_default_str();

  fill_options fill;
  auto* filler = app.add_subcommand("fill", "Write a store with many running servers; no manager may use it");
  filler->add_option("--data-dir", fill.data_dir, "a new directory")->required();
  filler->add_option("--servers", fill.servers, "how many")->capture_default_str();
  filler->add_option("--agents", fill.agents, "number of agents to spread them over")->capture_default_str();
  filler->add_flag("--deleted", fill.deleted, "instead of running servers, soft-deleted ones whose retention is over");
  filler->add_option("--name", fill.name_prefix, "prefix of the agents' names")->capture_default_str();

  std::string data_dir;
  auto* allow = app.add_subcommand("allow", "Admit simulated agents by key; replaces the manager's authorized_keys");
  allow->add_option("--data-dir", data_dir, "the manager's")->required();
  allow->add_option("--agents", agent_count, "how many")->capture_default_str();
  allow->add_option("--name", prefix, "prefix of their names")->capture_default_str();

  CLI11_PARSE(app, argc, argv);
  if (*agents) {
    fleet.kind = event == "die" ? mishap::die : mishap::destroy;
    fleet.work = msg::duration(work_ms);
    fleet.run_for = std::chrono::milliseconds(static_cast<long>(seconds * 1e3));
    fleet.on_ready = [] { std::puts("all agents are welcome"), std::fflush(stdout); };
    return run_agents(fleet);
  }
  if (*make) {
    pipe.requests_max = servers;
    return run_servers(pipe, agent_count, prefix, recovery);
  }
  if (*commands) {
    pipe.run_for = std::chrono::milliseconds(static_cast<long>(command_seconds * 1e3));
    return run_commands(pipe, verb);
  }
  if (*allow) {
    auto ok = allow_agents(data_dir, prefix, agent_count);
    return ok ? 0 : refuse(ok.error());
  }
  if (auto ok = fill_store(fill); !ok) return refuse(ok.error());
  return 0;
}
