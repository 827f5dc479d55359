#include "bus/follower.hpp"

namespace zedops::bus {

event_follower::event_follower(std::optional<cursor> since, subject_seq_fn subject_seq)
    : subject_seq_(std::move(subject_seq)), base_(since), healing_(since.has_value()) {}

event_follower event_follower::of_everything(std::optional<cursor> since) { return {since, {}}; }

event_follower event_follower::of_subjects(std::optional<cursor> since, subject_seq_fn subject_seq) {
  return {since, std::move(subject_seq)};
}

void event_follower::add_gap(event_gap::why reason, cursor after, cursor through) {
  out_.push_back(event_gap{reason, after, through});
}

// Only the history itself says that it started anew: a live event of another epoch may be a straggler.
void event_follower::enter_epoch(uint64_t epoch) {
  cursor start{epoch, 0};
  add_gap(event_gap::why::epoch_changed, *base_, start);
  base_ = start;
  subject_last_.clear();
  unconfirmed_ = 0;
  gap_through_ = 0;
  healing_ = true;
}

bool event_follower::next_in_line(const raw_event& event, std::optional<uint64_t> subject_seq) const {
  if (!subject_seq_) return event.at.seq == base_->seq + 1;
  if (!subject_seq) return false;
  auto last = subject_last_.find(event.topic);
  return *subject_seq == (last == subject_last_.end() ? 1 : last->second.subject_seq + 1);
}

void event_follower::deliver(raw_event event, std::optional<uint64_t> subject_seq) {
  if (!subject_seq_) {
    base_->seq = event.at.seq;
  } else if (subject_seq) {
    subject_last_[event.topic] = {*subject_seq, event.at.seq};
  }
  out_.push_back(std::move(event));
}

void event_follower::on_live(raw_event event) {
  if (!base_) base_ = cursor{event.at.epoch, event.at.seq - (event.at.seq > 0)};
  if (event.at.epoch != base_->epoch) healing_ = true;
  if (healing_ || event.at.seq <= base_->seq) return;
  auto subject_seq = subject_seq_ ? subject_seq_(event) : std::nullopt;
  if (next_in_line(event, subject_seq)) {
    deliver(std::move(event), subject_seq);
    // A filtered stream proves nothing of the subjects that are silent: now and then the history has to.
    if (subject_seq_ && (++unconfirmed_ > unconfirmed_max || subject_last_.size() > subjects_max)) healing_ = true;
    return;
  }
  auto last = subject_last_.find(event.topic);
  bool seen = subject_seq && last != subject_last_.end() && *subject_seq <= last->second.subject_seq;
  if (!seen) healing_ = true;
}

void event_follower::on_head(cursor newest) {
  if (!base_) base_ = newest;
  if (newest.epoch != base_->epoch || newest.seq > base_->seq) healing_ = true;
}

void event_follower::on_quiet() {
  if (base_) healing_ = true;
}

void event_follower::deliver_replayed(raw_event event) {
  if (event.at.epoch != base_->epoch || event.at.seq <= base_->seq) return;
  if (!subject_seq_) {
    if (!next_in_line(event, {})) add_gap(event_gap::why::missing, *base_, {base_->epoch, event.at.seq - 1});
    return deliver(std::move(event), {});
  }
  auto subject_seq = subject_seq_(event);
  auto last = subject_last_.find(event.topic);
  if (subject_seq && last != subject_last_.end()) {
    if (*subject_seq <= last->second.subject_seq) return;  // came out live already
    bool told = last->second.seq <= gap_through_;
    if (*subject_seq != last->second.subject_seq + 1 && !told)
      add_gap(event_gap::why::missing, {base_->epoch, last->second.seq}, {base_->epoch, event.at.seq - 1});
  }
  deliver(std::move(event), subject_seq);
}

void event_follower::on_page(replay_page page) {
  if (!base_) return;
  if (page.through.epoch != base_->epoch) return enter_epoch(page.through.epoch);  // to be asked from its start
  if (page.through.seq < base_->seq) {
    // The history ends before what we have seen of it: it was restored to an earlier state under the same epoch.
    add_gap(event_gap::why::epoch_changed, *base_, page.through);
    base_ = page.through;
    subject_last_.clear();
    unconfirmed_ = 0;
    gap_through_ = 0;
    healing_ = !page.complete;
    return;
  }
  if (page.gap && page.gap->through.epoch == base_->epoch && page.gap->through.seq > base_->seq) {
    add_gap(page.gap->reason, *base_, page.gap->through);
    base_ = page.gap->through;
    gap_through_ = base_->seq;
  }
  for (auto& event : page.events) deliver_replayed(std::move(event));
  if (page.through.seq > base_->seq) {
    if (!subject_seq_) add_gap(event_gap::why::missing, *base_, page.through);
    base_ = page.through;
  }
  healing_ = !page.complete;
  if (healing_) return;
  unconfirmed_ = 0;
  if (subject_last_.size() > subjects_max) subject_last_.clear();
}

std::optional<follow_item> event_follower::pop() {
  if (out_.empty()) return std::nullopt;
  auto item = std::move(out_.front());
  out_.pop_front();
  return item;
}

}  // namespace zedops::bus
