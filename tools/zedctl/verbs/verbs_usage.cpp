// What servers and hosts have used, in a few lines.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "messages/base/names.hpp"
#include "tools/zedctl/cli/commands.hpp"
#include "tools/zedctl/output/table.hpp"
#include "tools/zedctl/verbs/verbs.hpp"

namespace zedops::ctl {
namespace {

constexpr size_t bars = 40;

struct figure {
  std::string_view name;
  std::function<uint64_t(const msg::usage_sample&)> of;
  std::function<std::string(uint64_t)> shown;
};

std::string cores(uint64_t millis) { return fmt::format("{:.2f}", static_cast<double>(millis) / 1000); }
std::string rate(uint64_t bytes) { return msg::format_bytes(bytes) + "/s"; }

std::vector<figure> figures(bool of_host) {
  using s = msg::usage_sample;
  std::vector<figure> out{{"CPU", [](const s& u) { return u.cpu_millis; }, cores},
                          {"MEMORY", [](const s& u) { return u.memory_bytes; }, msg::format_bytes}};
  if (of_host) {
    out.push_back({"LOAD", [](const s& u) { return u.load_millis; }, cores});
    out.push_back({"DISK", [](const s& u) { return u.disk_bytes; }, msg::format_bytes});
  } else {
    out.push_back({"RECEIVED", [](const s& u) { return u.received; }, rate});
    out.push_back({"SENT", [](const s& u) { return u.sent; }, rate});
    out.push_back({"READ", [](const s& u) { return u.read; }, rate});
    out.push_back({"WRITTEN", [](const s& u) { return u.written; }, rate});
  }
  return out;
}

// One bar for each part of the time, as high as the maximum in it; a blank where nothing is known.
std::string picture(const msg::usage_reply& r, const figure& f, msg::duration last, msg::time_point now) {
  static constexpr std::string_view heights[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  std::vector<std::optional<uint64_t>> parts(bars);
  uint64_t most = 1;
  for (const auto& p : r.points) {
    const auto ago = now - p.at.value_or(now);
    if (ago < msg::duration{} || ago >= last) continue;
    auto& part = parts[bars - 1 - static_cast<size_t>(ago * static_cast<int>(bars) / last)];
    part = std::max(part.value_or(0), f.of(p.used));
    most = std::max(most, *part);
  }
  std::string out;
  for (const auto& p : parts) out += p ? heights[*p * (std::size(heights) - 1) / most] : " ";
  return out;
}

std::string usage_text(session& s, const msg::usage_reply& r, bool of_host, msg::duration last) {
  if (r.points.empty()) return r.name + ": no data for this period\n";
  const auto& newest = r.points.back().used;
  table t({"", "NOW", "AVERAGE", "MOST", "OF", fmt::format("THE LAST {}", msg::format_duration(last))});
  for (const auto& f : figures(of_host)) {
    uint64_t sum = 0, most = 0;
    for (const auto& p : r.points) sum += f.of(p.used), most = std::max(most, f.of(p.used));
    std::string of;
    if (f.name == "CPU" && newest.cpu_max > 0) of = cores(newest.cpu_max);
    if (f.name == "MEMORY" && newest.memory_max > 0) of = msg::format_bytes(newest.memory_max);
    if (f.name == "DISK" && newest.disk_max > 0) of = msg::format_bytes(newest.disk_max);
    t.add({{std::string(f.name)},
           {f.shown(f.of(newest))},
           {f.shown(sum / r.points.size())},
           {f.shown(most)},
           {of},
           {picture(r, f, last, s.outside().now())}});
  }
  return s.render(t);
}

template <class Query>
int usage(session& s, const arguments& a, const std::string& verb, bool of_host) {
  Query q;
  if (a.has("last")) {
    const auto last = msg::parse_duration(a.one("last"));
    if (!last || *last <= msg::duration{})
      return s.report(
          {msg::ec::bad_request, "'" + a.one("last") + "' is not a duration", "give one such as 30m, 12h or 3d", {}});
    q.last = *last;
  }
  int status = exit_ok;
  for (const auto& name : a.all("NAME")) {
    if constexpr (requires { q.agent; }) q.agent = name;
    else q.server = name;
    auto reply = s.ask<msg::usage_reply>(verb, q);
    if (!reply) {
      status = s.report(of_host ? reply.error() : with_guess(s, reply.error(), name));
      continue;
    }
    status = std::max(status, s.show(*reply, [&] {
      return (a.all("NAME").size() > 1 ? reply->name + '\n' : std::string{}) + usage_text(s, *reply, of_host, q.last);
    }));
  }
  return status;
}

int server(session& s, const arguments& a) { return usage<msg::server_usage>(s, a, "server.usage", false); }
int agent(session& s, const arguments& a) { return usage<msg::agent_usage>(s, a, "agent.usage", true); }

}  // namespace

std::vector<command> usage_commands() {
  const parameter last{"--last", value_kind::text, "TIME", "How far back; default 30m, three days are kept"};
  return {{"server usage",
           "What its container has used: CPU, memory, network, disk",
           {{"NAME", value_kind::server, "", "Name, agent/name, id or unique prefix of the id", arity::some}, last},
           server,
           {"zedctl server usage pz1", "zedctl server usage pz1 --last 12h -o json"}},
          {"agent usage",
           "What its host has used: CPU, memory, load, disk",
           {{"NAME", value_kind::agent, "", "Name or id of the agent", arity::some}, last},
           agent,
           {"zedctl agent usage host1 --last 3d"}}};
}

}  // namespace zedops::ctl
