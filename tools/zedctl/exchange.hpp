// Requests in flight, several at once: sent, followed, sent again under the same idempotency key when an answer or the
// connection was lost, until each has its outcome. The manager answers a repeated key with the same operation, so
// nothing is done twice.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "messages/api/views.hpp"
#include "tools/zedctl/world.hpp"

namespace zedops::ctl {

inline constexpr size_t in_flight_max = 64;                                 // requests open at a time
inline constexpr unsigned attempts_max = 3;                                 // of one request without any answer
inline constexpr std::chrono::milliseconds answer_max{10'000};              // silence before a request is sent again
inline constexpr std::chrono::milliseconds reconnect_max{30'000};           // for the manager to come back
inline constexpr std::chrono::milliseconds operation_deadline{86'000'000};  // waits for operations without --timeout

enum class answer : uint8_t {
  prompt,    // comes at once, or something was lost: the request is sent again after answer_max
  patient,   // may take long, without a sign of life meanwhile: sent again only when the connection broke
  accepted,  // the acceptance of the operation is the answer (--no-wait)
};

struct exchange {
  std::string name;  // what the user calls it
  std::string verb;
  std::string body;
  std::function<std::string()> make_body;  // instead of `body`, for large ones: made each time it is sent
  std::string options;                     // MessagePack map or empty
  answer expect = answer::prompt;
  std::string key;  // idempotency key; empty: one is made

  std::string operation;                            // its id, once accepted
  std::optional<msg::result<std::string>> outcome;  // body of the result; nothing: interrupted before it came
};

enum class ending : uint8_t { done, interrupted, timed_out };

struct exchange_listener {
  std::function<void(size_t index, const msg::operation_view&)> progress = [](size_t, const msg::operation_view&) {};
  std::function<void(size_t index)> ended = [](size_t) {};                     // it has its outcome
  std::function<void()> idle = [] {};                                          // nothing came for a moment
  std::function<void(const std::string&)> notice = [](const std::string&) {};  // "connection lost; waiting"
};

class exchanger {
 public:
  exchanger(world& w, transport& t) : world_(w), transport_(t) {}

  // `limit`: for all of them together; none: each may take as long as it needs. `at_once`: open at a time.
  ending run(std::vector<exchange>& all, std::optional<msg::duration> limit, const exchange_listener& listener,
             size_t at_once = in_flight_max);

 private:
  struct state {
    std::string request_id;
    std::chrono::milliseconds sent_at{};
    unsigned attempts = 0;
    bool heard = false;
  };
  void send(size_t index);
  void end(size_t index, msg::result<std::string> outcome);
  void send_more();
  void resend_silent();
  void deliver(const bus::reply& reply, const exchange_listener& listener);
  bool reconnect(const msg::error& why, const exchange_listener& listener);
  void fail_open(const msg::error& why);

  world& world_;
  transport& transport_;
  std::vector<exchange>* all_ = nullptr;
  size_t at_once_ = in_flight_max;
  std::vector<state> states_;
  // So that a reply costs the same however many there are.
  std::unordered_map<std::string, size_t> in_flight_;  // sent, without an outcome; by the id of the request
  size_t next_ = 0;                                    // all before it are in flight or have their outcome
  size_t done_ = 0;                                    // so many have their outcome
  std::optional<std::chrono::milliseconds> until_;
  std::optional<msg::error> lost_;
};

}  // namespace zedops::ctl
