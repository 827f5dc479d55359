// What hosts and servers have used: samples of the last half hour, and averages of them for three days, coarser with
// age. In a store of its own, which nothing else waits for; losing it costs a gap in a chart.
#pragma once
#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "messages/api/views.hpp"
#include "messages/records/usage.hpp"
#include "messages/wire/link.hpp"
#include "persistence/store.hpp"

namespace zedops::manager {

struct usage_tier {
  msg::duration every{};  // one point for each
  msg::duration kept{};
};
// The first takes samples as they come, each of the others is the average of the one before it.
inline constexpr std::array usage_tiers{
    usage_tier{std::chrono::seconds(3), std::chrono::minutes(30)},
    usage_tier{std::chrono::minutes(1), std::chrono::hours(3)},
    usage_tier{std::chrono::minutes(5), std::chrono::hours(12)},
    usage_tier{std::chrono::minutes(15), std::chrono::hours(72)},
};
inline constexpr size_t usage_waiting_max = 100'000;  // samples that are not on disk yet; more are dropped
inline constexpr msg::duration usage_commit_every{15'000};

class usage_book {
 public:
  using opener = std::function<msg::result<std::unique_ptr<store::store>>()>;
  explicit usage_book(opener how) : how_(std::move(how)) {}

  // Until then nothing is written, and readers find what waits in memory. After a crash opening takes a while: no start
  // of a manager waits for it. By the thread that commits.
  msg::result<void> open();

  // From any thread; visible to readers at once.
  void take(const msg::agent_id& from, const msg::usage& used, msg::time_point now);
  // Writes what was taken, makes the averages that are due, drops what is too old. By one thread.
  msg::result<void> commit(msg::time_point now);

  // Of an agent's host or of a server, by its id; points of an interval that has not ended do not exist yet.
  msg::result<std::vector<msg::usage_point>> points(const std::string& entity, const usage_tier& of, msg::duration last,
                                                    msg::time_point now) const;
  // The finest tier that goes back that far.
  static const usage_tier& tier_for(msg::duration last);

  // What this host used by its last report; nothing: it has not reported within a minute before `now`.
  std::optional<msg::usage_sample> newest(const msg::agent_id& host, msg::time_point now) const;

  // Whether this agent has reported its usage since this manager started.
  bool tells(const msg::agent_id& agent) const;

 private:
  msg::result<void> write_waiting(msg::time_point now);
  msg::result<void> write(const std::map<std::string, std::string>& rows);
  msg::result<void> average(size_t tier, msg::time_point now);
  msg::result<void> trim(size_t tier, msg::time_point now);
  msg::result<size_t> drop_before(size_t tier, msg::time_point t);

  const opener how_;
  std::unique_ptr<store::store> owned_;
  std::atomic<store::store*> store_{nullptr};
  mutable std::mutex mutex_;
  std::map<std::string, std::string> waiting_;  // keys and values
  std::map<msg::agent_id, std::pair<msg::time_point, msg::usage_sample>> newest_;
};

}  // namespace zedops::manager
