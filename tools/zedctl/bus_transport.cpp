#include "bus/subscriber.hpp"
#include "messages/wire/codec.hpp"
#include "tools/zedctl/transport.hpp"

namespace zedops::ctl {
namespace {

using namespace std::chrono_literals;

constexpr uint32_t replay_page_events = 1'000;
constexpr auto replay_patience = 10s;

bus::raw_event raw_of(const msg::event& e, uint64_t epoch) { return {e.subject, {epoch, e.seq}, msg::pack_map(e)}; }

std::optional<uint64_t> subject_seq_of(const bus::raw_event& raw) {
  auto e = msg::unpack_map<msg::event>(raw.body);
  if (!e) return std::nullopt;
  return e->subject_seq;
}

bool wanted(const std::vector<std::string>& subjects, const std::string& subject) {
  if (subjects.empty()) return true;
  for (const auto& prefix : subjects)
    if (subject.starts_with(prefix)) return true;
  return false;
}

// Reads the history over a connection of its own, which is opened again after it broke.
class history {
 public:
  history(bus::address at, std::vector<std::string> subjects) : at_(std::move(at)), subjects_(std::move(subjects)) {}

  msg::result<bus::replay_page> after(bus::cursor from) {
    if (!client_) {
      auto made = bus::client::connect(at_);
      if (!made) return msg::fail(made.error());
      client_.emplace(std::move(*made));
    }
    msg::replay_events ask;
    ask.since = bus::to_text(from);
    ask.limit = replay_page_events;
    if (subjects_.size() == 1) ask.subject = subjects_.front();
    auto reply = client_->request("event.replay", msg::pack_map(ask), {{}, replay_patience, {}});
    if (!reply) {
      client_.reset();
      return msg::fail(reply.error());
    }
    if (reply->kind == bus::reply_kind::error) {
      auto e = msg::unpack_map<msg::error>(reply->body);
      return msg::fail(e ? *e : e.error());
    }
    auto page = msg::unpack_map<msg::event_page>(reply->body);
    if (!page) return msg::fail(page.error());
    return translated(*page, from);
  }

 private:
  msg::result<bus::replay_page> translated(const msg::event_page& page, bus::cursor from) const {
    auto through = bus::parse_cursor(page.cursor);
    if (!through)
      return msg::fail(msg::ec::internal,
                       "the manager's event page ends at '" + page.cursor + "', which is not a cursor",
                       "compare the versions with zedctl doctor");
    bus::replay_page out;
    out.through = *through;
    out.complete = page.end;
    if (page.gap_to > 0) out.gap = bus::event_gap{bus::event_gap::why::trimmed, from, {through->epoch, page.gap_to}};
    for (const auto& e : page.events)
      if (wanted(subjects_, e.subject)) out.events.push_back(raw_of(e, through->epoch));
    return out;
  }

  bus::address at_;
  std::vector<std::string> subjects_;
  std::optional<bus::client> client_;
};

std::string words(bus::event_gap::why reason) {
  switch (reason) {
    case bus::event_gap::why::trimmed: return "the history no longer holds these events";
    case bus::event_gap::why::epoch_changed: return "the history was reset: read the state again";
    case bus::event_gap::why::missing: break;
  }
  return "events are missing from the history itself";
}

class bus_events final : public event_source {
 public:
  explicit bus_events(bus::event_stream stream) : stream_(std::move(stream)) {}

  msg::result<std::optional<event_item>> next(std::chrono::milliseconds wait) override {
    auto item = stream_.next(wait);
    if (!item) return msg::fail(item.error());
    if (!*item) return std::nullopt;
    if (auto* gap = std::get_if<bus::event_gap>(&**item))
      return std::optional<event_item>(
          event_gap{words(gap->reason), bus::to_text(gap->after), bus::to_text(gap->through)});
    auto e = msg::unpack_map<msg::event>(std::get<bus::raw_event>(**item).body);
    if (!e) return msg::fail(e.error());
    return std::optional<event_item>(std::move(*e));
  }

 private:
  bus::event_stream stream_;
};

class bus_transport final : public transport {
 public:
  bus_transport(bus::client c, bus::address clients, bus::address events)
      : client_(std::move(c)), clients_(std::move(clients)), events_(std::move(events)) {}

  msg::result<std::string> post(const std::string& verb, std::string body, bus::send_options options) override {
    return client_.post(verb, std::move(body), std::move(options));
  }
  msg::result<std::optional<bus::reply>> receive(std::chrono::milliseconds wait) override {
    return client_.receive(wait);
  }
  msg::result<std::unique_ptr<event_source>> events(const event_query& query) override {
    bus::event_stream_options options;
    options.events_at = events_;
    options.topic_prefixes = query.subjects;
    if (!query.subjects.empty()) options.subject_seq = subject_seq_of;
    if (!query.since.empty()) {
      options.since = bus::parse_cursor(query.since);
      if (!options.since)
        return msg::fail(msg::ec::bad_request, "'" + query.since + "' is not a cursor",
                         "cursors look like 7:1042; zedctl status shows the newest");
    }
    auto past = std::make_shared<history>(clients_, query.subjects);
    auto stream = bus::event_stream::open(std::move(options), [past](bus::cursor after) { return past->after(after); });
    if (!stream) return msg::fail(stream.error());
    return std::make_unique<bus_events>(std::move(*stream));
  }

 private:
  bus::client client_;
  bus::address clients_, events_;
};

// With the keys that a connection over the network needs.
msg::result<bus::address> address_of(const std::string& uri, const endpoints& where) {
  if (!bus::is_tcp(uri)) return bus::address(uri);
  if (!bus::is_public_key(where.manager_key))
    return msg::fail(msg::ec::bad_request, "the public key of the manager at " + uri + " is not known",
                     "zedctl context add NAME --endpoint " + uri +
                         " --manager-key KEY, or set ZEDCTL_MANAGER_KEY; "
                         "on the manager's machine zedctl key show --manager prints the key");
  auto own = bus::load_key(where.key_file);
  if (!own) {
    if (own.error().code == msg::ec::not_found) own.error().hint = "make one: zedctl key gen";
    return msg::fail(own.error());
  }
  return bus::address(uri, where.manager_key, *own);
}

}  // namespace

msg::result<std::unique_ptr<transport>> connect_bus(const endpoints& where) {
  auto clients = address_of(where.clients, where);
  if (!clients) return msg::fail(clients.error());
  auto events = address_of(where.events, where);
  if (!events) return msg::fail(events.error());
  auto c = bus::client::connect(*clients);
  if (!c) return msg::fail(c.error());
  return std::make_unique<bus_transport>(std::move(*c), std::move(*clients), std::move(*events));
}

}  // namespace zedops::ctl
