#include "actors/agent/deploy/upload_fetcher.hpp"

namespace zedops::agent {

using namespace msg;

namespace {
constexpr std::chrono::milliseconds look_every{100};  // whether it was called off
}  // namespace

void upload_fetcher::send_by(std::function<void(fetch_upload)> send) {
  std::lock_guard guard(mutex_);
  send_ = std::move(send);
}

result<std::string> upload_fetcher::fetch(const upload_id& id, uint64_t offset, const cancel_token& cancel) {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto n = ++requests_;
    open_[n] = std::nullopt;
    if (send_) send_({n, id, offset});
    const auto until = std::chrono::steady_clock::now() + piece_time_max;
    while (!open_[n] && !cancel.cancelled() && std::chrono::steady_clock::now() < until)
      changed_.wait_for(lock, look_every);
    auto got = std::move(open_[n]);
    open_.erase(n);
    if (cancel.cancelled()) return fail(ec::cancelled, "called off while the source was fetched");
    if (!got) continue;  // the manager is away, or its answer was lost
    if (got->failure) return fail(std::move(*got->failure));
    return std::move(got->data);
  }
}

void upload_fetcher::answered(upload_piece piece) {
  std::lock_guard guard(mutex_);
  auto i = open_.find(piece.request);
  if (i == open_.end()) return;
  i->second = std::move(piece);
  changed_.notify_all();
}

}  // namespace zedops::agent
