#include "tools/zedctl/input/moment.hpp"

#include <fmt/format.h>

namespace zedops::ctl {

msg::result<msg::time_point> moment_of(session& s, const std::string& text) {
  if (auto t = msg::from_rfc3339(text)) return *t;
  if (auto d = msg::parse_duration(text)) return s.outside().now() - *d;
  auto wanted = msg::parse_cursor(text);
  if (!wanted || wanted->seq == 0)
    return msg::fail(
        msg::ec::bad_request, fmt::format("'{}' is not a point in time", text),
        "give a time (2026-05-01T12:00:00Z), how long ago (10m, 2h30m), or the cursor of an event (7:1042)");
  msg::replay_events ask;
  ask.since = msg::to_text({wanted->epoch, wanted->seq - 1});
  ask.limit = 1;
  auto page = s.ask<msg::event_page>("event.replay", ask);
  if (!page) return msg::fail(page.error());
  if (page->events.empty() || msg::parse_cursor(msg::cursor_text(page->events.front())) != wanted)
    return msg::fail(msg::ec::not_found, fmt::format("event {} is not in the stored history", text),
                     "zedctl event replay lists the stored events with their cursors");
  return page->events.front().time;
}

}  // namespace zedops::ctl
