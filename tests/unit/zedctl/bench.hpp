// The tool in a simulated world: a scripted manager, a clock that moves only while the tool waits.
#pragma once
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "messages/wire/codec.hpp"
#include "tools/zedctl/world.hpp"

namespace zedops::ctl::test {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

inline constexpr msg::time_point noon{milliseconds{1'714'564'800'000}};  // 2024-05-01T12:00:00Z

struct seen_request {
  std::string verb, body, key;
  msg::request_options options;
  milliseconds deadline{};
};

struct answer_frame {
  bus::reply_kind kind = bus::reply_kind::result;
  std::string body;
};
using answers = std::vector<answer_frame>;

template <class T>
answer_frame result_of(const T& value) {
  return {bus::reply_kind::result, msg::pack_map(value)};
}
inline answer_frame error_of(msg::ec code, std::string message, std::string hint = {}) {
  return {bus::reply_kind::error, msg::pack_map(msg::error{code, std::move(message), std::move(hint), {}})};
}
inline answer_frame accepted_of(const msg::operation_reply& r) { return {bus::reply_kind::accepted, msg::pack_map(r)}; }
inline answer_frame progress_of(const msg::operation_view& op) {
  return {bus::reply_kind::progress, msg::pack_map(op)};
}

// What happens besides answers.
struct trouble {
  bool break_next_receive = false;
  unsigned posts_that_fail = 0;  // no manager is running
};

struct bench {
  std::ostringstream out, err;
  std::istringstream in;
  world w{out, err, in};
  milliseconds clock{0};
  std::function<void(milliseconds)> on_wait;  // called with the time whenever the clock moves
  bool ctrl_c = false;
  std::vector<seen_request> requests;
  std::map<std::string, std::function<answers(const seen_request&)>> manager;
  std::deque<bus::reply> waiting;
  trouble with;
  std::deque<msg::result<event_item>> stream;  // an error value is a lost connection
  std::vector<event_query> queries;
  bool refuse_connection = false;
  unsigned connections = 0;
  std::filesystem::path home;

  bench();
  ~bench();
  int run(std::vector<std::string> arguments);
  void move(milliseconds by);
  // The same answer whatever the body.
  template <class T>
  void says(const std::string& verb, const T& value) {
    manager[verb] = [value](const seen_request&) { return answers{result_of(value)}; };
  }
  void refuses(const std::string& verb, msg::ec code, std::string message, std::string hint = {}) {
    manager[verb] = [=](const seen_request&) { return answers{error_of(code, message, hint)}; };
  }
  std::vector<seen_request> asked(const std::string& verb) const;
  template <class T>
  T body(const std::string& verb) const {  // of the only request of this verb
    auto list = asked(verb);
    if (list.size() != 1) throw std::runtime_error(std::to_string(list.size()) + " requests of " + verb);
    return *msg::unpack_map<T>(list.front().body);
  }
};

msg::server_view pz1();
msg::operation_view operation(msg::op_kind kind, msg::op_status status, std::string step = {}, uint32_t progress = 0);
msg::operation_reply succeeded(msg::op_kind kind, const msg::server_view& server = pz1());

}  // namespace zedops::ctl::test
