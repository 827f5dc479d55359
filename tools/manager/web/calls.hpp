// Requests of the web door to the node, and the way of their answers back.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "actors/manager/node.hpp"
#include "actors/runtime/ports.hpp"

namespace zedops::app {

using principal_ptr = std::shared_ptr<const msg::principal>;

struct asked {
  principal_ptr by;
  std::string verb;
  std::string body;  // MessagePack map
  msg::request_options options{};
  std::string idempotency_key{};
};
// The result, or the error. From any thread, once.
using answered = std::function<void(rt::answer kind, const std::string& body)>;

class calls final : public rt::door {
 public:
  void open(manager::node& to) { node_.store(&to); }
  void ask(asked what, answered then);
  void forget_all();  // nobody hears of what was asked
  bool reply(const rt::peer& to, rt::answer kind, std::string body) override;

 private:
  std::atomic<manager::node*> node_{nullptr};
  std::mutex mutex_;
  std::unordered_map<std::string, answered> waiting_;  // by connection
  uint64_t last_ = 0;
};

}  // namespace zedops::app
