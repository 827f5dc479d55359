// One setting's text: what it may be, what it becomes, what it is by default.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "config/detail/settings_table.hpp"
#include "config/detail/template_rules.hpp"
#include "config/settings/values.hpp"
#include "messages/base/names.hpp"
#include "messages/records/template.hpp"

namespace zedops::config::detail {

namespace {
constexpr size_t socket_path_max = 107;  // sockaddr_un, without its NUL
constexpr size_t endpoints_max = 16;

// Nothing when the text is good, else what it should have been.
using verdict = std::optional<std::string>;

verdict check_host_port(std::string_view rest) {
  auto colon = rest.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return "tcp needs host:port";
  auto port = rest.substr(colon + 1);
  unsigned number = 0;
  auto [end, err] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (err != std::errc{} || end != port.data() + port.size() || number == 0 || number > 65535)
    return "the port is a number from 1 to 65535";
  auto host = rest.substr(0, colon);
  if (host.size() > 253 ||
      !std::all_of(host.begin(), host.end(), [](char c) { return letter_or_digit(c) || one_of(c, "-._*[]:"); }))
    return "the host is a name, an address or *";
  return {};
}

verdict check_uri(std::string_view text, std::string_view socket_scheme) {
  auto starts = [&](std::string_view scheme) { return text.substr(0, scheme.size()) == scheme; };
  if (starts("tcp://")) return check_host_port(text.substr(6));
  if (!starts(socket_scheme)) return fmt::format("it begins with {} or tcp://", socket_scheme);
  auto path = text.substr(socket_scheme.size());
  if (!is_absolute_path(path)) return "the socket's path is absolute, without '.' or '..' parts";
  if (path.size() > socket_path_max)
    return fmt::format("a socket's path has at most {} bytes, this one {}", socket_path_max, path.size());
  return {};
}

verdict check_text(text_rule rule, std::string_view text) {
  auto is_name = [](std::string_view s) { return s.size() <= 63 && is_engine_name(s); };
  switch (rule) {
    case text_rule::none: return {};
    case text_rule::file: return !text.empty() && is_plain_path(text) ? verdict{} : "give the path of a file";
    case text_rule::optional_directory:
      if (text.empty()) return {};
      [[fallthrough]];
    case text_rule::directory:
      return is_absolute_path(text) ? verdict{} : "give an absolute path, without '.' or '..' parts";
    case text_rule::optional_name:
      if (text.empty()) return {};
      [[fallthrough]];
    case text_rule::name:
      return is_name(text) ? verdict{} : "use 1-63 letters, digits, '-', '_' and '.', a letter or digit first";
    case text_rule::endpoint: return check_uri(text, "ipc://");
    case text_rule::engine: break;
  }
  return check_uri(text, "unix://");
}

template <class S>
verdict set(const setting<S>& row, std::string& out, const std::string& text) {
  if (auto bad = check_text(row.rule, text)) return bad;
  out = text;
  return {};
}

template <class S>
verdict set(const setting<S>& row, std::vector<std::string>& out, std::string_view text) {
  std::vector<std::string> list;
  while (true) {
    auto comma = text.find(',');
    auto part = text.substr(0, comma);
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    if (auto bad = check_text(row.rule, part)) return bad;
    if (!part.empty()) list.emplace_back(part);  // "" is a list of nothing
    if (list.size() > endpoints_max) return fmt::format("give at most {}", endpoints_max);
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  out = std::move(list);
  return {};
}

template <class S>
verdict set(const setting<S>& row, msg::duration& out, std::string_view text) {
  auto d = msg::parse_duration(text);
  if (!d || d->count() < row.least || d->count() > row.most)
    return fmt::format("give {}, with a unit: ms, s, m, h or d, such as \"{}\"", allowed_text(row), row.fallback);
  out = *d;
  return {};
}

template <class S>
verdict set(const setting<S>& row, uint32_t& out, std::string_view text) {
  int64_t n = 0;
  auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (err != std::errc{} || end != text.data() + text.size() || n < row.least || n > row.most)
    return fmt::format("give {}", allowed_text(row));
  out = static_cast<uint32_t>(n);
  return {};
}

template <class S, msg::named_enum E>
verdict set(const setting<S>&, E& out, std::string_view text) {
  if (auto e = msg::enum_from_name<E>(text)) {
    out = *e;
    return {};
  }
  const auto& words = msg::enum_names<E>::list;
  auto near = msg::closest(text, words);
  return !near ? fmt::format("use {}", listed(words)) : fmt::format("did you mean {}? use {}", *near, listed(words));
}

std::optional<std::string> environment(const surroundings& from, const std::string& name) {
  auto at = from.environment.find(name);
  if (at == from.environment.end() || at->second.empty()) return std::nullopt;
  return at->second;
}

// A base directory of the XDG specification; `below_home` is where it is when the variable is not set.
std::optional<std::string> base_directory(const surroundings& from, const std::string& variable,
                                          std::string_view below_home) {
  if (auto set = environment(from, variable)) return set;
  auto home = environment(from, "HOME");
  if (below_home.empty() || !home) return std::nullopt;
  return *home + std::string{below_home};
}
}  // namespace

std::string flag_name(std::string_view key) {
  auto name = "--" + std::string{key};
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

std::string variable_name(std::string_view key) {
  auto name = "ZEDOPS_" + std::string{key};
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return one_of(c, lower) ? static_cast<char>(c - 32) : c; });
  return name;
}

template <class S>
msg::result<void> assign(const setting<S>& row, const setting_value& value, S& out) {
  auto bad = std::visit([&](auto field) { return set(row, out.*field, value.text); }, row.field);
  if (!bad) return {};
  return msg::fail(msg::ec::bad_request,
                   fmt::format("{}: {} cannot be {}", value.origin, row.key, in_quotes(value.text)), *bad);
}

template <class S>
std::string allowed_text(const setting<S>& row) {
  struct visitor {
    const setting<S>& row;
    std::string operator()(msg::duration S::*) const {
      return fmt::format("a duration from {} to {}", msg::format_duration(msg::duration{row.least}),
                         msg::format_duration(msg::duration{row.most}));
    }
    std::string operator()(uint32_t S::*) const { return fmt::format("a number from {} to {}", row.least, row.most); }
    std::string operator()(msg::log_level S::*) const { return listed(msg::enum_names<msg::log_level>::list); }
    std::string operator()(msg::log_format S::*) const { return listed(msg::enum_names<msg::log_format>::list); }
    std::string operator()(std::vector<std::string> S::*) const {
      const auto each = (*this)(static_cast<std::string S::*>(nullptr));
      return each == "text" ? fmt::format("up to {} texts", endpoints_max)
                            : fmt::format("up to {}, each {}", endpoints_max, each);
    }
    std::string operator()(std::string S::*) const {
      switch (row.rule) {
        case text_rule::file: return "path of a file";
        case text_rule::directory:
        case text_rule::optional_directory: return "absolute path";
        case text_rule::name:
        case text_rule::optional_name: return "1-63 letters, digits, - _ .";
        case text_rule::endpoint: return "ipc:///path or tcp://host:port";
        case text_rule::engine: return "unix:///path or tcp://host:port";
        case text_rule::none: break;
      }
      return "text";
    }
  };
  return std::visit(visitor{row}, row.field);
}

template <class S>
msg::result<std::string> fallback_text(const setting<S>& row, const surroundings& from,
                                       const std::map<std::string, setting_value>& values) {
  std::string missing;
  auto value_of = [&](std::string_view name) -> std::optional<std::string> {
    auto base = [&](std::string_view root, const std::string& variable, std::string_view below_home) {
      if (from.root) return std::optional{std::string{root}};
      missing = variable;
      return base_directory(from, variable, below_home);
    };
    if (name == "runtime") return base("/run", "XDG_RUNTIME_DIR", "");
    if (name == "state") return base("/var/lib", "XDG_STATE_HOME", "/.local/state");
    if (name == "config") return base("/etc", "XDG_CONFIG_HOME", "/.config");
    if (name == "hostname") return from.hostname;
    if (name == "docker_host") return environment(from, "DOCKER_HOST").value_or("unix:///var/run/docker.sock");
    auto at = values.find(std::string{name});
    return at == values.end() ? std::nullopt : std::optional{at->second.text};
  };
  if (auto text = msg::expand(row.fallback, value_of)) return *text;
  return msg::fail(msg::ec::bad_request, fmt::format("{} has no default: {} is not set", row.key, missing),
                   fmt::format("give {} or set {}", flag_name(row.key), missing));
}

template msg::result<void> assign(const setting<manager_settings>&, const setting_value&, manager_settings&);
template msg::result<void> assign(const setting<agent_settings>&, const setting_value&, agent_settings&);
template std::string allowed_text(const setting<manager_settings>&);
template std::string allowed_text(const setting<agent_settings>&);
template msg::result<std::string> fallback_text(const setting<manager_settings>&, const surroundings&,
                                                const std::map<std::string, setting_value>&);
template msg::result<std::string> fallback_text(const setting<agent_settings>&, const surroundings&,
                                                const std::map<std::string, setting_value>&);

}  // namespace zedops::config::detail
