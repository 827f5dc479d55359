#include "tests/bench/system/floor.hpp"

#include <lmdb.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>
#include <zmq.hpp>

namespace zedops::bench {
namespace {

constexpr size_t group_max = 1'000;  // messages per commit
constexpr int queue_max = 100'000;

void check(int rc) {
  if (rc != 0) die(mdb_strerror(rc));
}

struct message {
  zmq::message_t from, body;
};

class loop {
 public:
  loop(const std::string& dir, const std::string& requests_uri, const std::string& events_uri)
      : router_(context_, zmq::socket_type::router), pub_(context_, zmq::socket_type::pub) {
    std::filesystem::create_directories(dir);
    check(mdb_env_create(&env_));
    check(mdb_env_set_mapsize(env_, size_t{4} << 30));
    check(mdb_env_open(env_, dir.c_str(), 0, 0600));
    MDB_txn* txn = nullptr;
    check(mdb_txn_begin(env_, nullptr, 0, &txn));
    check(mdb_dbi_open(txn, nullptr, 0, &dbi_));
    check(mdb_txn_commit(txn));
    pub_.set(zmq::sockopt::sndhwm, queue_max);
    router_.set(zmq::sockopt::sndhwm, queue_max);
    router_.set(zmq::sockopt::rcvhwm, queue_max);
    router_.bind(requests_uri);
    pub_.bind(events_uri);
  }

  [[noreturn]] void run() {
    std::vector<message> group;
    for (;;) {
      group.clear();
      zmq_pollitem_t item{router_.handle(), 0, ZMQ_POLLIN, 0};
      zmq_poll(&item, 1, -1);
      while (group.size() < group_max) {
        message m;
        if (!router_.recv(m.from, zmq::recv_flags::dontwait)) break;
        (void)router_.recv(m.body);
        group.push_back(std::move(m));
      }
      if (!group.empty()) commit(group);
      for (auto& m : group) {
        if (*m.body.data<char>() == floor_publish) {
          pub_.send(m.body, zmq::send_flags::none);
          continue;
        }
        router_.send(m.from, zmq::send_flags::sndmore);
        router_.send(m.body, zmq::send_flags::none);
      }
    }
  }

 private:
  void commit(const std::vector<message>& group) {
    MDB_txn* txn = nullptr;
    check(mdb_txn_begin(env_, nullptr, 0, &txn));
    for (const auto& m : group) {
      const uint64_t big_endian = __builtin_bswap64(++seq_);
      MDB_val k{sizeof big_endian, const_cast<uint64_t*>(&big_endian)};
      MDB_val v{m.body.size(), const_cast<void*>(m.body.data())};
      check(mdb_put(txn, dbi_, &k, &v, MDB_APPEND));
    }
    check(mdb_txn_commit(txn));
  }

  zmq::context_t context_;
  zmq::socket_t router_, pub_;
  MDB_env* env_ = nullptr;
  MDB_dbi dbi_ = 0;
  uint64_t seq_ = 0;
};

}  // namespace

floor_server::floor_server(const scratch_dir& dir) {
  requests_uri = "ipc://" + (dir / "floor.requests");
  events_uri = "ipc://" + (dir / "floor.events");
  pid_ = ::fork();
  if (pid_ < 0) die("fork");
  if (pid_ > 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  loop(dir / "floor", requests_uri, events_uri).run();
}

floor_server::~floor_server() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

}  // namespace zedops::bench
