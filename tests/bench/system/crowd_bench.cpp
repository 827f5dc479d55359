// The cost of large numbers: agents that connect at once, deleted servers of hosts that are gone, a client that sends
// the largest requests. `crowd_bench agents 6` also looks at the agents' memory after six minutes more.
#include <unistd.h>

#include <set>
#include <thread>
#include <zmq.hpp>

#include "bus/security/key_ring.hpp"
#include "messages/wire/codec.hpp"
#include "tests/bench/system/process.hpp"
#include "tools/loadgen/fill.hpp"
#include "tools/loadgen/keys.hpp"
#include "tools/loadgen/pipeline.hpp"

using namespace zedops;
using namespace zedops::bench;
using namespace std::chrono_literals;

namespace {

constexpr auto watched = 10s;

double percent_of_a_core(const process& p, std::chrono::seconds time) {
  const auto before = p.cpu_seconds();
  std::this_thread::sleep_for(time);
  return (p.cpu_seconds() - before) / std::chrono::duration<double>(time).count() * 100;
}

size_t count(const std::string& text, const std::string& what) {
  size_t n = 0;
  for (auto at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++n;
  return n;
}

constexpr size_t bare_connections = 1'000;

class bare_router {
 public:
  explicit bare_router(bool keys) {
    context_.set(zmq::ctxopt::max_sockets, 64);
    router_ = zmq::socket_t(context_, zmq::socket_type::router);
    if (keys) {
      const auto own = bus::new_key_pair();
      uri_ = "tcp://127.0.0.1:" + std::to_string(free_port());
      key_ = own.public_key;
      router_.set(zmq::sockopt::curve_server, true);
      router_.set(zmq::sockopt::curve_secretkey, bus::z85_of(own.secret_key));
    }
    router_.set(zmq::sockopt::rcvtimeo, 1'000);
    router_.bind(uri_);
  }
  zmq::socket_t& socket() { return router_; }
  const std::string& uri() const { return uri_; }
  const std::string& key() const { return key_; }
  double kb_per_connection() const { return (own_kb() - before_) / bare_connections; }

 private:
  static double own_kb() { return process::own_kb_of(::getpid()); }

  scratch_dir dir_;
  zmq::context_t context_;
  zmq::socket_t router_;
  std::string uri_ = "ipc://" + (dir_ / "router.ipc"), key_;
  double before_ = own_kb();
};

// What each connection of agents costs a ROUTER that only reads.
double reading_router_kb(bool keys) {
  bare_router r(keys);
  scratch_dir dir;
  std::vector<std::string> command{program("zedops-loadgen"),        "agents",    "--count",
                                   std::to_string(bare_connections), "--manager", r.uri()};
  if (keys) command.insert(command.end(), {"--manager-key", r.key()});
  const process fleet(command, dir / "fleet.log");
  std::set<std::string> seen;
  for (const auto end = steady::now() + 10s; steady::now() < end;) {
    zmq::message_t part;
    if (!r.socket().recv(part)) continue;
    seen.insert(part.to_string());
    while (part.more()) (void)r.socket().recv(part);
  }
  if (seen.size() != bare_connections) die(std::to_string(seen.size()) + " connections reached a bare ROUTER");
  return r.kb_per_connection();
}

// More than the two blocks of each queue of ZeroMQ hold, 256 frames each: from then on they are used again.
constexpr size_t pings = 600;

// The other end of answering_router_kb, in a process of its own.
void ping(const std::string& uri, const std::string& key) {
  zmq::context_t context;
  context.set(zmq::ctxopt::max_sockets, 2 * static_cast<int>(bare_connections));
  std::vector<zmq::socket_t> peers;
  for (size_t i = 0; i < bare_connections; ++i) {
    auto& s = peers.emplace_back(context, zmq::socket_type::dealer);
    if (!key.empty()) {
      const auto own = bus::new_key_pair();
      s.set(zmq::sockopt::curve_serverkey, bus::z85_of(key));
      s.set(zmq::sockopt::curve_publickey, bus::z85_of(own.public_key));
      s.set(zmq::sockopt::curve_secretkey, bus::z85_of(own.secret_key));
    }
    s.connect(uri);
  }
  for (size_t n = 0; n < pings; ++n) {
    for (auto& s : peers) s.send(zmq::str_buffer("ping"), zmq::send_flags::none);
    for (auto& s : peers) {
      zmq::message_t answer;
      (void)s.recv(answer);
    }
  }
  ::pause();
}

// What each connection costs a ROUTER that has read and answered many messages of each.
double answering_router_kb(bool keys) {
  bare_router r(keys);
  scratch_dir dir;
  std::vector<std::string> command{program("crowd_bench"), "ping", r.uri()};
  if (keys) command.push_back(r.key());
  const process peers(command, dir / "peers.log");
  for (size_t n = 0; n < pings * bare_connections; ++n) {
    zmq::message_t from, body;
    if (!r.socket().recv(from) || !r.socket().recv(body)) die("the peers of a bare ROUTER are silent");
    r.socket().send(from, zmq::send_flags::sndmore);
    r.socket().send(body, zmq::send_flags::none);
  }
  return r.kb_per_connection();
}

// Two processes of agents: each has two descriptors per agent. With keys they connect over tcp.
void agents_at_once(size_t agents, size_t servers_each, bool keys, const std::string& minutes = {}) {
  scratch_dir dir;
  load::fill_options fill;
  fill.data_dir = dir / "data";
  fill.agents = agents;
  fill.servers = agents * servers_each;
  must(load::fill_store(fill));
  std::vector<std::string> flags, key_flags;
  std::string uri = "ipc://" + (dir / "run") + "/agents.ipc";
  if (keys) {
    must(load::allow_agents(fill.data_dir, fill.name_prefix, agents));
    uri = "tcp://127.0.0.1:" + std::to_string(free_port());
    flags = {"--agents", uri};
    key_flags = {"--manager-key", must(bus::make_key(fill.data_dir / bus::manager_key_name)).public_key};
  }
  std::optional<manager_process> first(std::in_place, dir, flags);
  first->first_read_ms();
  std::this_thread::sleep_for(2s);
  const double alone = first->self().own_kb();
  std::vector<std::unique_ptr<process>> fleets;
  for (size_t i = 0; i < 2; ++i) {
    std::vector<std::string> command{
        program("zedops-loadgen"),     "agents", "--manager", uri, "--count", std::to_string(agents / 2), "--first",
        std::to_string(i * agents / 2)};
    command.insert(command.end(), key_flags.begin(), key_flags.end());
    fleets.push_back(std::make_unique<process>(command, dir / ("fleet" + std::to_string(i) + ".log")));
  }
  const auto online = [&] { return count(first->self().log(), "agent.online"); };
  if (!wait_until([&] { return online() >= agents; }, 120s))
    die(std::to_string(online()) + " of " + std::to_string(agents) + " agents were let in");
  std::this_thread::sleep_for(5s);  // their first syncs
  // All of them reconnect to the next manager process.
  first.reset();
  std::filesystem::remove(dir / "manager.log");
  manager_process again(dir, flags);
  again.first_read_ms();
  const auto back = [&] { return count(again.self().log(), "agent.online"); };
  if (!wait_until([&] { return back() >= agents; }, 120s)) die(std::to_string(back()) + " agents came back");
  const auto n = std::to_string(agents);
  print({n + " agents " + (keys ? "by keys" : "by ipc") + ", " + std::to_string(servers_each) +
             " servers each: exec of a manager to the last one let in",
         "s", ms_since(again.self().started()) / 1e3, 0, agents > 1'000 ? 20.0 : 10.0});
  std::this_thread::sleep_for(15s);  // syncs, and agents that would reconnect
  print({"  sessions begun for each agent", "", static_cast<double>(back()) / static_cast<double>(agents), 0, 1});
  print({"  manager idle with them, share of a core", "%", percent_of_a_core(again.self(), watched)});
  print({"  its memory, without the mapped store", "MB", again.self().own_kb() / 1024});
  print({"  with it", "MB", again.self().rss_kb() / 1024});
  print({"  for each agent, beside a bare ROUTER", "KB", (again.self().own_kb() - alone) / static_cast<double>(agents),
         reading_router_kb(keys)});
  if (!minutes.empty()) {
    std::this_thread::sleep_for(std::chrono::minutes(std::stoi(minutes)));
    print({"  its memory after " + minutes + " minutes more, without the mapped store", "MB",
           again.self().own_kb() / 1024});
    print({"  for each agent, beside a bare ROUTER that has answered " + std::to_string(pings) + " messages of each",
           "KB", (again.self().own_kb() - alone) / static_cast<double>(agents), answering_router_kb(keys)});
  }
}

void overdue_deleted() {
  double cost[2] = {}, start[2] = {};
  for (const bool overdue : {false, true}) {
    scratch_dir dir;
    load::fill_options fill;
    fill.data_dir = dir / "data";
    fill.servers = 100'000;
    fill.agents = 10;
    fill.deleted = overdue;
    must(load::fill_store(fill));
    manager_process m(dir);
    start[overdue] = m.first_read_ms();
    std::this_thread::sleep_for(5s);  // its agents are declared lost
    cost[overdue] = percent_of_a_core(m.self(), watched);
  }
  print({"100,000 overdue deleted servers, agents away: share of a core", "%", cost[1], 0, 0.5});
  print({"  the same number of running ones", "%", cost[0]});
  print({"  start-up with them", "ms", start[1], start[0]});
}

// Creates of the maximum size, refused only at the very end: the agent is unknown.
void greedy_client() {
  scratch_dir dir;
  load::fill_options fill;
  fill.data_dir = dir / "data";
  must(load::fill_store(fill));
  manager_process m(dir);
  m.first_read_ms();
  auto client = must(bus::client::connect(m.clients_uri));
  const auto ids = must(load::list_server_ids(client));
  const auto honest = [&](bool edits) {
    load::pipeline_options o;
    o.clients_uri = m.clients_uri;
    o.clients = 2;
    o.in_flight = 4;
    o.run_for = 4s;
    o.next = [&, edits](size_t, uint64_t n) {
      if (!edits) return load::posted{"server.get", msg::pack_map(msg::get_server{ids[n % ids.size()]}), {}};
      msg::edit_server e;
      e.server = ids[n % ids.size()];
      e.config["LOAD"] = std::to_string(n);
      return load::posted{"server.edit", msg::pack_map(e), {}};
    };
    return must(load::run_pipeline(o)).percentile_us(99) / 1e3;
  };
  const double quiet[2] = {honest(false), honest(true)};
  const auto memory = m.self().own_kb();
  std::atomic<bool> stop{false};
  uint64_t sent = 0;
  std::thread greedy([&] {
    auto mine = must(bus::client::connect(m.clients_uri));
    msg::edit_server e;
    for (int i = 0; i < 7; ++i) e.config["K" + std::to_string(i)] = std::string(32'000, 'x');
    for (; !stop; ++sent) {
      e.server = ids[sent % 50];
      e.config["N"] = std::to_string(sent);
      (void)mine.request("server.edit", msg::pack_map(e));
    }
  });
  const double beside[2] = {honest(false), honest(true)};
  stop = true;
  greedy.join();
  print({"beside a client that edits 220 KB at a time: reads, p99", "ms", beside[0], quiet[0], 3});
  print({"  edits, p99", "ms", beside[1], quiet[1], 3});
  print({"  its requests", "", static_cast<double>(sent)});
  print({"  memory added to the manager", "MB", (m.self().own_kb() - memory) / 1024});
}

}  // namespace

int main(int argc, char** argv) {
  const std::string only = argc > 1 ? argv[1] : "";
  if (only == "ping") {
    if (argc > 2) ping(argv[2], argc > 3 ? argv[3] : "");
    return 0;
  }
  const std::string minutes = argc > 2 ? argv[2] : "";
  if (only.empty() || only == "client") greedy_client();
  if (only.empty() || only == "deleted") overdue_deleted();
  for (const bool keys : {false, true}) {
    if (only.empty() || only == "agents") agents_at_once(1'000, 20, keys, minutes);
    if (only.empty() || only == "crowd") agents_at_once(keys ? 10'000 : 9'000, 10, keys);
  }
}
