// The short forms in which people write parts of a spec.
#include <fmt/format.h>

#include <array>
#include <charconv>

#include "messages/records/spec.hpp"

namespace zedops::msg {
namespace {

template <class N>
std::optional<N> whole(std::string_view text) {
  N n{};
  auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (err != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return n;
}

struct port_range {
  uint16_t first = 0;
  uint16_t last = 0;
};
std::optional<port_range> range_of(std::string_view text) {
  const auto dash = text.find('-');
  auto first = whole<uint16_t>(text.substr(0, dash));
  auto last = dash == std::string_view::npos ? first : whole<uint16_t>(text.substr(dash + 1));
  if (!first || !last || *first == 0 || *last < *first) return std::nullopt;
  return port_range{*first, *last};
}

auto bad(std::string_view what, std::string_view text, std::string_view forms) {
  return fail(ec::bad_request, fmt::format("'{}' is not a {}", text.substr(0, 100), what),
              fmt::format("write {}", forms));
}

// "a:b:ro": its parts, and whether it ends in ro or rw.
struct colon_parts {
  std::vector<std::string> list;
  bool read_only = false;
};
colon_parts parts_of(std::string_view text) {
  colon_parts out;
  for (;;) {
    const auto colon = text.find(':');
    out.list.emplace_back(text.substr(0, colon));
    if (colon == std::string_view::npos) break;
    text.remove_prefix(colon + 1);
  }
  if (out.list.size() > 2 && (out.list.back() == "ro" || out.list.back() == "rw")) {
    out.read_only = out.list.back() == "ro";
    out.list.pop_back();
  }
  return out;
}

}  // namespace

result<std::vector<port_binding>> parse_ports(std::string_view text) {
  constexpr auto forms = "25565, 25565:25565/tcp, 27015-27020:27015-27020/udp, 127.0.0.1:8080:80 or [::1]:8080:80/tcp";
  auto rest = text;
  port_binding p;
  if (const auto slash = rest.rfind('/'); slash != std::string_view::npos) {
    auto proto = enum_from_name<protocol>(rest.substr(slash + 1));
    if (!proto) return bad("port", text, forms);
    p.proto = *proto;
    rest = rest.substr(0, slash);
  }
  if (rest.starts_with('[')) {
    const auto close = rest.find("]:");
    if (close == std::string_view::npos) return bad("port", text, forms);
    p.host_ip = rest.substr(1, close - 1);
    rest.remove_prefix(close + 2);
  }
  auto parts = parts_of(rest).list;
  if (parts.size() == 3 && p.host_ip.empty()) {
    p.host_ip = parts[0];
    parts.erase(parts.begin());
  }
  if (parts.size() > 2) return bad("port", text, forms);
  const auto outside = range_of(parts.front()), inside = range_of(parts.back());
  if (!outside || !inside || outside->last - outside->first != inside->last - inside->first)
    return bad("port", text, forms);
  std::vector<port_binding> out;
  for (uint32_t i = 0; outside->first + i <= outside->last; ++i) {
    p.host_port = static_cast<uint16_t>(outside->first + i);
    p.container_port = static_cast<uint16_t>(inside->first + i);
    out.push_back(p);
  }
  return out;
}

result<data_folder> parse_folder(std::string_view text) {
  const auto parts = parts_of(text);
  if (parts.list.size() != 2 || parts.list[0].empty() || !parts.list[1].starts_with('/') ||
      parts.list[0].starts_with('/'))
    return bad("folder of the server", text,
               "NAME:/place/in/container, with :ro if it is only read; use --bind for folders of the host");
  return data_folder{parts.list[0], parts.list[1], parts.read_only};
}

result<mount> parse_bind(std::string_view text) {
  const auto parts = parts_of(text);
  if (parts.list.size() != 2 || !parts.list[0].starts_with('/') || !parts.list[1].starts_with('/'))
    return bad("bind mount", text, "/path/on/host:/place/in/container, with :ro if it is only read");
  return mount{parts.list[0], parts.list[1], parts.read_only};
}

std::optional<ulimit> parse_ulimit(std::string_view text) {
  const auto colon = text.find(':');
  const auto soft = whole<int64_t>(text.substr(0, colon));
  const auto hard = colon == std::string_view::npos ? soft : whole<int64_t>(text.substr(colon + 1));
  if (!soft || !hard || *soft < -1 || *hard < -1) return std::nullopt;
  return ulimit{*soft, *hard};
}

std::optional<uint64_t> parse_bytes(std::string_view text) {
  struct unit {
    std::string_view name;
    unsigned shift;
  };
  constexpr std::array units = {unit{"", 0}, unit{"b", 0}, unit{"k", 10}, unit{"m", 20}, unit{"g", 30}, unit{"t", 40}};
  double n = 0;
  auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (err != std::errc{} || !(n >= 0) || n > 1e18) return std::nullopt;
  std::string word;
  for (auto p = end; p != text.data() + text.size(); ++p)
    word += static_cast<char>(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
  if (word.ends_with("ib") && word.size() == 3) word.resize(1);
  for (const auto& u : units)
    if (u.name == word) {
      const auto bytes = n * static_cast<double>(uint64_t{1} << u.shift);
      return bytes > 1e18 ? std::nullopt : std::optional(static_cast<uint64_t>(bytes));
    }
  return std::nullopt;
}

}  // namespace zedops::msg
