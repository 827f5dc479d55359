// The audit: who asked for what, and whether the records are as they were written.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "messages/base/names.hpp"
#include "tools/zedctl/cli/commands.hpp"
#include "tools/zedctl/input/moment.hpp"
#include "tools/zedctl/output/json_text.hpp"

namespace zedops::ctl {
namespace {

constexpr uint32_t listed = 50;
constexpr uint32_t page = 1'000;

msg::result<msg::list_audit> query_of(session& s, const arguments& a) {
  msg::list_audit q;
  q.who = a.one("who");
  q.verb = a.one("verb");
  q.target = a.one("target");
  q.result = a.one("result");
  for (auto [flag, into] : {std::pair{"since", &q.since}, std::pair{"until", &q.until}}) {
    if (!a.has(flag)) continue;
    auto at = moment_of(s, a.one(flag));
    if (!at) return msg::fail(at.error());
    *into = *at;
  }
  return q;
}

// Pages until `limit` records, zero: all; `each` sees them newest first. False: there are more.
msg::result<bool> read(session& s, msg::list_audit q, size_t limit,
                       const std::function<void(const msg::audit_record&)>& each) {
  size_t count = 0;
  do {
    q.limit = static_cast<uint32_t>(limit == 0 ? page : std::min<size_t>(limit - count, page));
    auto got = s.ask<msg::audit_page>("audit.ls", q);
    if (!got) return msg::fail(got.error());
    for (const auto& r : got->records) each(r);
    count += got->records.size();
    q.before = got->next;
  } while (q.before != 0 && (limit == 0 || count < limit) && !s.was_interrupted());
  return q.before == 0;
}

std::string target_of(const msg::audit_record& r) { return r.target_name.empty() ? r.target : r.target_name; }
std::string revisions_of(const msg::audit_record& r) {
  if (r.before == r.after) return r.after == 0 ? std::string{} : std::to_string(r.after);
  return fmt::format("{} → {}", r.before, r.after);
}

int ls(session& s, const arguments& a) {
  auto q = query_of(s, a);
  if (!q) return s.report(q.error());
  msg::audit_page all;
  auto whole = read(s, *q, a.count("limit", listed), [&](const auto& r) { all.records.push_back(r); });
  if (!whole) return s.report(whole.error());
  if (all.records.empty() && !s.machine()) {
    s.say("No records.");
    return exit_ok;
  }
  if (!*whole) s.say("older ones are not shown; --limit shows more");
  return s.show(all, [&] {
    table t({"NO", "TIME", "WHO", "FROM", "VERB", "TARGET", "REVISION", "RESULT"});
    for (const auto& r : all.records)
      t.add(
          {{std::to_string(r.seq)},
           {msg::to_rfc3339(r.time)},
           {r.who},
           {r.from},
           {r.verb},
           {target_of(r)},
           {revisions_of(r)},
           {r.problem.empty() ? r.result : r.result + ": " + r.problem, r.result == "ok" ? style::plain : style::bad}});
    return s.render(t);
  });
}

int export_lines(session& s, const arguments& a) {
  auto q = query_of(s, a);
  if (!q) return s.report(q.error());
  auto whole = read(s, *q, 0, [&](const auto& r) { s.print(msg::to_json(r) + '\n'); });
  return whole ? exit_ok : s.report(whole.error());
}

int verify(session& s, const arguments& a) {
  msg::verify_audit q;
  if (a.has("head")) {
    const auto noted = a.one("head");
    const auto colon = noted.find(':');
    const auto seq = colon == std::string::npos ? std::nullopt : msg::parse_decimal(noted.substr(0, colon));
    if (!seq)
      return s.report({msg::ec::bad_request,
                       fmt::format("'{}' is not an audit head", noted),
                       "give it as it was printed: 1042:9f3c…",
                       {}});
    q.seq = *seq;
    q.head = noted.substr(colon + 1);
  }
  auto v = s.ask<msg::audit_verdict>("audit.verify", q);
  if (!v) return s.report(v.error());
  const int shown = s.show(*v, [&] {
    if (v->sound) return fmt::format("sound: records {} to {}\nhead: {}:{}\n", v->first, v->last, v->last, v->head);
    return fmt::format("NOT sound: record {}: {}\n", v->broken_at, v->problem);
  });
  return v->sound ? shown : exit_failed;
}

}  // namespace

std::vector<command> audit_commands() {
  using enum value_kind;
  const std::vector<parameter> filters = {
      {"--who", text, "WHO", "Only requests of this principal, key:ann or uid:1000, or a prefix"},
      {"--verb", text, "VERB", "Only this verb, or verbs with this prefix: server.purge, agent."},
      {"--target", text, "NAME", "Only about this server, agent, operation or key, by name or id"},
      {"--result", text, "R", "ok, refused, or the code of an error"},
      {"--since", text, "T", "From then on: a time, how long ago (2h), or the cursor of an event"},
      {"--until", text, "T", "Before then, in the same forms"}};
  auto limited = filters;
  limited.push_back({"--limit", number, "N", "At most this many; default 50"});
  return {
      {"audit ls",
       "List who asked for what, and whether it was allowed; newest first",
       limited,
       ls,
       {"zedctl audit ls --result refused --since 24h", "zedctl audit ls --who key:ann --verb server.purge"}},
      {"audit export",
       "Print all records as JSON lines, newest first",
       filters,
       export_lines,
       {"zedctl audit export --since 2026-05-01T00:00:00Z"}},
      {"audit verify",
       "Verify that the records are as they were written, none removed and none inserted",
       {{"--head", text, "N:HASH", "A head that was printed earlier and kept elsewhere: it must be in the chain"}},
       verify,
       {"zedctl audit verify"}},
  };
}

}  // namespace zedops::ctl
