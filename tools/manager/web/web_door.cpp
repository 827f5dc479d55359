#include "tools/manager/web/web_door.hpp"

#include "actors/core/access.hpp"
#include "config/logging/logging.hpp"
#include "integration/http/api/json_read.hpp"
#include "integration/http/api/openapi.hpp"
#include "tools/manager/web/answers.hpp"
#include "tools/manager/web/hooks.hpp"
#include "tools/manager/web/log_stream.hpp"
#include "tools/manager/web/monitoring.hpp"

namespace zedops::app {

using namespace msg;
using json = nlohmann::ordered_json;

namespace {

constexpr std::chrono::milliseconds beat_period{5'000};
constexpr size_t idempotency_key_max = 128;
constexpr size_t bulk_max = 200, place_digits = 4;  // of one of many: "-199"

int64_t steady_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

web::response as_json(const json& j) { return web::text_response(200, "application/json", j.dump() + "\n"); }

bool is(const web::request& r, std::initializer_list<std::string_view> path) {
  return std::equal(r.segments.begin(), r.segments.end(), path.begin(), path.end());
}

// The tag is the first header: what has not changed since it was read is not sent again.
web::response unless_known(web::response r, const web::request& asked) {
  if (!r.headers.empty() && r.headers.front().first == "ETag" &&
      asked.header("if-none-match") == r.headers.front().second) {
    r.status = 304;
    r.body.reset();
  }
  return r;
}
void tag(web::response& r, const std::string& mark = {}) {
  r.headers.insert(r.headers.begin(),
                   {{"ETag", '"' + mark + std::to_string(text_hash(*r.body)) + '"'}, {"Cache-Control", "no-cache"}});
}

// Answers that are the same for all who may see everything, until the records change.
bool is_shared(size_t row, const principal& who) {
  const auto& verb = verb_table[row];
  return (verb.verb == "server.ls" || verb.verb == "server.get") && !core::is_scoped(who) &&
         core::authorize(who, verb, {});
}

web::response answer_of(size_t row, const web::request& asked, rt::answer kind, const std::string& body) {
  if (kind == rt::answer::error) return web::error_response(error_in(body));
  auto text = web::json_of(row, body);
  if (!text) return web::error_response(text.error());
  auto out = web::text_response(200, "application/json", std::move(*text));
  const auto& verb = verb_table[row];
  if (is_operation(verb)) {
    const auto reply = unpack_map<operation_reply>(body);
    const bool open = reply && !reply->operation.id.empty() && !ended(reply->operation.status);
    if (open) {
      out.status = 202;
      out.headers.emplace_back("Location", "/api/operations/" + reply->operation.id.value);
    } else if (reply && reply->operation.status == op_status::failed && reply->operation.failure) {
      out.status = info(reply->operation.failure->code).http_status;
    }
  } else if (asked.method == "GET" || asked.method == "HEAD") {
    std::string mark;
    if (verb.verb == "server.get")
      if (const auto s = unpack_map<server_view>(body)) mark = 'r' + std::to_string(s->revision) + '-';
    tag(out, mark);
  }
  return out;
}

// For answers about everything that belong to no verb: the rights of `metrics` are needed. False: it was refused.
bool may_look_at_all(web::exchange& e, const caller& who) {
  const auto ok = core::authorize(*who.who, verb_table[find_verb("metrics")], {});
  if (!ok) send(e, ok.error());
  return ok.has_value();
}

// What the page needs to know of verbs: names, rights, and in which states they can be used.
web::response verbs() {
  json out = json::array();
  for (const auto& row : verb_table) {
    json v{
        {"verb", std::string(row.verb)}, {"right", std::string(name_of(row.needs))}, {"help", std::string(row.help)}};
    if (is_operation(row)) {
      json states = json::array();
      for (size_t i = 0; i < enum_names<server_status>::list.size(); ++i)
        if (contains(row.allowed, static_cast<server_status>(i))) states.push_back(enum_names<server_status>::list[i]);
      v["states"] = std::move(states);
      v["states_text"] = states_text(row.allowed);
      v["danger"] = std::string(name_of(row.risk));
      v["needs_agent"] = needs_agent(row.offline);
      v["done"] = std::string(row.done);
    }
    out.push_back(std::move(v));
  }
  json events = json::array();
  [&]<size_t... I>(std::index_sequence<I...>) {
    (events.push_back(std::string(std::variant_alternative_t<I, fact>::type)), ...);
  }
  (std::make_index_sequence<std::variant_size_v<fact>>{});
  auto r = as_json({{"verbs", std::move(out)}, {"events", std::move(events)}});
  tag(r);
  return r;
}

result<std::string> idempotency_key_of(const web::request& r, size_t bytes_max) {
  const auto key = r.header("idempotency-key");
  const bool printable = std::ranges::all_of(key, [](char c) { return c > 0x20 && c < 0x7f; });
  if (key.size() > bytes_max || !printable)
    return fail(ec::bad_request, "the Idempotency-Key is too long, or has characters other than printable ASCII",
                "use a UUID");
  return std::string(key);
}

std::string host_in(std::string url) {
  if (const auto scheme = url.find("://"); scheme != url.npos) url.erase(0, scheme + 3);
  url = url.substr(0, url.find('/'));
  return url.starts_with('[') ? url.substr(0, url.find(']') + 1) : url.substr(0, url.find(':'));
}

}  // namespace

bool serves_web(const config::manager_settings& s) { return !s.http.empty() && s.http.front() != "off"; }

std::string page_url(const config::manager_settings& s) {
  if (!s.http_url.empty()) return s.http_url.ends_with('/') ? s.http_url.substr(0, s.http_url.size() - 1) : s.http_url;
  for (const auto& at : s.http)
    if (at.starts_with("tls:")) return "https://" + at.substr(4);
    else if (!at.starts_with("unix:") && at != "off") return "http://" + at;
  return "http://localhost";
}

result<void> web_door::open(const config::manager_settings& settings, manager::node& to) {
  if (!serves_web(settings)) return {};
  calls_.open(to);
  progressed();
  sign_in_ = std::make_unique<sign_in>(accounts_.book(), world_.clock, callers_.cookie(), to);
  web::server_options o;
  o.addresses = settings.http;
  o.proxies = settings.http_proxies;
  o.tls = {settings.http_certificate, settings.http_key};
  o.hosts = {host_in(page_url(settings))};
  o.on_trouble = [](const std::string& where, const std::string& problem) {
    config::log_limited(log_level::error, "web.trouble", {{"at", where}, {"error", problem}});
  };
  auto started = web::server::start(std::move(o), [this](exchange_ptr e) { serve(std::move(e)); });
  if (!started) return fail(started.error());
  server_ = std::move(*started);
  live_.open(to, *server_);
  server_->every(beat_period, [this] { live_.beat(); });
  config::log_event("web.ready", {{"url", page_url(settings)}});
  if (!accounts_.book().has_users())
    config::log_event("web.no-users", {{"hint", "zedctl user bootstrap prints a link for the first one"}});
  return {};
}

void web_door::reload() {
  if (!server_) return;
  if (auto ok = server_->reload_certificate(); !ok)
    config::log_event(log_level::error, "web.certificate-refused",
                      {{"error", ok.error().message}, {"hint", ok.error().hint}});
}

void web_door::close() {
  if (!server_) return;
  server_->stop();
  // Whatever holds connections is destroyed before the server that they live in.
  sign_in_.reset();
  live_.forget_all();
  calls_.forget_all();
}

void web_door::progressed() { progress_ms_.store(steady_ms()); }

std::map<std::string, uint64_t> web_door::counters() const {
  if (!server_) return {};
  return {{"web_connections", server_->connections()},
          {"web_streams", live_.readers()},
          {"web_streams_behind", live_.behind()}};
}

namespace {
// Of an upload: bytes, not JSON.
bool is_piece(const web::request& r) {
  return r.segments.size() == 3 && r.segments[0] == "api" && r.segments[1] == "uploads" && r.method == "PUT";
}
}  // namespace

void web_door::serve(exchange_ptr e) {
  const auto& r = e->asked();
  const bool api = !r.segments.empty() && (r.segments[0] == "api" || r.segments[0] == "metrics");
  if (is(r, {"healthz"})) return send(*e, web::text_response(200, "text/plain; charset=utf-8", "ok\n"));
  if (is(r, {"readyz"})) return send(*e, readiness(world_, duration{steady_ms() - progress_ms_.load()}));
  if (api) return serve_api(e);
  if (r.method == "GET" || r.method == "HEAD") return send(*e, web::page_response(r));
  auto out = web::text_response(405, "text/plain; charset=utf-8", "Use GET for the page.\n");
  out.headers.emplace_back("Allow", "GET, HEAD");
  send(*e, std::move(out));
}

void web_door::serve_session(const exchange_ptr& e) {
  const auto& r = e->asked();
  if (r.method == "POST") {
    if (!r.header("content-type").starts_with("application/json") || r.header("x-zedops").empty())
      return send(*e, {ec::bad_request,
                       "signing in needs JSON and the header X-Zedops",
                       "send Content-Type: application/json",
                       {}});
    return sign_in_->begin(e);
  }
  auto who = callers_.of(r, world_.clock.now());
  if (!who) return send(*e, who.error());
  if (r.method == "DELETE" && who->by_cookie) return sign_in_->end(e, who->user(), who->secret);
  if (r.method == "GET" || r.method == "HEAD") return send(*e, session_of(*who));
  auto out = web::error_response({ec::bad_request, r.method.substr(0, 20) + " is not possible here", "", {}});
  out.status = 405;
  out.headers.emplace_back("Allow", "GET, HEAD, POST, DELETE");
  send(*e, std::move(out));
}

web::response web_door::session_of(const caller& c) const {
  json rights = json::array();
  for (size_t i = 0; i < enum_names<right>::list.size(); ++i) {
    const auto wanted = static_cast<right>(i);
    for (const auto& g : c.who->grants)
      if (core::allows(g.as, wanted)) {
        rights.push_back(name_of(wanted));
        break;
      }
  }
  json grants = json::array();
  for (const auto& g : c.who->grants)
    grants.push_back({{"role", name_of(g.as)}, {"agent", g.agent.value}, {"server", g.server.value}});
  auto out = as_json({{"id", c.who->id},
                      {"how", name_of(c.who->how)},
                      {"grants", grants},
                      {"rights", rights},
                      {"manager", world_.manager_id},
                      {"version", ZEDOPS_VERSION},
                      {"time", to_rfc3339(world_.clock.now())}});
  out.headers.emplace_back("Cache-Control", "no-store");
  return out;
}

// Requests that are no verb. False: it is none of these.
bool web_door::serve_known(const exchange_ptr& e, const caller& who) {
  const auto& r = e->asked();
  const bool reads = r.method == "GET" || r.method == "HEAD";
  const auto ask = [&](std::string verb, std::string body, answered then) {
    calls_.ask({who.who, std::move(verb), std::move(body)}, std::move(then));
  };
  if (is(r, {"api", "events"}) && reads) {
    live_.begin(e, who);
  } else if (r.segments.size() == 4 && r.segments[1] == "servers" && r.segments[3] == "logs" && reads &&
             !r.parameter("follow").empty() && r.parameter("follow") != "0") {
    follow_logs(e, who, r.segments[2], callers_, calls_, *server_, world_.clock);
  } else if (is_piece(r)) {
    if (auto ok = web::takes_only(r, {"offset"}); !ok) return send(*e, ok.error()), true;
    const auto from = web::first_byte(r);
    if (!from) return send(*e, from.error()), true;
    ask("upload.chunk", pack_map(upload_chunk{r.segments[2], *from, r.body}),
        [e](rt::answer kind, const std::string& body) {
          auto v = unpack_map<upload_view>(body);
          if (kind == rt::answer::error || !v) return send(*e, error_in(body));
          send(*e, web::text_response(200, "application/json", to_json(*v) + "\n"));
        });
  } else if (is(r, {"api", "servers", "bulk"}) && r.method == "POST") {
    bulk(e, who);
  } else if (is(r, {"api", "verbs"}) && reads) {
    static const auto table = verbs();
    send(*e, unless_known(table, r));
  } else if (is(r, {"metrics"}) && reads) {
    ask("metrics", pack_map(get_metrics{}), [e](rt::answer kind, const std::string& body) {
      if (kind == rt::answer::error) return send(*e, error_in(body));
      auto m = unpack_map<metrics_reply>(body);
      send(*e, web::text_response(200, "text/plain; version=0.0.4; charset=utf-8", m ? m->text : std::string{}));
    });
  } else if (is(r, {"api", "monitoring", "health"}) && reads) {
    if (may_look_at_all(*e, who)) send(*e, health(world_));
  } else if (is(r, {"api", "monitoring", "stats"}) && reads) {
    if (may_look_at_all(*e, who)) send(*e, stats(world_));
  } else if (is(r, {"api", "monitoring", "deployments", "stuck"}) && reads) {
    if (may_look_at_all(*e, who)) send(*e, stuck(world_));
  } else if (is(r, {"api", "monitoring", "reconcile", "trigger"}) && r.method == "POST") {
    ask("server.sync", pack_map(sync_agents{}), [e](rt::answer kind, const std::string& body) {
      if (kind == rt::answer::error) return send(*e, error_in(body));
      const auto done = unpack_map<sync_reply>(body);
      size_t changed = 0, failed = 0;
      for (const auto& a : done ? done->agents : std::vector<sync_row>{})
        changed += a.changed.size(), failed += a.failure.has_value();
      send(*e, as_json({{"success", failed == 0},
                        {"message", std::to_string(done ? done->agents.size() : 0) + " agents compared, " +
                                        std::to_string(changed) + " servers changed, " + std::to_string(failed) +
                                        " agents failed"}}));
    });
  } else {
    return false;
  }
  return true;
}

void web_door::serve_api(const exchange_ptr& e) {
  const auto& r = e->asked();
  if (is(r, {"api", "session"})) return serve_session(e);
  if (is(r, {"api", "openapi.json"}) && (r.method == "GET" || r.method == "HEAD")) {
    static const auto description = [] {
      auto out = web::text_response(200, "application/json", web::openapi());
      tag(out);
      return out;
    }();
    return send(*e, unless_known(description, r));
  }
  if (is(r, {"api", "docs"})) return send(*e, web::page_response(r));
  if (is_hook(r)) return serve_hook(e, world_, calls_);
  const auto found = web::match(r.method, r.segments);
  if (r.method == "OPTIONS") {
    const auto* others = std::get_if<web::other_methods>(&found);
    web::response out{204, {}, nullptr, {{"Allow", others ? others->allow : "GET, HEAD, OPTIONS"}}};
    return send(*e, std::move(out));
  }
  auto who = callers_.of(r, world_.clock.now());
  if (!who) return send(*e, who.error());
  if (!r.body.empty() && !is_piece(r) && !r.header("content-type").starts_with("application/json")) {
    auto out = web::error_response(
        {ec::bad_request, "the body is not declared as JSON", "send Content-Type: application/json", {}});
    out.status = 415;
    return send(*e, std::move(out));
  }
  if (serve_known(e, *who)) return;
  if (const auto* to = std::get_if<web::matched>(&found)) return call(e, *to, *who);
  std::string path;
  for (const auto& s : r.segments) path += '/' + s;
  if (const auto* others = std::get_if<web::other_methods>(&found)) {
    auto out = web::error_response({ec::bad_request,
                                    r.method.substr(0, 20) + " is not possible at " + path.substr(0, 100),
                                    "use one of " + others->allow,
                                    {}});
    out.status = 405;
    out.headers.emplace_back("Allow", others->allow);
    return send(*e, std::move(out));
  }
  send(*e, {ec::not_found, "there is no " + path.substr(0, 100), "/api/docs lists the addresses", {}});
}

// The same for many: each is requested, judged and answered by itself.
void web_door::bulk(const exchange_ptr& e, const caller& who) {
  const auto& r = e->asked();
  const auto read = web::read_object(r.body);
  if (!read) return send(*e, read.error());
  const auto key = idempotency_key_of(r, idempotency_key_max - place_digits);
  if (!key) return send(*e, key.error());
  const auto& j = *read;
  const auto refuse = [&](const std::string& what) {
    send(*e, {ec::bad_request, what, R"({"verb": "stop", "servers": ["pz1", "pz2"]})", {}});
  };
  if (!j.contains("verb") || !j["verb"].is_string() || !j.contains("servers") || !j["servers"].is_array())
    return refuse("the body needs a verb and servers");
  const auto row = find_verb("server." + j["verb"].get<std::string>());
  const bool fits = row != verb_not_found && is_operation(verb_table[row]) && verb_table[row].word() != "create" &&
                    verb_table[row].word() != "adopt";
  if (!fits) return refuse("'" + j["verb"].get<std::string>().substr(0, 40) + "' is not a verb that changes servers");
  if (j["servers"].empty() || j["servers"].size() > bulk_max)
    return refuse("name 1 to " + std::to_string(bulk_max) + " servers");
  struct gathered {
    std::mutex mutex;
    json results = json::array();
    size_t left = 0;
    bool all_well = true;
  };
  auto all = std::make_shared<gathered>();
  all->left = j["servers"].size();
  for (size_t i = 0; i < all->left; ++i) all->results.push_back(nullptr);
  size_t n = 0;
  for (const auto& name : j["servers"]) {
    const auto place = n++;
    const auto done = [e, all, place, name](json result, bool well) {
      result["server"] = name;
      std::lock_guard lock(all->mutex);
      all->results[place] = std::move(result);
      all->all_well &= well;
      if (--all->left > 0) return;
      auto out = as_json({{"results", all->results}});
      out.status = all->all_well ? 200 : 207;
      send(*e, std::move(out));
    };
    const auto to = std::ranges::find_if(web::routes(), [&](const auto& x) { return x.row == row; });
    web::request one;
    one.method = r.method;
    one.query = r.query;
    one.headers = {{"content-type", "application/json"}};
    if (j.contains("body")) one.body = j["body"].dump(-1, ' ', false, json::error_handler_t::replace);
    auto made = name.is_string()
                    ? web::call_of({&*to, name.get<std::string>()}, one)
                    : result<web::verb_call>(fail(ec::bad_request, "the name of a server has to be a string", ""));
    if (!made) {
      done({{"error", json::parse(to_json(made.error()))}}, false);
      continue;
    }
    made->options.wait = false;
    calls_.ask({who.who, std::string(verb_table[row].verb), std::move(made->body), made->options,
                key->empty() ? *key : *key + '-' + std::to_string(place)},
               [done](rt::answer kind, const std::string& body) {
                 if (kind == rt::answer::error) return done({{"error", json::parse(to_json(error_in(body)))}}, false);
                 const auto reply = unpack_map<operation_reply>(body);
                 done({{"operation", json::parse(to_json(reply ? reply->operation : operation_view{}))}}, true);
               });
  }
}

void web_door::call(const exchange_ptr& e, const web::matched& to, const caller& who) {
  const auto& r = e->asked();
  const auto key = idempotency_key_of(r, idempotency_key_max);
  if (!key) return send(*e, key.error());
  auto made = web::call_of(to, r);
  if (!made) return send(*e, made.error());
  const auto row = to.to->row;
  const auto revision = world_.records.revision();
  std::string question;
  if (is_shared(row, *who.who)) {
    question = std::to_string(row) + ' ' + made->body;
    if (const auto* known = cache_.find(question, revision)) return send(*e, unless_known(*known, r));
  }
  asked what{who.who, std::string(verb_table[row].verb), std::move(made->body), made->options, *key};
  const bool waits = calls::waits(what);
  const auto name =
      calls_.ask(std::move(what), [this, e, row, revision, question](rt::answer kind, const std::string& body) {
        auto out = answer_of(row, e->asked(), kind, body);
        if (!question.empty() && out.status == 200)
          server_->post([this, question, revision, out] { cache_.put(question, revision, out); });
        send(*e, unless_known(std::move(out), e->asked()));
      });
  if (waits) e->when_gone([this, name] { calls_.forget(name); });
}

}  // namespace zedops::app
