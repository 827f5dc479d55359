// The web door compared with nginx, which serves the same bytes as a file over as many connections; and many readers
// of live events, one of which does not read.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <thread>

#include "bus/client.hpp"
#include "messages/base/time.hpp"
#include "messages/wire/codec.hpp"
#include "tests/bench/system/process.hpp"
#include "tools/loadgen/fill.hpp"
#include "tools/loadgen/pipeline.hpp"

using namespace zedops;
using namespace zedops::bench;
using namespace std::chrono_literals;

namespace {

int dial(uint16_t port) {
  const int s = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons(port);
  if (::connect(s, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) die("nobody listens at the port");
  const int on = 1;
  ::setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return s;
}

struct rate {
  double per_second = 0, p99_ms = 0;
  size_t bytes = 0;  // of one answer's body
};

// Requests over keep-alive connections, one at a time on each.
rate requests(uint16_t port, const std::string& text, size_t connections, std::chrono::seconds time) {
  struct one {
    int fd;
    std::string got;
    size_t wanted = 0;
    steady::time_point sent;
  };
  const int poll = ::epoll_create1(0);
  std::vector<one> all(connections);
  const auto send = [&](one& c) {
    c.got.clear(), c.wanted = 0, c.sent = steady::now();
    if (::write(c.fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) die("the request was not taken");
  };
  for (auto& c : all) {
    c.fd = dial(port);
    epoll_event e{EPOLLIN, {.ptr = &c}};
    ::epoll_ctl(poll, EPOLL_CTL_ADD, c.fd, &e);
    send(c);
  }
  std::vector<double> took;
  std::string buffer(1u << 20, '\0');
  rate out;
  const auto begun = steady::now();
  epoll_event events[64];
  while (steady::now() - begun < time) {
    const int n = ::epoll_wait(poll, events, 64, 1'000);
    for (int i = 0; i < n; ++i) {
      auto& c = *static_cast<one*>(events[i].data.ptr);
      const auto bytes = ::read(c.fd, buffer.data(), buffer.size());
      if (bytes <= 0) die("the connection was closed");
      c.got.append(buffer.data(), static_cast<size_t>(bytes));
      if (c.wanted == 0)
        if (const auto end = c.got.find("\r\n\r\n"); end != c.got.npos) {
          c.wanted = end + 4;
          auto at = c.got.find("Content-Length: ");
          if (at == c.got.npos) at = c.got.find("content-length: ");
          if (at < end) out.bytes = std::stoul(c.got.substr(at + 16)), c.wanted += out.bytes;
        }
      if (c.wanted == 0 || c.got.size() < c.wanted) continue;
      took.push_back(ms_since(c.sent));
      send(c);
    }
  }
  out.per_second = static_cast<double>(took.size()) / (ms_since(begun) / 1e3);
  out.p99_ms = percentile(took, 99);
  for (auto& c : all) ::close(c.fd);
  ::close(poll);
  return out;
}

std::string get(const std::string& path, const std::string& token, const std::string& more = {}) {
  return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token + "\r\n" + more + "\r\n";
}

std::string body_of(uint16_t port, const std::string& text, std::string* head = nullptr) {
  const int s = dial(port);
  (void)!::write(s, text.data(), text.size());
  std::string all, buffer(1u << 20, '\0');
  for (size_t wanted = 0; wanted == 0 || all.size() < wanted;) {
    const auto n = ::read(s, buffer.data(), buffer.size());
    if (n <= 0) break;
    all.append(buffer.data(), static_cast<size_t>(n));
    if (const auto end = all.find("\r\n\r\n"); end != all.npos && wanted == 0) {
      const auto at = all.find("Content-Length: ");
      wanted = end + 4 + (at < end ? std::stoul(all.substr(at + 16)) : 0);
    }
  }
  ::close(s);
  const auto end = all.find("\r\n\r\n");
  if (head) *head = all.substr(0, end);
  return all.substr(end + 4);
}

// One worker, as the door has one thread.
class nginx {
 public:
  nginx(const scratch_dir& dir, uint16_t port) {
    if (::access("/usr/sbin/nginx", X_OK) != 0) die("nginx is not installed: apt-get install nginx-light");
    std::ofstream(dir / "nginx.conf") << "daemon off; worker_processes 1; pid " << (dir / "nginx.pid") << "; error_log "
                                      << (dir / "nginx.err")
                                      << ";\nevents { worker_connections 4096; }\nhttp { access_log off; "
                                      << "keepalive_requests 100000000; sendfile on; tcp_nodelay on; types {} "
                                      << "default_type application/json; server { listen 127.0.0.1:" << port
                                      << "; root " << dir.path.string() << "/www; } }\n";
    process_.emplace(std::vector<std::string>{"/usr/sbin/nginx", "-c", dir / "nginx.conf", "-e", dir / "nginx.err"},
                     dir / "nginx.log");
    if (!wait_until([&] { return ::access((dir / "nginx.pid").c_str(), R_OK) == 0; }, 5s)) die("nginx does not start");
    std::this_thread::sleep_for(200ms);
  }

 private:
  std::optional<process> process_;
};

struct world {
  scratch_dir dir;
  uint16_t port = free_port();
  std::optional<manager_process> manager;
  std::string token;
  explicit world(size_t servers) {
    load::fill_options fill;
    fill.data_dir = dir / "data";
    fill.servers = servers;
    must(load::fill_store(fill));
    manager.emplace(dir, std::vector<std::string>{"--http", "127.0.0.1:" + std::to_string(port)});
    manager->first_read_ms();
    auto client = must(bus::client::connect(manager->clients_uri));
    const auto made = must(client.request("token.add", msg::pack_map(msg::add_token{"bench", "operator", {}, {}, {}})));
    token = must(msg::unpack_map<msg::token_made>(made.body)).secret;
  }
};

void rest() {
  constexpr size_t connections = 16;
  constexpr auto time = 4s;
  world w(10'000);
  const auto floor_port = free_port();
  const auto ids = must([&] {
    auto c = must(bus::client::connect(w.manager->clients_uri));
    return load::list_server_ids(c);
  }());
  std::filesystem::create_directories(w.dir.path / "www");
  std::filesystem::permissions(w.dir.path, std::filesystem::perms::others_exec | std::filesystem::perms::others_read,
                               std::filesystem::perm_options::add);
  struct asked {
    const char* what;
    std::string path;
  };
  nginx floor(w.dir, floor_port);
  std::this_thread::sleep_for(12s);  // its agents are declared lost: from then on nothing changes
  for (const auto& [what, path] : {asked{"GET /api/servers, 200 of 10,000", "/api/servers?limit=200"},
                                   asked{"GET /api/servers/ID", "/api/servers/" + ids[5'000]}}) {
    std::string head;
    const auto body = body_of(w.port, get(path, w.token), &head);
    std::ofstream(w.dir / "www/file") << body;
    const auto tag = head.substr(head.find("ETag: ") + 6);
    const auto not_modified = get(path, w.token, "If-None-Match: " + tag.substr(0, tag.find('\r')) + "\r\n");
    const auto ours = requests(w.port, get(path, w.token), connections, time);
    const auto theirs = requests(floor_port, "GET /file HTTP/1.1\r\nHost: localhost\r\n\r\n", connections, time);
    if (theirs.bytes != body.size()) die("nginx does not serve the same bytes");
    print({what + std::string(", ") + std::to_string(body.size() / 1024) + " KB, beside a file of nginx", "/s",
           ours.per_second, theirs.per_second, 0.5, better::higher});
    print({"  p99", "ms", ours.p99_ms, theirs.p99_ms, 3});
    const auto same = requests(w.port, not_modified, connections, time);
    print({"  the same with If-None-Match", "/s", same.per_second, theirs.per_second, 0.8, better::higher});
  }
}

// Each event says when it was; both clocks are this machine's.
void live(size_t readers) {
  world w(1'000);
  auto client = must(bus::client::connect(w.manager->clients_uri));
  const auto ids = must(load::list_server_ids(client));
  std::this_thread::sleep_for(2s);
  const double before = w.manager->self().own_kb();
  const int poll = ::epoll_create1(0);
  std::vector<int> fds;
  std::vector<std::string> rest(readers);
  const auto text = get("/api/events?type=server.edited", w.token);
  const int stalled = dial(w.port);  // asks for everything, and reads nothing
  (void)!::write(stalled, text.data(), text.size());
  for (size_t i = 0; i < readers; ++i) {
    fds.push_back(dial(w.port));
    if (::write(fds.back(), text.data(), text.size()) < 0) die("the request was not taken");
    ::fcntl(fds.back(), F_SETFL, O_NONBLOCK);
    epoll_event e{EPOLLIN, {.u64 = i}};
    ::epoll_ctl(poll, EPOLL_CTL_ADD, fds.back(), &e);
  }
  std::atomic<bool> stop{false};
  std::thread events([&] {
    auto mine = must(bus::client::connect(w.manager->clients_uri));
    std::this_thread::sleep_for(2s);
    for (uint64_t n = 0; !stop; ++n) {
      msg::edit_server e;
      e.server = ids[n % ids.size()];
      e.config["N"] = std::to_string(n);
      (void)mine.request("server.edit", msg::pack_map(e));
      std::this_thread::sleep_for(100ms);
    }
  });
  std::vector<double> late;
  std::string buffer(65'536, '\0');
  epoll_event got[512];
  const auto until = steady::now() + 12s;
  const auto cpu = w.manager->self().cpu_seconds();
  while (steady::now() < until) {
    const int n = ::epoll_wait(poll, got, 512, 500);
    const auto now =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
    for (int i = 0; i < n; ++i) {
      const auto bytes = ::read(fds[got[i].data.u64], buffer.data(), buffer.size());
      if (bytes <= 0) die("a reader was dropped");
      const std::string_view piece(buffer.data(), static_cast<size_t>(bytes));
      for (auto at = piece.find("event: server.edited"); at != piece.npos;
           at = piece.find("event: server.edited", at + 1)) {
        const auto time = piece.find("\"time\":\"", at);
        if (time == piece.npos || time + 32 > piece.size()) continue;
        if (auto t = msg::from_rfc3339(piece.substr(time + 8, 24)))
          late.push_back(static_cast<double>((now - t->time_since_epoch()).count()));
      }
    }
  }
  stop = true;
  events.join();
  const auto n = std::to_string(readers);
  print({n + " readers of 10 events a second, from the commit to each: p50", "ms", percentile(late, 50)});
  print({"  p99", "ms", percentile(late, 99), 0, 60});
  print({"  events heard", "", static_cast<double>(late.size())});
  print({"  share of a core", "%", (w.manager->self().cpu_seconds() - cpu) / 12 * 100});
  print({"  memory added", "MB", (w.manager->self().own_kb() - before) / 1024, 0, 40});
  for (int fd : fds) ::close(fd);
  ::close(stalled);
}

// Without readers the door costs nothing.
void idle() {
  double share[2] = {}, memory[2] = {};
  for (const bool on : {false, true}) {
    scratch_dir dir;
    load::fill_options fill;
    fill.data_dir = dir / "data";
    must(load::fill_store(fill));
    manager_process m(dir, on ? std::vector<std::string>{"--http", "127.0.0.1:" + std::to_string(free_port())}
                              : std::vector<std::string>{});
    m.first_read_ms();
    std::this_thread::sleep_for(4s);
    const auto before = m.self().cpu_seconds();
    std::this_thread::sleep_for(10s);
    share[on] = (m.self().cpu_seconds() - before) * 10;
    memory[on] = m.self().own_kb() / 1024;
  }
  print({"an idle door: added share of a core", "%", share[1] - share[0], 0, 0.1});
  print({"  added memory", "MB", memory[1] - memory[0], 0, 3});
}

}  // namespace

int main(int argc, char** argv) {
  const std::string only = argc > 1 ? argv[1] : "";
  if (only.empty() || only == "idle") idle();
  if (only.empty() || only == "rest") rest();
  if (only.empty() || only == "live") live(5'000);
}
