#include "tools/manager/web/calls.hpp"

#include "messages/wire/codec.hpp"

namespace zedops::app {

void calls::ask(asked what, answered then) {
  rt::client_call call;
  call.by = std::move(what.by);
  call.verb = std::move(what.verb);
  call.body = std::move(what.body);
  call.options = msg::pack_map(what.options);
  call.idempotency_key = std::move(what.idempotency_key);
  {
    std::lock_guard lock(mutex_);
    call.who = {this, std::to_string(++last_), {}};
    waiting_.emplace(call.who.connection, std::move(then));
  }
  node_.load()->request(std::move(call));
}

void calls::forget_all() {
  std::unordered_map<std::string, answered> all;
  std::lock_guard lock(mutex_);
  all.swap(waiting_);
}

bool calls::reply(const rt::peer& to, rt::answer kind, std::string body) {
  if (kind != rt::answer::result && kind != rt::answer::error) return true;  // what it goes through on its way
  answered then;
  {
    std::lock_guard lock(mutex_);
    const auto i = waiting_.find(to.connection);
    if (i == waiting_.end()) return false;
    then = std::move(i->second);
    waiting_.erase(i);
  }
  then(kind, body);
  return true;
}

}  // namespace zedops::app
