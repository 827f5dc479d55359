// What a server's container wrote. Lines carry the Engine's time; following asks for those since the last one seen, so
// none is told twice, and none is lost however many come.
#include <fmt/format.h>

#include <algorithm>

#include "tools/zedctl/cli/commands.hpp"
#include "tools/zedctl/input/moment.hpp"
#include "tools/zedctl/output/json_text.hpp"
#include "tools/zedctl/verbs/verbs.hpp"

namespace zedops::ctl {
namespace {

constexpr std::chrono::milliseconds follow_pause{1'000};

// The last time seen, and how many lines of exactly that time: the same ones come again.
class follower {
 public:
  // The lines that are new.
  std::vector<msg::log_line> take(std::vector<msg::log_line> lines) {
    size_t known = 0;
    while (known < lines.size() && known < of_last_ && lines[known].at == last_) ++known;
    lines.erase(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(known));
    for (const auto& l : lines) {
      of_last_ = l.at == last_ ? of_last_ + 1 : 1;
      last_ = l.at;
    }
    return lines;
  }
  const std::string& since() const { return last_; }
  bool begun() const { return !last_.empty(); }

 private:
  std::string last_;
  size_t of_last_ = 0;
};

// The next nanosecond.
std::string after(const std::string& stamp) {
  constexpr int64_t second = 1'000'000'000;
  const auto ns = msg::nanoseconds_from_rfc3339(stamp).value_or(0) + 1;
  const auto whole = msg::to_rfc3339(msg::time_point{msg::duration{ns / second * 1000}});  // ...T12:00:00.000Z
  return fmt::format("{}.{:09}Z", whole.substr(0, whole.find('.')), ns % second);
}

void print(session& s, const std::vector<msg::log_line>& lines, bool stamps) {
  std::string out;
  for (const auto& l : lines) {
    if (s.machine()) {
      out += object_json({{"stream", l.stream}, {"text", l.text}, {"at", l.at}}, -1) + '\n';
      continue;
    }
    if (stamps) out += l.at + ' ';
    out += l.text;
    if (out.back() != '\n') out += '\n';
  }
  s.print(out);
}

// What a restart of manager, agent or server brings about, and passes.
bool passes(const msg::error& e) { return msg::info(e.code).retryable || e.code == msg::ec::wrong_state; }

int follow(session& s, msg::server_logs query, bool stamps) {
  follower seen;
  bool waiting = false;
  while (!s.was_interrupted()) {
    auto reply = s.ask<msg::logs_reply>("server.logs", query);
    if (s.was_interrupted()) break;
    if (!reply && (!seen.begun() || !passes(reply.error())))
      return s.report(seen.begun() ? reply.error() : with_guess(s, reply.error(), query.server));
    if (!reply && !waiting) s.say("waiting: " + reply.error().message);
    waiting = !reply;
    bool more = false;
    if (reply) {
      more = reply->cut && !query.since.empty();
      const auto fresh = seen.take(std::move(reply->lines));
      print(s, fresh, stamps);
      // A page of nothing but what is known: more lines of one moment than an answer holds. Go past it.
      if (more && fresh.empty()) query.since = after(query.since);
      else if (seen.begun()) query.since = seen.since();
    }
    if (!more) s.outside().pause(follow_pause);
  }
  return exit_interrupted;
}

int logs(session& s, const arguments& a) {
  msg::server_logs query{a.one("NAME"), a.count("tail", 100), {}};
  if (a.has("since")) {
    auto at = moment_of(s, a.one("since"));
    if (!at) return s.report(at.error());
    query.since = msg::to_rfc3339(*at);
  }
  const bool stamps = a.has("timestamps");
  if (a.has("follow")) return follow(s, query, stamps);
  auto reply = s.ask<msg::logs_reply>("server.logs", query);
  if (!reply) return s.report(with_guess(s, reply.error(), query.server));
  if (s.machine()) return s.show(*reply, [] { return std::string{}; });
  print(s, reply->lines, stamps);
  if (reply->cut)
    s.say(query.since.empty() ? "earlier lines were left out: they were too much for one answer"
                              : "there are later lines: ask with --since the time of the last one, or follow with -f");
  return exit_ok;
}

}  // namespace

std::vector<command> logs_commands() {
  using enum value_kind;
  return {{"server logs",
           "The last lines its container wrote",
           {{"NAME", server, "", "Name, agent/name, id or unique beginning of the id", arity::one},
            {"-f,--follow", none, "", "Go on until Ctrl-C; with -o json one object a line"},
            {"--tail", number, "N", "So many lines; default 100"},
            {"--since", text, "TIME", "Lines since then, from the oldest on: so long ago (10m) or a time"},
            {"-t,--timestamps", none, "", "Each with its time"}},
           logs,
           {"zedctl logs -f pz1", "zedctl logs pz1 --since 10m -t"},
           "logs"}};
}

}  // namespace zedops::ctl
