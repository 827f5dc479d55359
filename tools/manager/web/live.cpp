#include "tools/manager/web/live.hpp"

#include <nlohmann/json.hpp>

#include "actors/core/access.hpp"
#include "actors/manager/doors/admission.hpp"
#include "actors/manager/doors/answers.hpp"
#include "actors/manager/records/as_of.hpp"
#include "messages/base/cursor.hpp"
#include "tools/manager/web/answers.hpp"

namespace zedops::app {

using namespace msg;

namespace {

constexpr int idle_beats_max = 12;  // after a minute without readers the hub is not followed any more
constexpr uint32_t stored_at_once = 100;
constexpr size_t waiting_max = 256 * 1024;  // bytes for a reader, before more is read for it from the store
constexpr std::chrono::milliseconds read_again{20};
constexpr size_t readers_max = 10'000;
constexpr std::chrono::milliseconds follow_again{500};

web::text_ptr shared_text(std::string text) { return std::make_shared<const std::string>(std::move(text)); }

}  // namespace

void live::open(manager::node& node, web::server& server) {
  node_ = &node;
  server_ = &server;
}

core::access_subject live::place_of(const std::string& subject) const {
  const auto dot = subject.find('.');
  auto id = dot == subject.npos ? std::string{} : subject.substr(dot + 1);
  if (subject.substr(0, dot) == "operation") {
    auto op = manager::operation_with(world_, operation_id{id});
    id = op && *op ? (*op)->target.value : std::string{};
  }
  return manager::place_of(world_, id);
}

web::live_event live::placed(const event& e) const {
  auto at = place_of(e.subject);
  return {e.seq, e.subject, std::string(type_of(e.data)), nullptr, nullptr, std::move(at.agent), std::move(at.server)};
}

std::string live::record_of(const std::string& subject) const {
  const auto dot = subject.find('.');
  const auto kind = subject.substr(0, dot), id = dot == subject.npos ? std::string{} : subject.substr(dot + 1);
  const auto server_text = [&](const std::string& which) {
    auto s = world_.records.server({which});
    return s && s->status != server_status::purged ? to_json(manager::view_in(world_, s)) : std::string("null");
  };
  if (kind == "server") return R"("server":)" + server_text(id);
  if (kind == "agent") {
    auto a = world_.records.agent({id});
    return R"("agent":)" + (a ? to_json(manager::view_in(world_, *a)) : std::string("null"));
  }
  if (kind == "operation") {
    auto op = manager::operation_with(world_, operation_id{id});
    if (op && *op)
      return R"("operation":)" + to_json(view_of(**op)) + R"(,"server":)" + server_text((*op)->target.value);
  }
  return {};
}

web::text_ptr live::text_of(const event& e, bool with_record) const {
  auto data = to_json(e);
  if (with_record)
    if (auto record = record_of(e.subject); !record.empty()) data.replace(data.size() - 1, 1, ',' + record + '}');
  return shared_text(web::sse_text(cursor_text(e), std::string(type_of(e.data)), data));
}

void live::begin(std::shared_ptr<web::exchange> e, caller who) {
  const auto& r = e->asked();
  if (auto ok = web::takes_only(r, {"subject", "type", "since", "record"}); !ok) return send(*e, ok.error());
  // A caller with rights on a part gets the events of that part; one without any right is refused here.
  if (!core::is_scoped(*who.who))
    if (auto ok = core::authorize(*who.who, verb_table[find_verb("event.replay")], {}); !ok)
      return send(*e, ok.error());
  if (readers_.size() >= readers_max)
    return send(*e, {ec::rate_limited, "too many clients follow events", "try again later", {}});
  auto mine = std::make_shared<reader>();
  mine->filter.subject = std::string(r.parameter("subject"));
  mine->filter.type = std::string(r.parameter("type"));
  mine->filter.record = !r.parameter("record").empty() && r.parameter("record") != "0";
  if (core::is_scoped(*who.who))
    mine->filter.may_see = [p = who.who](const web::live_event& x) { return core::may_see(*p, {x.agent, x.server}); };
  // A browser sends its place by itself; others may give it in the address.
  const auto place = std::string(r.header("last-event-id").empty() ? r.parameter("since") : r.header("last-event-id"));
  const auto cursor = place.empty() ? std::optional<msg::cursor>{} : parse_cursor(place);
  if (!place.empty() && !cursor)
    return send(
        *e, {ec::bad_request, "'" + place.substr(0, 60) + "' is not a place in the events", "give epoch:number", {}});
  mine->from = world_.last_seq.load();
  std::string hello;
  if (cursor && cursor->epoch == world_.history.epoch() && cursor->seq <= mine->from) mine->from = cursor->seq;
  else if (cursor) hello = web::sse_text({}, "gap", R"({"reason":"the event history was reset"})");
  mine->who = std::move(who);
  mine->to = e;
  readers_.push_back(mine);
  count_ = readers_.size();
  count_record_ += mine->filter.record;
  e->begin_stream(stream_head(), [this, weak = std::weak_ptr(mine)] {
    if (auto gone = weak.lock()) leave(gone);
  });
  const nlohmann::ordered_json welcome{{"cursor", to_text({world_.history.epoch(), mine->from})},
                                       {"manager", world_.manager_id},
                                       {"version", ZEDOPS_VERSION},
                                       {"time", to_rfc3339(world_.clock.now())}};
  // With its place, so that a reader that reconnects before anything has happened misses nothing.
  const auto place_now = to_text({world_.history.epoch(), mine->from});
  e->write(shared_text("retry: 1000\n" + hello + web::sse_text(place_now, "welcome", welcome.dump())));
  start_following();
  go_on(mine);
}

void live::leave(const reader_ptr& r) {
  if (r->in_feed) feed_.leave(*r->in_feed);
  r->in_feed.reset();
  r->to.reset();
  if (std::erase(readers_, r) > 0) count_record_ -= r->filter.record;
  count_ = readers_.size();
}

// From what is kept here, or else page by page from what is stored.
void live::go_on(const reader_ptr& r) {
  if (!r->to || r->in_feed || r->asking || following_ != state::following) return;
  if (r->to->waiting_bytes() > waiting_max) {  // only as fast as the reader reads
    r->asking = true;
    return server_->after(read_again, [this, weak = std::weak_ptr(r)] {
      const auto still = weak.lock();
      if (!still) return;
      still->asking = false;
      go_on(still);
    });
  }
  r->in_feed = feed_.join(r->filter, r->from, [to = r->to](web::text_ptr text) { to->write(std::move(text)); });
  if (r->in_feed) return;
  replay_events q{to_text({world_.history.epoch(), r->from}), r->filter.subject, r->filter.type, stored_at_once};
  r->asking = true;
  // Asked as the manager itself: what this reader may see is decided for each event.
  calls_.ask({std::make_shared<const principal>(local_principal("manager")), "event.replay", pack_map(q)},
             [this, weak = std::weak_ptr(r)](rt::answer kind, const std::string& body) {
               server_->post([this, weak, kind, body] {
                 if (auto still = weak.lock()) took_page(still, kind, body);
               });
             });
}

void live::took_page(const reader_ptr& r, rt::answer kind, const std::string& body) {
  r->asking = false;
  if (!r->to) return;
  auto page = kind == rt::answer::result ? unpack_map<event_page>(body)
                                         : result<event_page>(fail(ec::internal, "the events cannot be read", ""));
  if (!page) return r->to->end_stream();  // the reader reconnects, from where it is
  if (page->gap_from != 0) {
    const nlohmann::json gap{{"from", page->gap_from}, {"to", page->gap_to}, {"reason", "they were trimmed"}};
    r->to->write(shared_text(web::sse_text({}, "gap", gap.dump())));
  }
  for (const auto& e : page->events)
    if (!r->filter.may_see || r->filter.may_see(placed(e))) r->to->write(text_of(e, r->filter.record));
  // No further than was read, even if nothing was found: what came meanwhile is in the feed.
  if (auto c = parse_cursor(page->cursor)) r->from = std::max(r->from, c->seq);
  go_on(r);
}

void live::start_following() {
  idle_beats_ = 0;
  if (following_ != state::resting) return;
  following_ = state::starting;
  const auto number = std::to_string(++follower_);
  {
    std::lock_guard lock(mutex_);
    heard_ = number;
    arrived_.clear();  // of one before
  }
  node_->follow({{this, number, {}}, {}, {}});
}

void live::forget_all() {
  for (const auto& r : readers_) r->to.reset();
  readers_.clear();
  feed_ = web::event_feed{};
}

void live::stop_following() {
  {
    std::lock_guard lock(mutex_);
    heard_.clear();
  }
  node_->client_lost({std::to_string(follower_), this});
  following_ = state::resting;
}

bool live::reply(const rt::peer& to, rt::answer kind, std::string body) {
  std::lock_guard lock(mutex_);
  if (to.connection != heard_) return false;
  const bool flood = arrived_.size() >= arrived_max;
  if (flood || kind == rt::answer::error) {
    // The hub has ended, has no room, or drops us: what comes from here on is read from the store.
    heard_.clear();
    kind = rt::answer::error;
  }
  arrived_.emplace_back(kind, std::move(body));
  if (!std::exchange(taking_, true)) server_->post([this] { take_some(); });
  return !flood;
}

void live::begin_following(const std::string& body) {
  auto head = unpack_map<event_page>(body);
  const auto c = head ? parse_cursor(head->cursor) : std::nullopt;
  feed_.begin_after(c ? c->seq : world_.last_seq.load());
  following_ = state::following;
  for (const auto& r : std::vector(readers_)) go_on(r);
}

// The hub is not followed any more. Readers continue from where they are, page by page, until they have caught up.
void live::end_following() {
  for (const auto& r : readers_) {
    if (!r->in_feed) continue;
    r->from = std::max(r->from, feed_.newest());
    feed_.leave(*r->in_feed);
    r->in_feed.reset();
  }
  following_ = state::resting;
  server_->after(follow_again, [this] {
    if (!readers_.empty()) start_following();
  });
}

// The subject whose record goes with an event: of several events of one server only the last carries it.
std::string live::about(const event& e) {
  const auto* accepted = std::get_if<operation_accepted>(&e.data);
  return accepted ? "server." + accepted->op->target.value : e.subject;
}

// At most `taken_at_once`, then others have their turn: a flood of events delays no request.
void live::take_some() {
  std::vector<arrival> batch;
  {
    std::lock_guard lock(mutex_);
    const auto n = std::min(arrived_.size(), taken_at_once);
    std::move(arrived_.begin(), arrived_.begin() + static_cast<std::ptrdiff_t>(n), std::back_inserter(batch));
    arrived_.erase(arrived_.begin(), arrived_.begin() + static_cast<std::ptrdiff_t>(n));
    taking_ = !arrived_.empty();
    if (taking_) server_->post([this] { take_some(); });
  }
  std::vector<event> events;
  for (const auto& [kind, body] : batch) {
    if (kind == rt::answer::item) {
      if (auto e = unpack_map<event>(body)) events.push_back(std::move(*e));
      continue;
    }
    push(std::exchange(events, {}));
    if (kind == rt::answer::accepted) begin_following(body);
    else end_following();
  }
  push(std::move(events));
}

void live::push(std::vector<event> events) {
  const bool records = count_record_ > 0, plain = readers_.size() > count_record_;
  std::map<std::string, size_t> last;
  if (records)
    for (size_t i = 0; i < events.size(); ++i) last[about(events[i])] = i;
  for (size_t i = 0; i < events.size(); ++i) {
    const auto& e = events[i];
    auto out = placed(e);
    if (plain) out.plain = text_of(e, false);
    if (records) out.record = text_of(e, last[about(e)] == i);
    feed_.push(std::move(out));
  }
}

void live::beat() {
  behind_ = static_cast<uint64_t>(std::ranges::count_if(readers_, [](const auto& r) { return !r->in_feed; }));
  if (following_ == state::following && readers_.empty() && ++idle_beats_ > idle_beats_max) return stop_following();
  if (readers_.empty()) return;
  const auto now = world_.clock.now();
  const nlohmann::json beat{{"time", to_rfc3339(now)}};
  const auto text = shared_text(web::sse_text({}, "beat", beat.dump()));
  // A reader that has everything need not begin further back than here.
  const auto caught_up =
      shared_text(web::sse_text(to_text({world_.history.epoch(), feed_.newest()}), "beat", beat.dump()));
  for (const auto& r : std::vector(readers_)) {
    if (!r->to) continue;
    if (callers_.still(r->who, now)) r->to->write(r->in_feed && r->from <= feed_.newest() ? caught_up : text);
    else r->to->end_stream();
  }
}

}  // namespace zedops::app
