#include "tools/zedctl/exchange.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "messages/wire/codec.hpp"

namespace zedops::ctl {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds slice = 100ms;  // how long Ctrl-C may go unnoticed
constexpr milliseconds pause_min = 100ms;
constexpr milliseconds pause_max = 2s;

msg::error silent_error(const exchange& x) {
  return {msg::ec::timeout,
          fmt::format("the manager did not answer {} requests for {}", attempts_max, x.verb),
          "it is not known whether it was carried out: see zedctl op ls, and check the manager with zedctl doctor",
          {}};
}

}  // namespace

ending exchanger::run(std::vector<exchange>& all, std::optional<msg::duration> limit, const exchange_listener& listener,
                      size_t at_once) {
  all_ = &all;
  at_once_ = at_once;
  states_.assign(all.size(), {});
  in_flight_.clear();
  next_ = 0;
  done_ = static_cast<size_t>(std::ranges::count_if(all, [](const exchange& x) { return x.outcome.has_value(); }));
  lost_.reset();
  until_ = limit ? std::optional(world_.ticks() + *limit) : std::nullopt;
  for (auto& x : all)
    if (x.key.empty()) x.key = world_.random_key();
  auto looked = world_.ticks();
  for (;;) {
    send_more();
    if (lost_ && !reconnect(*lost_, listener)) {
      if (!world_.interrupted()) fail_open(*lost_);
    }
    if (done_ == all.size()) return ending::done;
    if (world_.interrupted()) return ending::interrupted;
    auto now = world_.ticks();
    if (until_ && now >= *until_) return ending::timed_out;
    auto reply = transport_.receive(until_ ? std::min(slice, *until_ - now) : slice);
    if (!reply) lost_ = reply.error();
    else if (*reply) deliver(**reply, listener);
    if (world_.ticks() - looked < slice) continue;  // also while replies come without a pause
    looked = world_.ticks();
    resend_silent();
    listener.idle();
  }
}

void exchanger::end(size_t index, msg::result<std::string> outcome) {
  in_flight_.erase(states_[index].request_id);
  (*all_)[index].outcome = std::move(outcome);
  ++done_;
}

void exchanger::fail_open(const msg::error& why) {
  for (size_t i = 0; i < all_->size(); ++i) {
    if ((*all_)[i].outcome) continue;
    auto e = why;
    if (e.operation.empty()) e.operation = (*all_)[i].operation;
    end(i, msg::fail(std::move(e)));
  }
}

void exchanger::send(size_t index) {
  auto& x = (*all_)[index];
  auto& s = states_[index];
  bus::send_options options;
  options.idempotency_key = x.key;
  options.options = x.options;
  if (until_) options.deadline = std::max(*until_ - world_.ticks(), 1ms);
  else if (x.expect != answer::accepted) options.deadline = operation_deadline;
  auto id = transport_.post(x.verb, x.make_body ? x.make_body() : x.body, options);
  if (!id) {
    if (id.error().code == msg::ec::agent_unreachable) lost_ = id.error();
    else end(index, msg::fail(id.error()));
    return;
  }
  in_flight_.erase(s.request_id);
  in_flight_[*id] = index;
  s = {*id, world_.ticks(), s.attempts + 1, false};
}

void exchanger::send_more() {
  // One that cannot be sent counts, too: the caller looks at the time and at Ctrl-C in between.
  for (size_t open = in_flight_.size(); next_ < all_->size() && open < at_once_ && !lost_;) {
    if (!(*all_)[next_].outcome) send(next_), ++open;
    if (!lost_) ++next_;
  }
}

void exchanger::resend_silent() {
  for (size_t i = 0; i < next_ && !lost_; ++i) {
    auto& x = (*all_)[i];
    auto& s = states_[i];
    if (x.outcome || s.request_id.empty() || s.heard || x.expect == answer::patient) continue;
    if (world_.ticks() - s.sent_at < answer_max) continue;
    if (s.attempts >= attempts_max) end(i, msg::fail(silent_error(x)));
    else send(i);
  }
}

// The open requests are forgotten and sent again, with their keys, as soon as the manager is back.
bool exchanger::reconnect(const msg::error& why, const exchange_listener& listener) {
  bool ever_heard = std::ranges::any_of(states_, [](const state& s) { return s.attempts > 0; });
  if (!ever_heard) return false;
  listener.notice("connection to the manager lost; waiting for it to come back");
  auto give_up = world_.ticks() + reconnect_max;
  if (until_) give_up = std::min(give_up, *until_);
  msg::error last = why;
  for (auto wait = pause_min; world_.ticks() < give_up && !world_.interrupted(); wait = std::min(wait * 2, pause_max)) {
    world_.pause(wait);
    lost_.reset();
    for (auto& s : states_) s = {{}, {}, s.attempts > 0 ? 1u : 0u, false};
    in_flight_.clear();
    next_ = 0;
    send_more();
    if (!lost_) {
      listener.notice("connected again");
      return true;
    }
    last = *lost_;
  }
  lost_ = last;
  return false;
}

void exchanger::deliver(const bus::reply& reply, const exchange_listener& listener) {
  const auto found = in_flight_.find(reply.request_id);
  if (found == in_flight_.end()) return;  // a late answer to a request that was sent again, or has its outcome
  const auto i = found->second;
  auto& x = (*all_)[i];
  states_[i].heard = true;
  switch (reply.kind) {
    case bus::reply_kind::accepted: {
      auto r = msg::unpack_map<msg::operation_reply>(reply.body);
      if (r) x.operation = r->operation.id.value;
      if (r) listener.progress(i, r->operation);
      if (x.expect == answer::accepted) end(i, reply.body);
      return;
    }
    case bus::reply_kind::progress: {
      auto op = msg::unpack_map<msg::operation_view>(reply.body);
      if (op) x.operation = op->id.value;
      if (op) listener.progress(i, *op);
      return;
    }
    case bus::reply_kind::result:
      end(i, reply.body);
      listener.ended(i);
      return;
    case bus::reply_kind::error: {
      auto e = msg::unpack_map<msg::error>(reply.body);
      end(i, msg::fail(e ? std::move(*e) : e.error()));
      listener.ended(i);
      return;
    }
    case bus::reply_kind::chunk: return;
  }
}

}  // namespace zedops::ctl
