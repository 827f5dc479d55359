// One run of the tool: its global flags, the manager it talks to, and its output to the user.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "messages/wire/codec.hpp"
#include "tools/zedctl/cli/context.hpp"
#include "tools/zedctl/exchange.hpp"
#include "tools/zedctl/output/format.hpp"
#include "tools/zedctl/output/table.hpp"

namespace zedops::ctl {

// Exit statuses beside those of the error codes (messages/base/error.hpp).
inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;
inline constexpr int exit_timeout = 7;
inline constexpr int exit_partly = 8;
inline constexpr int exit_interrupted = 130;

enum class form : uint8_t { table, wide, json, yaml, name };

struct global_flags {
  std::string endpoint;
  std::string context;
  form output = form::table;
  bool yes = false;
  bool dry_run = false;
  bool wait = true;
  std::optional<msg::duration> timeout;
  bool headers = true;
  bool quiet = false;  // ids only
  bool iso_time = false;
  bool verbose = false;
  std::string color = "auto";
};

inline constexpr msg::duration read_max{30'000};           // for the answer to a read, without --timeout
inline constexpr msg::duration knock_max{10'000};          // for a sign of life before a request without limit
inline constexpr msg::duration patient_read_max{600'000};  // for those that look at every disk

class session {
 public:
  session(world& w, global_flags flags) : w_(w), flags_(std::move(flags)) {}

  world& outside() { return w_; }
  const global_flags& flags() const { return flags_; }
  msg::result<target> where() const { return find_target(w_, flags_.endpoint, flags_.context); }
  msg::result<transport*> connection();

  // --- asking ---
  // The result is empty when the user pressed Ctrl-C: say nothing more and exit with exit_interrupted.
  template <class Reply, class Body>
  msg::result<Reply> ask(const std::string& verb, const Body& body, msg::duration limit = read_max) {
    auto bytes = ask_bytes(verb, msg::pack_map(body), limit);
    if (!bytes) return msg::fail(bytes.error());
    return msg::unpack_map<Reply>(*bytes);
  }
  // What would be done, whether or not the user asked for a dry run.
  template <class Reply, class Body>
  msg::result<Reply> ask_plan(const std::string& verb, const Body& body) {
    auto bytes = ask_bytes(verb, msg::pack_map(body), read_max, true);
    if (!bytes) return msg::fail(bytes.error());
    return msg::unpack_map<Reply>(*bytes);
  }
  msg::result<std::string> ask_bytes(const std::string& verb, std::string body, msg::duration limit,
                                     bool only_plan = false);
  ending run(std::vector<exchange>& all, exchange_listener listener, std::optional<msg::duration> limit,
             size_t at_once = in_flight_max);
  std::string packed_options(bool wait, bool only_plan = false) const;
  bool was_interrupted() const { return w_.interrupted(); }

  // --- speaking ---
  bool machine() const { return flags_.output == form::json || flags_.output == form::yaml; }
  look looks() const;
  bool colour_out() const { return colour(w_.out_tty); }
  bool colour_err() const { return colour(w_.err_tty); }
  void print(std::string_view text);  // data, to stdout
  void say(std::string_view text);    // messages, to stderr; silent with -q and for machines
  void tell(std::string_view text);   // messages that are never silent: questions, warnings, lost connections
  void debug(std::string_view text);  // with --verbose
  int report(const msg::error& e, const std::string& target = {});  // to stderr; returns the exit status
  // The value as JSON or YAML when asked for, else the result of `text`.
  template <class T>
  int show(const T& value, const std::function<std::string()>& text) {
    print(machine() ? structured(msg::to_json(value, 2)) : text());
    return exit_ok;
  }
  // The same from ready JSON text.
  std::string structured(const std::string& json) const;
  std::string render(table& t) const;
  static int exit_status(const msg::error& e) { return msg::info(e.code).exit_code; }

 private:
  bool colour(bool tty) const;
  msg::result<void> knock();

  world& w_;
  global_flags flags_;
  std::unique_ptr<transport> transport_;
  bool answered_ = false;
};

}  // namespace zedops::ctl
