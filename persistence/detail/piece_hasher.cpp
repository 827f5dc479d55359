#include "persistence/detail/piece_hasher.hpp"

#include <string_view>

namespace zedops::store::detail {

piece_hasher::piece_hasher() : thread_([this] { run(); }) {}
piece_hasher::~piece_hasher() {
  {
    std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void piece_hasher::add(const std::string& upload, uint64_t offset, std::string data) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return pieces_.size() < pieces_max; });
    pieces_.push_back({upload, offset, std::move(data)});
  }
  changed_.notify_all();
}

std::optional<std::string> piece_hasher::take(const std::string& upload, uint64_t bytes) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return pieces_.empty(); });
  auto found = hashes_.extract(upload);
  if (!found || found.mapped().upto != bytes) return std::nullopt;
  return found.mapped().hash.hex();
}

void piece_hasher::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return ends_ || !pieces_.empty(); });
    if (ends_) return;
    const auto& next = pieces_.front();
    lock.unlock();
    hash(next);
    lock.lock();
    pieces_.pop_front();
    changed_.notify_all();
  }
}

void piece_hasher::hash(const piece& p) {
  auto& h = hashes_[p.upload];
  const auto end = p.offset + p.data.size();
  if (p.offset > h.upto || end <= h.upto) return;  // what comes before arrived in another process; or nothing is new
  h.hash.add(std::string_view(p.data).substr(h.upto - p.offset));
  h.upto = end;
}

}  // namespace zedops::store::detail
