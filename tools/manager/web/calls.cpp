#include "tools/manager/web/calls.hpp"

#include "messages/wire/codec.hpp"

namespace zedops::app {

std::string calls::ask(asked what, answered then) {
  const bool wait = waits(what);
  rt::client_call call;
  call.by = std::move(what.by);
  call.verb = std::move(what.verb);
  call.body = std::move(what.body);
  call.options = msg::pack_map(what.options);
  call.idempotency_key = std::move(what.idempotency_key);
  const auto by = call.by;
  bool too_many = false;
  {
    std::lock_guard lock(mutex_);
    call.who = {this, std::to_string(++last_), {}};
    too_many = wait && waits_of_[by->id] >= waits_max;
    if (!too_many) waiting_.emplace(call.who.connection, waiting{std::move(then), wait ? by->id : std::string{}});
    if (!too_many && wait) ++waits_of_[by->id];
  }
  const auto name = call.who.connection;
  if (too_many)
    then(rt::answer::error,
         msg::pack_map(msg::error{msg::ec::rate_limited,
                                  by->id + " waits for " + std::to_string(waits_max) + " operations already",
                                  "send it without waiting, and check the operation later",
                                  {}}));
  else node_.load()->request(std::move(call));
  return name;
}

answered calls::taken(const std::string& call) {
  std::lock_guard lock(mutex_);
  auto found = waiting_.extract(call);
  if (!found) return {};
  if (const auto his = waits_of_.find(found.mapped().waits); his != waits_of_.end() && --his->second == 0)
    waits_of_.erase(his);
  return std::move(found.mapped().then);
}

void calls::forget(const std::string& call) {
  if (taken(call)) node_.load()->client_lost({call, this});
}

void calls::forget_all() {
  std::unordered_map<std::string, waiting> all;
  std::lock_guard lock(mutex_);
  all.swap(waiting_);
  waits_of_.clear();
}

bool calls::reply(const rt::peer& to, rt::answer kind, std::string body) {
  if (kind != rt::answer::result && kind != rt::answer::error) {  // acceptance and progress
    std::unique_lock lock(mutex_);
    if (waiting_.contains(to.connection)) return true;
    lock.unlock();
    // Forgotten before its wait had begun: the sender learns it now.
    node_.load()->client_lost({to.connection, this});
    return false;
  }
  const auto then = taken(to.connection);
  if (!then) return false;
  then(kind, body);
  return true;
}

}  // namespace zedops::app
