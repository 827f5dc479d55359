// Signing in and out, on a thread of its own: each password costs a tenth of a second and 19 MiB, on purpose, and the
// result is written to disk.
#pragma once
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "actors/manager/node.hpp"
#include "actors/runtime/ports.hpp"
#include "bus/security/accounts.hpp"
#include "integration/http/transport/server.hpp"

namespace zedops::app {

// How often a client may try: for each name, and for each address.
class sign_in_limits {
 public:
  using time = std::chrono::steady_clock::time_point;
  static constexpr size_t per_name = 10, per_address = 30, remembered_max = 10'000;
  static constexpr std::chrono::minutes window{5};
  bool admit(const std::string& name, const std::string& address, time now);
  void succeeded(const std::string& name, const std::string& address);

 private:
  struct tries {
    size_t count = 0;
    time since{};
  };
  bool admit(const std::string& key, size_t max, time now);
  std::map<std::string, tries> by_key_;
};

class sign_in {
 public:
  sign_in(bus::account_book& book, rt::wall_clock& clock, std::string cookie, manager::node& node);
  ~sign_in();
  sign_in(const sign_in&) = delete;
  sign_in& operator=(const sign_in&) = delete;

  // {"user", "password"}, or {"link", "password"} to choose one. The answer sets the cookie.
  void begin(std::shared_ptr<web::exchange> e);
  void end(std::shared_ptr<web::exchange> e, std::string user, std::string secret);

 private:
  static constexpr size_t waiting_max = 64;
  struct job {
    std::shared_ptr<web::exchange> from;
    std::string user;  // whose session ends
    std::string ends;  // its secret; empty: one is to begin
  };
  void take(job j);
  void run();
  void check(web::exchange& e);
  void sign_out(web::exchange& e, const std::string& user, const std::string& secret);
  void put_on_record(std::string_view verb, const std::string& user, const web::exchange& e,
                     const std::optional<msg::error>& failure);
  std::string cookie_header(const std::string& secret, bool secure) const;

  bus::account_book& book_;
  rt::wall_clock& clock_;
  manager::node& node_;
  const std::string cookie_;
  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<job> waiting_;
  bool stopping_ = false;
  sign_in_limits limits_;  // of the thread
  std::thread thread_;
};

}  // namespace zedops::app
