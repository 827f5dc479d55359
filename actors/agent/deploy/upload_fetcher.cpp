#include "actors/agent/deploy/upload_fetcher.hpp"

#include <algorithm>
#include <deque>

namespace zedops::agent {

using namespace msg;

namespace {
constexpr std::chrono::milliseconds look_every{100};  // whether it was cancelled
constexpr size_t pieces_at_once = 4;
}  // namespace

void upload_fetcher::send_by(std::function<void(fetch_upload)> send) {
  std::lock_guard guard(mutex_);
  send_ = std::move(send);
}

// Questions that are not answered yet, in the order of the pieces. Used with the lock held.
class upload_fetcher::questions {
 public:
  explicit questions(upload_fetcher& f) : fetcher_(f) {}
  ~questions() { drop(); }
  questions(const questions&) = delete;
  questions& operator=(const questions&) = delete;

  void ask(const upload_id& id, uint64_t offset) {
    all_.push_back({++fetcher_.requests_, id, offset});
    fetcher_.open_[all_.back().request] = std::nullopt;
    if (fetcher_.send_) fetcher_.send_(all_.back());
  }
  // Under the same numbers: on a slow line the answer to the first question may still come, and counts.
  void repeat() {
    for (const auto& q : all_)
      if (!fetcher_.open_[q.request] && fetcher_.send_) fetcher_.send_(q);
  }
  size_t size() const { return all_.size(); }
  uint64_t first() const { return all_.front().request; }
  void first_is_done() {
    fetcher_.open_.erase(first());
    all_.pop_front();
  }
  void drop() {
    for (const auto& q : all_) fetcher_.open_.erase(q.request);
    all_.clear();
  }

 private:
  upload_fetcher& fetcher_;
  std::deque<fetch_upload> all_;
};

std::optional<upload_piece> upload_fetcher::wait_for(std::unique_lock<std::mutex>& lock, uint64_t question,
                                                     const cancel_token& cancel) {
  const auto until = std::chrono::steady_clock::now() + again_after_;
  auto& answer = open_[question];
  while (!answer && !cancel.cancelled() && std::chrono::steady_clock::now() < until)
    changed_.wait_for(lock, std::min<std::chrono::milliseconds>(look_every, again_after_));
  return std::move(answer);
}

// The next pieces are on their way while one is written.
result<void> upload_fetcher::read(const upload_id& id, uint64_t from, uint64_t to, const cancel_token& cancel,
                                  const take_fn& take) {
  std::unique_lock lock(mutex_);
  questions asked(*this);
  auto next = from;  // offset of the piece to ask for next
  while (from < to) {
    for (; asked.size() < pieces_at_once && next < to; next += upload_piece_max) asked.ask(id, next);
    const auto piece = wait_for(lock, asked.first(), cancel);
    if (cancel.cancelled()) return fail(ec::cancelled, "cancelled while the source was being fetched");
    if (!piece) {  // the manager is away, or an answer was lost
      asked.repeat();
      continue;
    }
    asked.first_is_done();
    if (piece->failure) return fail(*piece->failure);
    if (piece->data.empty() || piece->data.size() > to - from)
      return fail(ec::bad_request, "the length of the upload differs from its record",
                  "upload it again, then deploy that");
    lock.unlock();
    auto taken = take(piece->data);
    lock.lock();
    if (!taken) return taken;
    from += piece->data.size();
    if (piece->data.size() != upload_piece_max && from < to) {  // the pieces asked for do not follow this one
      asked.drop();
      next = from;
    }
  }
  return {};
}

void upload_fetcher::answered(upload_piece piece) {
  std::lock_guard guard(mutex_);
  auto i = open_.find(piece.request);
  if (i == open_.end()) return;
  i->second = std::move(piece);
  changed_.notify_all();
}

}  // namespace zedops::agent
