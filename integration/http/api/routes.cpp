#include "integration/http/api/routes.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace zedops::web {
namespace {

using msg::verb_row;

struct plural {
  std::string_view noun, collection;
};
constexpr std::array collections = {
    plural{"server", "servers"},   plural{"agent", "agents"},     plural{"op", "operations"},
    plural{"event", "events"},     plural{"key", "keys"},         plural{"user", "users"},
    plural{"token", "tokens"},     plural{"port", "ports"},       plural{"template", "templates"},
    plural{"audit", "audit"},      plural{"status", "status"},    plural{"manager", "manager"},
    plural{"project", "projects"}, plural{"service", "services"}, plural{"deployment", "deployments"},
    plural{"upload", "uploads"},   plural{"stray", "strays"},
};

// Verbs that the rule does not fit.
struct exception {
  std::string_view verb, method, path;
};
constexpr std::array exceptions = {
    exception{"server.adopt", "POST", "/api/servers/adopt"},
    exception{"server.sync", "POST", "/api/agents/{id}/sync"},
    exception{"server.check-data", "POST", "/api/servers/{id}/check-data"},
    exception{"port.check", "POST", "/api/ports/check"},
    exception{"port.suggest", "GET", "/api/ports/suggest"},
    exception{"event.replay", "GET", "/api/events/replay"},
    exception{"audit.verify", "GET", "/api/audit/verify"},
    exception{"manager.log-level", "POST", "/api/manager/log-level"},
    exception{"status", "GET", "/api/status"},
    exception{"agent.enrol", "", ""},  // by an agent, with a token of its own, over the bus
    exception{"metrics", "", ""},      // as text, at /metrics
    exception{"key.rotate", "POST", "/api/keys/rotate"},
    exception{"upload.begin", "POST", "/api/uploads"},
    exception{"upload.chunk", "", ""},  // bytes, over the bus
};

std::pair<std::string, std::string> method_and_path(const verb_row& row) {
  for (const auto& e : exceptions)
    if (e.verb == row.verb) return {std::string(e.method), std::string(e.path)};
  const auto named = std::ranges::find_if(collections, [&](const plural& p) { return p.noun == row.noun(); });
  const auto all = "/api/" + std::string(named == collections.end() ? row.noun() : named->collection);
  const auto one = all + "/{id}";
  const auto word = row.word();
  if (word == "ls") return {"GET", all};
  if (word == "create" || word == "add") return {"POST", all};
  if (word == "get") return {"GET", one};
  if (word == "edit") return {"PATCH", one};
  if (word == "rm") return {"DELETE", one};
  if (word == "purge") return {"DELETE", one + "/purge"};
  const bool reads =
      row.served == msg::served_by::records || row.needs == msg::right::view || row.needs == msg::right::logs;
  return {reads ? "GET" : "POST", one + "/" + std::string(word)};
}

std::vector<std::string> split(const std::string& path) {
  request r;
  if (!read_target(path, r)) return {};
  return r.segments;
}

// The item in the path, which may be empty; nothing: the path does not match.
std::optional<std::string> fits(const route& r, const std::vector<std::string>& segments) {
  if (r.segments.size() != segments.size()) return std::nullopt;
  std::string item;
  for (size_t i = 0; i < segments.size(); ++i)
    if (r.segments[i] == "{id}") item = segments[i];
    else if (r.segments[i] != segments[i]) return std::nullopt;
  return item;
}

}  // namespace

const std::vector<route>& routes() {
  static const auto list = [] {
    std::vector<route> out;
    for (size_t i = 0; i < msg::verb_table.size(); ++i) {
      auto [method, path] = method_and_path(msg::verb_table[i]);
      if (method.empty()) continue;
      auto segments = split(path);
      out.push_back({i, std::move(method), std::move(path), std::move(segments)});
    }
    return out;
  }();
  return list;
}

std::variant<matched, no_route, other_methods> match(const std::string& method,
                                                     const std::vector<std::string>& segments) {
  std::string allow;
  // A fixed path takes precedence over one with an item: /api/servers/adopt is not a server.
  const route* best = nullptr;
  std::string item;
  for (const auto& r : routes()) {
    auto found = fits(r, segments);
    if (!found) continue;
    const auto also = r.method == "GET" ? "GET, HEAD" : r.method;
    if (allow.find(r.method) == allow.npos) allow += (allow.empty() ? "" : ", ") + also;
    if (r.method != method && !(method == "HEAD" && r.method == "GET")) continue;
    if (!best || found->empty()) best = &r, item = *found;
  }
  if (best) return matched{best, item};
  if (allow.empty()) return no_route{};
  return other_methods{allow + ", OPTIONS"};
}

}  // namespace zedops::web
