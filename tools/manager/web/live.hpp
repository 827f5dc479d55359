// Events over HTTP (text/event-stream): one follower of the hub for all readers, while there are any.
#pragma once
#include <deque>
#include <map>
#include <mutex>

#include "actors/core/access.hpp"
#include "actors/manager/deps.hpp"
#include "integration/http/events/event_feed.hpp"
#include "integration/http/transport/server.hpp"
#include "tools/manager/web/callers.hpp"

namespace zedops::app {

class live final : public rt::door {
 public:
  live(const manager::shared& world, const callers& known, calls& to) : world_(world), callers_(known), calls_(to) {}
  void open(manager::node& node, web::server& server);

  // On the server's thread.
  void begin(std::shared_ptr<web::exchange> e, caller who);
  void beat();  // every few seconds: sends the time, and drops readers that may not listen any more
  // From any thread: all readers, and those that at the last beat still read from the store to catch up.
  uint64_t readers() const { return count_.load(); }
  uint64_t behind() const { return behind_.load(); }

  void forget_all();  // once the server has stopped
  bool reply(const rt::peer& to, rt::answer kind, std::string body) override;

 private:
  struct reader {
    std::shared_ptr<web::exchange> to;
    caller who;
    web::event_filter filter;
    uint64_t from = 0;                // the reader has all events up to this one
    std::optional<uint64_t> in_feed;  // empty: it still reads from the store
    bool asking = false;
  };
  using reader_ptr = std::shared_ptr<reader>;

  void begin_following(const std::string& body);
  void end_following();
  void take_some();
  void start_following();
  void stop_following();
  void go_on(const reader_ptr& r);
  void took_page(const reader_ptr& r, rt::answer kind, const std::string& body);
  void leave(const reader_ptr& r);
  void push(std::vector<msg::event> events);
  static std::string about(const msg::event& e);
  web::text_ptr text_of(const msg::event& e, bool with_record) const;
  std::string record_of(const std::string& subject) const;
  core::access_subject place_of(const std::string& subject) const;
  web::live_event placed(const msg::event& e) const;  // without its texts

  const manager::shared& world_;
  const callers& callers_;
  calls& calls_;
  manager::node* node_ = nullptr;
  web::server* server_ = nullptr;
  web::event_feed feed_;
  std::vector<reader_ptr> readers_;
  std::atomic<uint64_t> count_{0}, behind_{0};
  size_t count_record_ = 0;  // of readers that want records
  enum class state { resting, starting, following } following_ = state::resting;
  uint64_t follower_ = 0;  // number of our follower at the hub: messages of an earlier one are ignored

  // Events on their way from the hub's thread to the server's. Above `arrived_max` they are read from the store.
  static constexpr size_t arrived_max = 20'000, taken_at_once = 256;
  std::mutex mutex_;
  using arrival = std::pair<rt::answer, std::string>;
  std::deque<arrival> arrived_;
  std::string heard_;  // the follower that these events belong to
  bool taking_ = false;
  int idle_beats_ = 0;
};

}  // namespace zedops::app
