#include "tools/zedctl/output/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "messages/base/names.hpp"

namespace zedops::ctl {

using namespace std::chrono_literals;

std::string painted(std::string_view text, style s, bool colour) {
  if (!colour || s == style::plain || text.empty()) return std::string(text);
  std::string_view code;
  switch (s) {
    case style::plain: break;
    case style::good: code = "32"; break;
    case style::busy: code = "36"; break;
    case style::warn: code = "33"; break;
    case style::bad: code = "31"; break;
    case style::faint: code = "2"; break;
    case style::strong: code = "1"; break;
  }
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

namespace {

struct sign {
  std::string_view glyph;
  style how;
};

// A pending rebuild and drift do not make it run worse.
bool running_well(const msg::server_view& s) {
  return std::ranges::none_of(s.condition, [](msg::condition c) {
    return c != msg::condition::ok && c != msg::condition::pending_rebuild && c != msg::condition::drift;
  });
}

sign sign_of(const msg::server_view& s) {
  using enum msg::server_status;
  switch (s.status) {
    case running: return running_well(s) ? sign{"●", style::good} : sign{"●", style::warn};
    case stopped: return {"○", style::faint};
    case creating:
    case deleting: return {"◐", style::busy};
    case missing:
      return s.data_state == msg::data_state::present || s.data_state == msg::data_state::unknown
                 ? sign{"▲", style::warn}
                 : sign{"✖", style::bad};
    case failed: return {"✖", style::bad};
    case deleted:
    case purged: break;
  }
  return {"⌫", style::warn};
}

std::string_view missing_word(msg::data_state d) {
  switch (d) {
    case msg::data_state::present: return "data";
    case msg::data_state::unknown: return "data unknown";
    case msg::data_state::absent:
    case msg::data_state::empty: break;
  }
  return "no data";
}

std::string step_text(const msg::operation_view& op) {
  std::string step = op.step.empty() ? std::string(name_of(op.status)) : op.step;
  std::ranges::replace(step, '_', ' ');
  return op.progress > 0 ? fmt::format("{} {}%", step, op.progress) : step;
}

phrase with_glyph(std::string text, sign s, const look& l) {
  return {l.glyphs ? fmt::format("{} {}", s.glyph, text) : std::move(text), s.how};
}

}  // namespace

std::vector<std::string> condition_words(const msg::server_view& s, const look& l) {
  std::vector<std::string> out;
  for (auto c : s.condition) {
    if (c == msg::condition::ok) continue;
    if (c == msg::condition::stale && s.agent_status != msg::agent_status::online)
      continue;  // the agent's state already says it
    std::string text(name_of(c));
    std::ranges::replace(text, '_', ' ');
    if (c == msg::condition::restarting && s.restarting_since)
      text += fmt::format(": {} in {}", counted(s.restarts, "time"), msg::format_age(l.now - *s.restarting_since));
    out.push_back(std::move(text));
  }
  return out;
}

phrase status_phrase(const msg::server_view& s, const look& l) {
  std::string text(name_of(s.status));
  sign mark = sign_of(s);
  std::vector<std::string> remarks;
  if (s.status == msg::server_status::missing) remarks.emplace_back(missing_word(s.data_state));
  for (auto& word : condition_words(s, l)) remarks.push_back(std::move(word));
  if (s.agent_status != msg::agent_status::online) {
    remarks.push_back(fmt::format("agent {}", name_of(s.agent_status)));
    if (mark.how == style::good) mark.how = style::warn;
  }
  for (size_t i = 0; i < remarks.size(); ++i) text += (i == 0 ? " (" : ", ") + remarks[i];
  if (!remarks.empty()) text += ')';
  if (s.operation) {
    bool making = s.status == msg::server_status::creating &&
                  (s.operation->kind == msg::op_kind::create || s.operation->kind == msg::op_kind::adopt);
    text += making ? ": " : fmt::format(", {}: ", name_of(s.operation->kind));
    text += step_text(*s.operation);
    mark = {"◐", style::busy};
  }
  return with_glyph(std::move(text), mark, l);
}

phrase agent_phrase(const msg::agent_view& a, const look& l) {
  std::string text(name_of(a.status));
  sign mark{"○", style::faint};
  switch (a.status) {
    case msg::agent_status::online: mark = {"●", style::good}; break;
    case msg::agent_status::suspect: mark = {"▲", style::warn}; break;
    case msg::agent_status::unreachable:
    case msg::agent_status::revoked: mark = {"✖", style::bad}; break;
    case msg::agent_status::pending: break;
  }
  if (a.status == msg::agent_status::online && !a.engine_ok) {
    text += " (engine down)";
    mark = {"▲", style::warn};
  }
  return with_glyph(std::move(text), mark, l);
}

phrase operation_phrase(const msg::operation_view& op, const look& l) {
  using enum msg::op_status;
  switch (op.status) {
    case accepted:
    case running: return with_glyph(fmt::format("{}: {}", name_of(op.status), step_text(op)), {"◐", style::busy}, l);
    case succeeded: return with_glyph("succeeded", {"●", style::good}, l);
    case failed:
      return with_glyph(op.failure ? fmt::format("failed ({})", name_of(op.failure->code)) : "failed",
                        {"✖", style::bad}, l);
    case cancelled: break;
  }
  return with_glyph("cancelled", {"○", style::faint}, l);
}

std::string data_text(const msg::server_view& s, const look& l) {
  if (!s.data_problem.empty())
    return fmt::format("{} (unchecked for {})", data_text(s),
                       msg::format_age(l.now - s.data_problem_since.value_or(l.now)));
  return data_text(s);
}

std::string data_text(const msg::server_view& s) {
  std::string text(name_of(s.data_state));
  if (s.data_bytes && s.data_state == msg::data_state::present) text += ' ' + msg::format_bytes(*s.data_bytes);
  return text;
}

std::string ports_text(const msg::server_view& s) {
  auto ports = s.ports;
  std::ranges::sort(ports, [](const auto& a, const auto& b) {
    return a.proto != b.proto ? a.proto > b.proto : a.number < b.number;  // udp, the players' ports, first
  });
  std::string out;
  for (size_t i = 0; i < ports.size();) {
    size_t end = i + 1;
    while (end < ports.size() && ports[end].proto == ports[i].proto && ports[end].number == ports[end - 1].number + 1)
      ++end;
    if (!out.empty()) out += ' ';
    out += std::to_string(ports[i].number);
    if (end - i > 1) out += '-' + std::to_string(ports[end - 1].number);
    out += '/';
    out += name_of(ports[i].proto);
    i = end;
  }
  return out.empty() ? "-" : out;
}

std::string image_text(const msg::server_view& s) {
  const bool digest = s.image_tag.find(':') != std::string::npos;
  auto wanted = s.image_tag.empty() ? s.image : s.image + (digest ? '@' : ':') + s.image_tag;
  // An id in place of a name: the Engine no longer knows the name that the container was made from.
  const bool other = !s.container_id.empty() && !s.container_image.empty() && s.container_image != wanted &&
                     !s.container_image.starts_with("sha256:");
  return other ? fmt::format("{} (runs {})", wanted, s.container_image) : wanted;
}

std::string age_text(msg::optional_time t, const look& l) {
  if (!t) return "-";
  return l.iso_time ? msg::to_rfc3339(*t) : msg::format_age(l.now - *t);
}

std::string ago_text(msg::optional_time t, const look& l) {
  if (!t) return "never";
  return l.iso_time ? msg::to_rfc3339(*t) : msg::format_age(l.now - *t) + " ago";
}

std::string until_text(msg::time_point t, const look& l) {
  if (l.iso_time) return msg::to_rfc3339(t);
  auto seconds =
      std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::system_clock::duration>(t));
  std::tm local{};
  localtime_r(&seconds, &local);
  bool soon = t - l.now < 6 * 24h;
  char text[32];
  size_t n = std::strftime(text, sizeof text, soon ? "%a %H:%M" : "%Y-%m-%d %H:%M", &local);
  return {text, n};
}

std::string counted(uint64_t n, std::string_view noun) { return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s"); }

std::string joined(const std::vector<std::string>& words, std::string_view last) {
  std::string out;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? fmt::format(" {} ", last) : ", ";
    out += words[i];
  }
  return out;
}

}  // namespace zedops::ctl
