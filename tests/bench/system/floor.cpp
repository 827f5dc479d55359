#include "tests/bench/system/floor.hpp"

#include <lmdb.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
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
    check(mdb_env_set_mapsize(env_, size_t{16} << 30));
    check(mdb_env_set_maxdbs(env_, 5));
    check(mdb_env_open(env_, dir.c_str(), 0, 0600));
    MDB_txn* txn = nullptr;
    check(mdb_txn_begin(env_, nullptr, 0, &txn));
    check(mdb_dbi_open(txn, "messages", MDB_CREATE, &dbi_));
    check(mdb_dbi_open(txn, "log", MDB_CREATE, &log_));
    check(mdb_dbi_open(txn, "records", MDB_CREATE, &records_));
    check(mdb_dbi_open(txn, "operations", MDB_CREATE, &operations_));
    check(mdb_dbi_open(txn, "audit", MDB_CREATE, &audit_));
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
        if (*m.body.data<char>() == floor_edit) {
          router_.send(m.from, zmq::send_flags::sndmore);
          router_.send(zmq::const_buffer(room_.data(), sizes_of(m).answer), zmq::send_flags::none);
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
      if (*m.body.data<char>() == floor_edit) {
        put_edit(txn, big_endian, sizes_of(m));
        continue;
      }
      MDB_val k{sizeof big_endian, const_cast<uint64_t*>(&big_endian)};
      MDB_val v{m.body.size(), const_cast<void*>(m.body.data())};
      check(mdb_put(txn, dbi_, &k, &v, MDB_APPEND));
    }
    check(mdb_txn_commit(txn));
  }

  static edit_bytes sizes_of(const message& m) {
    edit_bytes b;
    std::memcpy(&b, m.body.data<char>() + 1, sizeof b);
    return b;
  }
  void put(MDB_txn* txn, MDB_dbi where, std::string_view key, size_t bytes, unsigned flags) {
    MDB_val k{key.size(), const_cast<char*>(key.data())};
    MDB_val v{bytes, room_.data()};
    check(mdb_put(txn, where, &k, &v, flags));
  }
  void put_edit(MDB_txn* txn, uint64_t number, const edit_bytes& b) {
    const std::string_view key(reinterpret_cast<const char*>(&number), sizeof number);
    put(txn, log_, key, b.log, MDB_APPEND);
    put(txn, records_, "s" + std::to_string(seq_ * 7919 % records) + "-as-long-as-ours", b.record, 0);
    put(txn, operations_, "o" + std::string(key) + "-long", b.operation, 0);
    put(txn, audit_, key, b.audit, MDB_APPEND);
  }

  static constexpr uint64_t records = 1'000;  // as many as ours has servers
  std::string room_ = std::string(64 * 1024, 'x');
  MDB_dbi log_ = 0, records_ = 0, operations_ = 0, audit_ = 0;
  zmq::context_t context_;
  zmq::socket_t router_, pub_;
  MDB_env* env_ = nullptr;
  MDB_dbi dbi_ = 0;
  uint64_t seq_ = 0;
};

}  // namespace

std::string floor_edit_message(const edit_bytes& b, size_t bytes) {
  std::string out(std::max(bytes, sizeof b + 1), floor_edit);
  std::memcpy(out.data() + 1, &b, sizeof b);
  return out;
}

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
