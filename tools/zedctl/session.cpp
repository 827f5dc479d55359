#include "tools/zedctl/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "tools/zedctl/output/json_text.hpp"
#include "tools/zedctl/output/table.hpp"
#include "tools/zedctl/output/yaml.hpp"

namespace zedops::ctl {

msg::result<transport*> session::connection() {
  if (transport_) return transport_.get();
  auto there = where();
  if (!there) return msg::fail(there.error());
  debug(fmt::format("manager: {} ({})", there->where.clients, there->origin));
  auto made = w_.connect(there->where);
  if (!made) {
    auto e = made.error();
    e.message += fmt::format(" (endpoint from: {})", there->origin);
    if (e.code == msg::ec::agent_unreachable)
      e.hint = "start zedops-manager, or name the right endpoint with --endpoint; zedctl doctor shows more";
    return msg::fail(std::move(e));
  }
  transport_ = std::move(*made);
  return transport_.get();
}

// Before the first request that may take hours: does the manager answer at all? One that hangs has an open socket, too.
msg::result<void> session::knock() {
  if (answered_) return {};
  answered_ = true;
  auto status = ask<msg::manager_status>("status", msg::get_status{}, knock_max);
  if (!status) return msg::fail(status.error());
  return {};
}

ending session::run(std::vector<exchange>& all, exchange_listener listener, std::optional<msg::duration> limit,
                    size_t at_once) {
  auto t = connection();
  if (auto there = t && !limit ? knock() : msg::result<void>{}; !there) t = msg::fail(there.error());
  if (!t) {
    for (auto& x : all) x.outcome = msg::fail(t.error());
    return ending::done;
  }
  for (auto& x : all) debug(fmt::format("request {} for '{}'", x.verb, x.name));
  listener.notice = [this](const std::string& text) {
    if (!machine()) tell(text);
  };
  return exchanger(w_, **t).run(all, limit, listener, at_once);
}

msg::result<std::string> session::ask_bytes(const std::string& verb, std::string body, msg::duration limit,
                                            bool only_plan) {
  exchange x;
  x.name = verb;
  x.verb = verb;
  x.body = std::move(body);
  x.options = packed_options(false, only_plan);
  if (limit > read_max) x.expect = answer::patient;
  std::vector<exchange> all{std::move(x)};
  auto patience = flags_.timeout.value_or(limit);
  switch (run(all, {}, patience)) {
    case ending::done: break;
    case ending::interrupted: return msg::fail(msg::ec::cancelled, "interrupted");
    case ending::timed_out:
      return msg::fail(msg::ec::timeout,
                       fmt::format("the manager did not answer {} within {}", verb, msg::format_duration(patience)),
                       "give it more time with --timeout, or check it with zedctl doctor");
  }
  return std::move(*all.front().outcome);
}

std::string session::packed_options(bool wait, bool only_plan) const {
  msg::request_options o;
  o.actor = w_.variable("USER").empty() ? std::string("zedctl") : w_.variable("USER");
  o.dry_run = flags_.dry_run || only_plan;
  o.wait = wait && !flags_.dry_run;
  return msg::pack_map(o);
}

bool session::colour(bool tty) const {
  if (flags_.color == "always") return true;
  if (flags_.color == "never") return false;
  if (!w_.variable("NO_COLOR").empty()) return false;
  if (auto force = w_.variable("CLICOLOR_FORCE"); !force.empty() && force != "0") return true;
  return tty && w_.variable("TERM") != "dumb";
}

look session::looks() const {
  auto locale = w_.variable("LC_ALL");
  if (locale.empty()) locale = w_.variable("LC_CTYPE");
  if (locale.empty()) locale = w_.variable("LANG");
  std::ranges::transform(locale, locale.begin(), [](char c) { return c >= 'a' && c <= 'z' ? char(c - 32) : c; });
  bool utf8 = locale.find("UTF-8") != std::string::npos || locale.find("UTF8") != std::string::npos;
  return {colour_out(), w_.out_tty && utf8, flags_.iso_time, w_.now()};
}

void session::print(std::string_view text) {
  w_.out.write(text.data(), static_cast<std::streamsize>(text.size()));
  w_.out.flush();
}

void session::say(std::string_view text) {
  if (!machine() && !flags_.quiet) tell(text);
}

void session::tell(std::string_view text) {
  w_.err << text << '\n';
  w_.err.flush();
}

void session::debug(std::string_view text) {
  if (flags_.verbose) tell(painted(text, style::faint, colour_err()));
}

int session::report(const msg::error& e, const std::string& target) {
  if (was_interrupted() && e.code == msg::ec::cancelled) return exit_interrupted;
  if (machine()) {
    tell(error_json(e, target));
    return exit_status(e);
  }
  auto said = (target.empty() ? std::string{} : target + ": ") + (e.message.empty() ? "no reason given" : e.message);
  if (!e.hint.empty()) said += "\n  next: " + e.hint;
  make_harmless(said, true);  // it may hold output of a container
  auto text = painted("error:", style::bad, colour_err()) + ' ' + said;
  if (!e.operation.empty()) text += "\n  operation: " + e.operation;
  tell(text);
  return exit_status(e);
}

std::string session::structured(const std::string& json) const {
  return flags_.output == form::yaml ? yaml_from_json(json) : json + '\n';
}

std::string session::render(table& t) const {
  return t.render({flags_.headers, colour_out(), w_.out_tty ? w_.width() : 0});
}

}  // namespace zedops::ctl
