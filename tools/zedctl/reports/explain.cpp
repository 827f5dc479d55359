// The screen of server explain: what the manager answered, in columns.
#include <fmt/format.h>

#include "messages/base/names.hpp"
#include "tools/zedctl/reports/describe.hpp"

namespace zedops::ctl {
namespace {

style style_of(msg::explain_kind kind) {
  switch (kind) {
    case msg::explain_kind::transition: return style::strong;
    case msg::explain_kind::engine_call: return style::faint;
    case msg::explain_kind::timer:
    case msg::explain_kind::retry: return style::busy;
    case msg::explain_kind::desire:
    case msg::explain_kind::command:
    case msg::explain_kind::event:
    case msg::explain_kind::agent: break;
  }
  return style::plain;
}

std::string coming_text(msg::optional_time t, const look& l) {
  if (!t) return "";
  if (l.iso_time) return msg::to_rfc3339(*t);
  return *t <= l.now ? "now" : "in " + msg::format_age(*t - l.now);
}

std::string lines_text(const std::vector<msg::explain_line>& lines, const look& l, bool refs,
                       std::string (*when)(msg::optional_time, const look&)) {
  table t(refs ? std::vector<std::string_view>{"", "", "", ""} : std::vector<std::string_view>{"", "", ""});
  for (const auto& x : lines) {
    auto kind = std::string(name_of(x.kind));
    if (kind == "engine_call") kind = "engine";
    std::vector<phrase> row{{when(x.at, l), style::faint}, {std::move(kind), style::faint}, {x.text, style_of(x.kind)}};
    if (refs) row.insert(row.begin() + 2, {x.ref, style::faint});
    t.add(std::move(row));
  }
  return t.render({.headers = false, .colour = l.colour});
}

}  // namespace

std::string explain_text(const msg::explanation& e, const look& l, bool refs) {
  sheet page;
  auto past = lines_text(e.past, l, refs, ago_text);
  if (e.trimmed_before > 0) past.insert(0, fmt::format("events up to {} are no longer kept\n", e.trimmed_before));
  page.section("What led here", past);
  page.section("What comes next", lines_text(e.next, l, refs, coming_text));
  return e.summary + ".\n" + page.render(l.colour);
}

}  // namespace zedops::ctl
