// Asks the manager for pieces of uploads, over the link that the core owns.
#pragma once
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
  // How a question is sent: runs in the core, some time after.
  void send_by(std::function<void(msg::fetch_upload)> send);
  msg::result<std::string> fetch(const msg::upload_id& id, uint64_t offset, const cancel_token& cancel) override;
  void answered(msg::upload_piece piece);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void(msg::fetch_upload)> send_;
  uint64_t requests_ = 0;
  std::map<uint64_t, std::optional<msg::upload_piece>> open_;
};

}  // namespace zedops::agent
