#include "actors/agent/deploy/upload_fetcher.hpp"

#include <algorithm>
#include <array>

namespace zedops::agent {

using namespace msg;

namespace {
constexpr std::chrono::milliseconds look_every{100};  // whether it was called off
constexpr size_t pieces_at_once = 4;
}  // namespace

void upload_fetcher::send_by(std::function<void(fetch_upload)> send) {
  std::lock_guard guard(mutex_);
  send_ = std::move(send);
}

// Several pieces are asked for at once, so that one is on its way while another is read. What follows a short one, or
// one that did not come, is left for the next time.
result<std::string> upload_fetcher::fetch(const upload_id& id, uint64_t offset, const cancel_token& cancel) {
  std::unique_lock lock(mutex_);
  for (;;) {
    std::array<uint64_t, pieces_at_once> asked{};
    for (size_t i = 0; i < asked.size(); ++i) {
      asked[i] = ++requests_;
      open_[asked[i]] = std::nullopt;
      if (send_) send_({asked[i], id, offset + i * upload_piece_max});
    }
    const auto all_here = [&] { return std::ranges::all_of(asked, [&](uint64_t n) { return open_[n].has_value(); }); };
    const auto until = std::chrono::steady_clock::now() + piece_time_max;
    while (!all_here() && !cancel.cancelled() && std::chrono::steady_clock::now() < until)
      changed_.wait_for(lock, look_every);
    std::string data;
    std::optional<error> failure;
    bool whole = true;  // all so far were pieces of full size
    for (const auto n : asked) {
      auto got = std::move(open_[n]);
      open_.erase(n);
      if (!whole) continue;
      whole = got && !got->failure && got->data.size() == upload_piece_max;
      if (got && got->failure && data.empty()) failure = std::move(got->failure);
      else if (got && !got->failure) data += got->data;
    }
    if (cancel.cancelled()) return fail(ec::cancelled, "called off while the source was fetched");
    if (failure) return fail(std::move(*failure));
    if (!data.empty()) return data;  // else the manager is away, or its answer was lost
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
