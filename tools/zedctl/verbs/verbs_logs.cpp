// What the container of a server or a service wrote, and the phases of a deployment. Lines carry the Engine's time;
// following asks for those since the last one seen, so none is shown twice, and none is lost however many come.
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

struct shown_as {
  bool stamps = false;
  std::string word;  // only lines with it
};

void print(session& s, const std::vector<msg::log_line>& lines, const shown_as& how) {
  std::string out;
  for (const auto& l : lines) {
    if (l.text.find(how.word) == std::string::npos) continue;
    if (s.machine()) {
      out += object_json({{"stream", l.stream}, {"text", l.text}, {"at", l.at}}, -1) + '\n';
      continue;
    }
    if (how.stamps) out += l.at + ' ';
    out += l.text;
    if (out.back() != '\n') out += '\n';
  }
  s.print(out);
}

// Errors that a restart of manager, agent or server causes and that pass by themselves.
bool passes(const msg::error& e) { return msg::info(e.code).retryable || e.code == msg::ec::wrong_state; }

template <class Query>
int follow(session& s, std::string_view verb, Query query, const std::string& name, const shown_as& how) {
  msg::log_cursor seen;
  bool waiting = false;
  while (!s.was_interrupted()) {
    auto reply = s.ask<msg::logs_reply>(std::string(verb), query);
    if (s.was_interrupted()) break;
    if (!reply && (!seen.begun() || !passes(reply.error())))
      return s.report(seen.begun() ? reply.error() : with_guess(s, reply.error(), name));
    if (!reply && !waiting) s.say("waiting: " + reply.error().message);
    waiting = !reply;
    bool more = false;
    if (reply) {
      const auto fresh = seen.take(std::move(reply->lines));
      print(s, fresh, how);
      more = reply->cut || !fresh.empty();
      seen.go_on(query.since, reply->cut, fresh.empty());
      if (seen.begun()) query.hold = std::min(hold, s.flags().timeout.value_or(hold * 2) / 2);
    }
    if (!more) s.outside().pause(follow_pause);
  }
  return exit_interrupted;
}

template <class Query>
int lines(session& s, const arguments& a, std::string_view verb, Query query, const std::string& name) {
  query.tail = a.count("tail", 100);
  if (a.has("since")) {
    auto at = moment_of(s, a.one("since"));
    if (!at) return s.report(at.error());
    query.since = msg::to_rfc3339(*at);
  }
  const shown_as how{a.has("timestamps"), a.one("grep")};
  if (a.has("follow")) return follow(s, verb, query, name, how);
  auto reply = s.ask<msg::logs_reply>(std::string(verb), query);
  if (!reply) return s.report(with_guess(s, reply.error(), name));
  if (s.machine()) return s.show(*reply, [] { return std::string{}; });
  print(s, reply->lines, how);
  if (reply->cut)
    s.say(query.since.empty() ? "earlier lines were left out: they did not fit into one answer"
                              : "there are later lines: use --since with the time of the last one, or follow with -f");
  return exit_ok;
}

int of_server(session& s, const arguments& a) {
  const auto name = a.one("NAME");
  return lines(s, a, "server.logs", msg::server_logs{name, 0, {}, {}}, name);
}
int of_service(session& s, const arguments& a) {
  return lines(s, a, "service.logs", msg::service_logs{a.one("SERVICE"), 0, {}, {}}, {});
}
int of_deployment(session& s, const arguments& a) {
  return lines(s, a, "deployment.logs", msg::deployment_logs{a.one("DEPLOYMENT"), 0, {}, {}}, {});
}

std::vector<parameter> with_line_flags(parameter first) {
  using enum value_kind;
  return {std::move(first),
          {"-f,--follow", none, "", "Follow until Ctrl-C; with -o json one object per line"},
          {"--tail", number, "N", "Number of lines; default 100"},
          {"--since", text, "TIME", "Lines since then, oldest first: how long ago (10m) or a time"},
          {"--grep", text, "WORD", "Of these, only lines that contain WORD"},
          {"-t,--timestamps", none, "", "Each line with its time"}};
}

}  // namespace

std::vector<command> logs_commands() {
  using enum value_kind;
  return {{"server logs",
           "The last lines its container wrote",
           with_line_flags({"NAME", server, "", "Name, agent/name, id or unique prefix of the id", arity::one}),
           of_server,
           {"zedctl logs -f pz1", "zedctl logs pz1 --since 10m -t"},
           "logs"},
          {"service logs",
           "The last lines that the container of a service wrote",
           with_line_flags({"SERVICE", text, "", "PROJECT/SERVICE, or its id", arity::one}),
           of_service,
           {"zedctl service logs -f shop/api"}},
          {"deploy logs",
           "What the phases of a deployment wrote: its build, what was fetched, why it failed",
           with_line_flags(
               {"DEPLOYMENT", text, "", "PROJECT/SERVICE#NUMBER, or PROJECT/SERVICE for the newest", arity::one}),
           of_deployment,
           {"zedctl deploy logs -f shop/api", "zedctl deploy logs shop/api#3 --tail 1000 --grep error"}}};
}

}  // namespace zedops::ctl
