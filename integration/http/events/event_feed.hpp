// Live events for many readers, without sockets: each event is encoded once, and kept for a while for readers that
// reconnect. On one thread.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "messages/base/ids.hpp"

namespace zedops::web {

using text_ptr = std::shared_ptr<const std::string>;

struct live_event {
  uint64_t seq = 0;
  std::string subject;  // "server.s…"
  std::string type;
  text_ptr plain;   // as sent over the wire; null: no reader wanted it when it came
  text_ptr record;  // the same with the current record of its subject
  // Where rights on its subject have to hold; both empty: everywhere. Looked up once, not for each reader.
  msg::agent_id agent{};
  msg::server_id server{};
};

// "id: 7:42\nevent: server.deleted\ndata: {…}\n\n"
std::string sse_text(const std::string& id, const std::string& type, const std::string& data);

struct event_filter {
  std::string subject{};  // prefixes; empty: all
  std::string type{};
  bool record = false;
  std::function<bool(const live_event&)> may_see{};  // called for each event, so it looks nothing up; empty: all
  bool wants(const live_event& e) const {
    return e.subject.starts_with(subject) && e.type.starts_with(type) && (!may_see || may_see(e));
  }
};

class event_feed {
 public:
  using sink = std::function<void(text_ptr)>;
  explicit event_feed(size_t kept_max = 4'096) : kept_max_(kept_max) {}

  // Nothing is known of events up to this one.
  void begin_after(uint64_t seq);
  void push(live_event e);
  uint64_t newest() const { return newest_; }

  // A reader from the event after `seq` on: at once what is kept, then what comes. Nothing: it needs older events than
  // are kept here, or another form of them.
  std::optional<uint64_t> join(event_filter filter, uint64_t seq, sink to);
  void leave(uint64_t reader);
  size_t readers() const { return readers_.size(); }

 private:
  struct reader {
    event_filter filter;
    sink to;
    uint64_t after = 0;
  };
  static void give(const reader& r, const live_event& e) {
    if (e.seq <= r.after || !r.filter.wants(e)) return;
    if (const auto& text = r.filter.record ? e.record : e.plain) r.to(text);
  }

  size_t kept_max_;
  std::deque<live_event> kept_;
  std::map<uint64_t, reader> readers_;
  uint64_t newest_ = 0, next_reader_ = 1;
};

}  // namespace zedops::web
