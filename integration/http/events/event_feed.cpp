#include "integration/http/events/event_feed.hpp"

namespace zedops::web {

std::string sse_text(const std::string& id, const std::string& type, const std::string& data) {
  std::string out;
  out.reserve(id.size() + type.size() + data.size() + 32);
  if (!id.empty()) (out += "id: ") += id + '\n';
  if (!type.empty()) (out += "event: ") += type + '\n';
  // Line by line: data must not be able to end the event.
  size_t at = 0;
  do {
    const auto end = data.find_first_of("\r\n", at);
    ((out += "data: ").append(data, at, end == data.npos ? data.npos : end - at)) += '\n';
    at = end == data.npos ? data.npos : end + 1;
  } while (at != data.npos);
  return out += '\n';
}

void event_feed::begin_after(uint64_t seq) {
  kept_.clear();
  newest_ = seq;
}

void event_feed::push(live_event e) {
  newest_ = e.seq;
  for (const auto& [id, r] : readers_) give(r, e);
  kept_.push_back(std::move(e));
  if (kept_.size() > kept_max_) kept_.pop_front();
}

std::optional<uint64_t> event_feed::join(event_filter filter, uint64_t seq, sink to) {
  const uint64_t oldest = kept_.empty() ? newest_ + 1 : kept_.front().seq;
  if (seq + 1 < oldest) return std::nullopt;
  for (const auto& e : kept_)
    if (e.seq > seq && filter.wants(e) && !(filter.record ? e.record : e.plain)) return std::nullopt;
  reader r{std::move(filter), std::move(to), seq};
  for (const auto& e : kept_) give(r, e);
  readers_.emplace(next_reader_, std::move(r));
  return next_reader_++;
}

void event_feed::leave(uint64_t who) {
  const auto i = readers_.find(who);
  if (i == readers_.end()) return;
  readers_.erase(i);
}

}  // namespace zedops::web
