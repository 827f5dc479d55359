#include "bus/subscriber.hpp"

#include <algorithm>
#include <random>

#include "bus/detail/dial.hpp"
#include "bus/detail/socket.hpp"
#include "bus/detail/zap.hpp"
#include "bus/endpoint.hpp"

namespace zedops::bus {

using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

struct subscriber::impl {
  std::shared_ptr<zmq::context_t> context = detail::shared_context();
  zmq::socket_t sub;
};

msg::result<subscriber> subscriber::connect(const address& to, int queue_max) {
  if (auto there = probe(to); !there) return msg::fail(there.error());
  try {
    auto p = std::make_unique<impl>();
    p->sub =
        detail::make_socket(*p->context, zmq::socket_type::sub, {queue_max, queue_max, static_cast<int64_t>(body_max)});
    detail::dial_with(p->sub, to);
    p->sub.connect(to.uri);
    return subscriber(std::move(p));
  } catch (const zmq::error_t& e) {
    return msg::fail(detail::from_zmq("connecting to " + to.uri, e));
  }
}

subscriber::subscriber(std::unique_ptr<impl> p) : impl_(std::move(p)) {}
subscriber::subscriber(subscriber&&) noexcept = default;
subscriber& subscriber::operator=(subscriber&&) noexcept = default;
subscriber::~subscriber() = default;

msg::result<void> subscriber::subscribe(const std::string& topic_prefix) {
  if (topic_prefix.size() > topic_max)
    return msg::fail(msg::ec::bad_request, "a topic has at most " + std::to_string(topic_max) + " bytes",
                     "topics look like server.<id>");
  try {
    impl_->sub.set(zmq::sockopt::subscribe, topic_prefix);
    return {};
  } catch (const zmq::error_t& e) {
    return msg::fail(detail::from_zmq("subscribing", e));
  }
}

msg::result<std::optional<raw_event>> subscriber::next(milliseconds wait) {
  auto in = detail::receive_frames(impl_->sub, frame_count_max);
  for (auto until = clock::now() + wait; !in;) {
    auto left = std::chrono::ceil<milliseconds>(until - clock::now()).count();
    zmq_pollitem_t item{impl_->sub.handle(), 0, ZMQ_POLLIN, 0};
    detail::poll(&item, 1, left > 0 ? left : 0);
    in = detail::receive_frames(impl_->sub, frame_count_max);
    if (!in && left <= 0) return std::nullopt;
  }
  auto parsed = parse_event(std::move(in->parts));
  if (!parsed) return msg::fail(parsed.error());
  return std::optional<raw_event>(std::move(*parsed));
}

namespace {

std::string new_sync_topic() {
  std::random_device entropy;
  std::string topic(sync_topic_prefix);
  for (int i = 0; i < 16; ++i) topic += "0123456789abcdef"[entropy() % 16];
  return topic;
}

event_follower make_follower(const event_stream_options& o) {
  return o.topic_prefixes.empty() ? event_follower::of_everything(o.since)
                                  : event_follower::of_subjects(o.since, o.subject_seq);
}

}  // namespace

event_stream::event_stream(event_stream_options options, replay_fn replay, subscriber s, event_follower f,
                           std::string sync_topic)
    : options_(std::move(options)),
      replay_(std::move(replay)),
      subscriber_(std::move(s)),
      follower_(std::move(f)),
      sync_topic_(std::move(sync_topic)) {}

msg::result<event_stream> event_stream::open(event_stream_options options, replay_fn replay) {
  if (!options.topic_prefixes.empty() && !options.subject_seq)
    return msg::fail(msg::ec::bad_request, "a filtered stream of events cannot detect gaps without subject_seq",
                     "pass the function that reads it from the event's body");
  auto s = subscriber::connect(options.events_at);
  if (!s) return msg::fail(s.error());
  std::string sync_topic = new_sync_topic();
  auto topics = options.topic_prefixes;
  if (topics.empty()) topics.emplace_back();
  topics.push_back(sync_topic);  // last: its message says that those before it work
  for (const auto& topic : topics)
    if (auto ok = s->subscribe(topic); !ok) return msg::fail(ok.error());
  auto follower = make_follower(options);
  return event_stream(std::move(options), std::move(replay), std::move(*s), std::move(follower), std::move(sync_topic));
}

msg::result<std::optional<follow_item>> event_stream::next(milliseconds wait) {
  auto until = clock::now() + wait;
  for (;;) {
    if (auto item = follower_.pop()) return item;
    if (auto after = synchronised_ ? follower_.wants_replay() : std::nullopt) {
      auto page = replay_(*after);
      if (!page) return msg::fail(page.error());
      bool stuck = !page->complete && page->through <= *after;
      if (stuck)
        return msg::fail(msg::ec::internal, "the event history after " + to_text(*after) + " does not advance",
                         "report this, with the manager's log");
      follower_.on_page(std::move(*page));
      continue;
    }
    auto now = clock::now();
    auto quiet_at = last_event_ + options_.quiet;
    auto got = subscriber_.next(
        std::chrono::ceil<milliseconds>(std::max(std::min(until, quiet_at) - now, clock::duration(0))));
    if (!got) return msg::fail(got.error());
    if (*got && (*got)->topic.starts_with(sync_topic_prefix)) {
      // With everything subscribed the messages for other watchers come, too.
      if ((*got)->topic != sync_topic_) continue;
      synchronised_ = true;
      follower_.on_head((*got)->at);
    } else if (*got) {
      follower_.on_live(std::move(**got));
      last_event_ = clock::now();
    } else if (clock::now() >= until) {
      return std::nullopt;
    } else {
      follower_.on_quiet();
      last_event_ = clock::now();
    }
  }
}

}  // namespace zedops::bus
