// What a server's container wrote. Lines carry the Engine's time; following asks for those since the last one seen, so
// none is told twice, and none is lost however many come.
#include <fmt/format.h>

#include "messages/api/log_cursor.hpp"
#include "tools/zedctl/cli/commands.hpp"
#include "tools/zedctl/input/moment.hpp"
#include "tools/zedctl/output/json_text.hpp"
#include "tools/zedctl/verbs/verbs.hpp"

namespace zedops::ctl {
namespace {

constexpr std::chrono::milliseconds follow_pause{1'000};  // when nothing came
constexpr msg::duration hold{10'000};

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
  msg::log_cursor seen;
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
      const auto fresh = seen.take(std::move(reply->lines));
      print(s, fresh, stamps);
      more = reply->cut || !fresh.empty();
      seen.go_on(query, reply->cut, fresh.empty());
      if (seen.begun()) query.hold = std::min(hold, s.flags().timeout.value_or(hold * 2) / 2);
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
