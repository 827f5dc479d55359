// Asks the manager for pieces of uploads, over the link that the core owns.
#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>

#include "actors/agent/deploy/site_world.hpp"
#include "messages/wire/link.hpp"

namespace zedops::agent {

inline constexpr std::chrono::seconds piece_time_max{10};  // then it is asked for again

class upload_fetcher final : public upload_source {
 public:
  explicit upload_fetcher(std::chrono::milliseconds again_after = piece_time_max) : again_after_(again_after) {}
  // How a question is sent: runs in the core, some time after.
  void send_by(std::function<void(msg::fetch_upload)> send);
  msg::result<void> read(const msg::upload_id& id, uint64_t from, uint64_t to, const cancel_token& cancel,
                         const take_fn& take) override;
  void answered(msg::upload_piece piece);

 private:
  class questions;
  std::optional<msg::upload_piece> wait_for(std::unique_lock<std::mutex>& lock, uint64_t question,
                                            const cancel_token& cancel);

  std::chrono::milliseconds again_after_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void(msg::fetch_upload)> send_;
  uint64_t requests_ = 0;
  std::map<uint64_t, std::optional<msg::upload_piece>> open_;
};

}  // namespace zedops::agent
