#include "tools/manager/web/log_stream.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

#include "integration/http/events/event_feed.hpp"
#include "messages/api/log_cursor.hpp"
#include "tools/manager/web/answers.hpp"

namespace zedops::app {

using namespace msg;

namespace {

constexpr std::chrono::milliseconds pause{1'000};  // when nothing came
constexpr duration hold{20'000};
constexpr uint32_t tail_default = 200, tail_max = 5'000;

class log_reader : public std::enable_shared_from_this<log_reader> {
 public:
  log_reader(std::shared_ptr<web::exchange> e, caller who, std::string server, const callers& known, calls& to,
             web::server& on, rt::wall_clock& clock)
      : to_(std::move(e)), who_(std::move(who)), callers_(known), calls_(to), server_(on), clock_(clock) {
    query_.server = std::move(server);
    query_.tail = tail_default;
  }

  void begin() {
    const auto& r = to_->asked();
    if (auto ok = web::takes_only(r, {"follow", "tail"}); !ok) return send(*to_, ok.error());
    if (const auto tail = r.parameter("tail"); !tail.empty())
      std::from_chars(tail.data(), tail.data() + tail.size(), query_.tail);
    query_.tail = std::clamp<uint32_t>(query_.tail, 1, tail_max);
    if (const auto place = std::string(r.header("last-event-id")); !place.empty()) {
      auto c = log_cursor::parse(place);
      if (!c)
        return send(*to_, {ec::bad_request,
                           "'" + place.substr(0, 60) + "' is not a place in the logs",
                           "leave out Last-Event-ID to start over",
                           {}});
      seen_ = *c;
      seen_.go_on(query_.since, false, false);
    }
    ask();
  }

 private:
  void ask() {
    calls_.ask({who_.who, "server.logs", pack_map(query_)},
               [self = shared_from_this()](rt::answer kind, const std::string& body) {
                 self->server_.post([self, kind, body] { self->take(kind, body); });
               });
  }

  void take(rt::answer kind, const std::string& body) {
    if (gone_) return;
    auto reply = kind == rt::answer::result ? unpack_map<logs_reply>(body) : result<logs_reply>(fail(error_in(body)));
    if (!begun_ && !reply) return send(*to_, reply.error());
    if (!begun_) start();
    bool more = false;
    if (reply) {
      const auto fresh = seen_.take(std::move(reply->lines));
      if (!fresh.empty()) write(fresh);
      more = !query_.since.empty() && (reply->cut || !fresh.empty());
      seen_.go_on(query_.since, reply->cut, fresh.empty());
      query_.hold = query_.since.empty() ? duration{} : hold;
      troubled_ = false;
    } else if (!troubled_) {  // its agent is offline, or it has no container: that may pass
      troubled_ = true;
      write_event({}, "trouble", to_json(reply.error()));
      if (reply.error().code == ec::not_found || reply.error().code == ec::forbidden) return to_->end_stream();
    }
    if (more) return ask();
    server_.after(pause, [self = shared_from_this()] {
      if (self->gone_) return;
      if (self->callers_.still(self->who_, self->clock_.now())) self->ask();
      else self->to_->end_stream();
    });
  }

  void start() {
    begun_ = true;
    to_->begin_stream(stream_head(), [self = shared_from_this()] { self->gone_ = true; });
    write_event({}, "welcome", "{}");
  }
  void write(const std::vector<log_line>& lines) {
    nlohmann::ordered_json out = nlohmann::ordered_json::array();
    for (const auto& l : lines) out.push_back({{"at", l.at}, {"stream", l.stream}, {"text", l.text}});
    write_event(seen_.text(), "lines", out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  }
  void write_event(const std::string& id, const std::string& type, const std::string& data) {
    to_->write(std::make_shared<const std::string>(web::sse_text(id, type, data)));
  }

  std::shared_ptr<web::exchange> to_;
  const caller who_;
  const callers& callers_;
  calls& calls_;
  web::server& server_;
  rt::wall_clock& clock_;
  server_logs query_;
  log_cursor seen_;
  bool begun_ = false, gone_ = false, troubled_ = false;
};

}  // namespace

void follow_logs(std::shared_ptr<web::exchange> e, caller who, std::string server, const callers& known, calls& to,
                 web::server& on, rt::wall_clock& clock) {
  std::make_shared<log_reader>(std::move(e), std::move(who), std::move(server), known, to, on, clock)->begin();
}

}  // namespace zedops::app
