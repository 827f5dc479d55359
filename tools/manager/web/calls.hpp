// Requests of the web door to the node, and their answers back.
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
  static constexpr size_t waits_max = 1'000;  // of one caller, for the ends of operations

  void open(manager::node& to) { node_.store(&to); }
  // Returns the name by which the call can be forgotten.
  std::string ask(asked what, answered then);
  void forget(const std::string& call);  // the client has hung up: the answer is not needed any more
  void forget_all();                     // no open call is answered any more
  bool reply(const rt::peer& to, rt::answer kind, std::string body) override;

  // Whether it is answered when an operation ends, and not before.
  static bool waits(const asked& what) { return what.options.wait || what.verb == "op.wait"; }

 private:
  struct waiting {
    answered then;
    std::string waits;  // id of the principal that waits; empty: it is no wait
  };
  answered taken(const std::string& call);  // empty: it has been answered, or was forgotten

  std::atomic<manager::node*> node_{nullptr};
  std::mutex mutex_;
  std::unordered_map<std::string, waiting> waiting_;  // by connection: each call is one
  std::unordered_map<std::string, size_t> waits_of_;
  uint64_t last_ = 0;
};

}  // namespace zedops::app
