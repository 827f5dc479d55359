#include "tools/manager/web/sign_in.hpp"

#include <pthread.h>

#include <algorithm>

#include "config/logging/logging.hpp"
#include "integration/http/api/json_read.hpp"
#include "tools/manager/web/answers.hpp"

namespace zedops::app {

using namespace msg;
using bus::account_kind;

namespace {

constexpr size_t name_bytes_max = 64;
constexpr std::chrono::minutes keep_uses_every{10};

struct wanted {
  std::string user, password, link;
};

result<wanted> read(const web::request& r) {
  const auto j = web::read_object(r.body);
  if (!j) return fail(j.error());
  const auto text = [&](const char* key) {
    const auto i = j->find(key);
    return i != j->end() && i->is_string() ? i->get<std::string>() : std::string{};
  };
  wanted w{text("user"), text("password"), text("link")};
  if (w.password.empty() || (w.user.empty() && w.link.empty()) || w.user.size() > name_bytes_max ||
      w.password.size() > bus::password_bytes_max)
    return fail(ec::bad_request, "user and password are needed", R"({"user": "ann", "password": "…"})");
  return w;
}

result<std::string> with_password(bus::account_book& book, const wanted& w, time_point now) {
  auto all = bus::read_accounts(book.file());
  if (!all) return fail(all.error());
  const auto user =
      std::ranges::find_if(*all, [&](const auto& a) { return a.kind == account_kind::user && a.name == w.user; });
  // Takes as long for an unknown name: the client must not learn which names exist.
  static const auto nobody = bus::password_hash("nobody has this one");
  const bool known = user != all->end() && !user->password.empty();
  const bool fits = bus::password_fits(known ? user->password : nobody, w.password);
  if (!known || !fits)
    return fail(ec::unauthorised, "the name or the password is wrong",
                "if you forgot it, ask an admin for a link: zedctl user passwd NAME");
  std::string secret;
  auto ok = bus::change_accounts(book.file(), [&](bus::account_list& list) -> result<void> {
    const auto same = std::ranges::any_of(list, [&](const auto& a) {
      return a.kind == account_kind::user && a.name == w.user && a.password == user->password;
    });
    if (!same)  // whoever resets a password means the sign-ins, too, that are under way with the old one
      return fail(ec::unauthorised, "the password was changed meanwhile", "sign in with the new one");
    secret = bus::begin_session(list, w.user, now);
    return {};
  });
  if (!ok) return fail(ok.error());
  return secret;
}

result<std::string> with_link(bus::account_book& book, const wanted& w, time_point now, std::string& name) {
  if (auto problem = bus::problem_of_password(w.password); !problem.empty())
    return fail(ec::bad_request, problem, "some words in a row make a good one");
  const auto hash = bus::secret_hash(w.link);
  const auto password = bus::password_hash(w.password);
  if (password.empty())
    return fail(ec::internal, "there is not enough memory to hash the password", "repeat it in a moment");
  std::string secret;
  auto ok = bus::change_accounts(book.file(), [&](bus::account_list& all) -> result<void> {
    const auto user = std::ranges::find_if(all, [&](const auto& a) {
      return a.kind == account_kind::user && !a.link.empty() && a.link == hash && a.expires > now;
    });
    if (user == all.end())
      return fail(ec::unauthorised, "this link was used already, or has expired",
                  "ask an admin for another: zedctl user passwd NAME");
    user->password = password;
    user->link.clear();
    user->expires = never;
    name = user->name;
    secret = bus::begin_session(all, name, now);
    return {};
  });
  if (!ok) return fail(ok.error());
  return secret;
}

}  // namespace

bool sign_in_limits::admit(const std::string& key, size_t max, time now) {
  auto& t = by_key_[key];
  if (now - t.since > window) t = {0, now};
  return ++t.count <= max;
}
bool sign_in_limits::admit(const std::string& name, const std::string& address, time now) {
  if (by_key_.size() > remembered_max)
    std::erase_if(by_key_, [&](const auto& t) { return now - t.second.since > window; });
  if (by_key_.size() > remembered_max) return false;
  const bool from_here = admit("from " + address, per_address, now);
  return from_here && (name.empty() || admit("name " + name, per_name, now));
}
void sign_in_limits::succeeded(const std::string& name, const std::string& address) {
  by_key_.erase("name " + name);
  if (auto i = by_key_.find("from " + address); i != by_key_.end() && i->second.count > 0) --i->second.count;
}

sign_in::sign_in(bus::account_book& book, rt::wall_clock& clock, std::string cookie, manager::node& node)
    : book_(book), clock_(clock), node_(node), cookie_(std::move(cookie)), thread_([this] { run(); }) {}

sign_in::~sign_in() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  more_.notify_one();
  thread_.join();
}

void sign_in::take(job j) {
  {
    std::lock_guard lock(mutex_);
    if (waiting_.size() < waiting_max) {
      waiting_.push_back(std::move(j));
      more_.notify_one();
      return;
    }
  }
  send(*j.from, {ec::rate_limited, "too many users sign in at once", "try again in a moment", {}});
}
void sign_in::begin(std::shared_ptr<web::exchange> e) { take({std::move(e), {}, {}}); }
void sign_in::end(std::shared_ptr<web::exchange> e, std::string user, std::string secret) {
  take({std::move(e), std::move(user), std::move(secret)});
}

void sign_in::run() {
  pthread_setname_np(pthread_self(), "zedops-sign-in");
  for (;;) {
    job j;
    {
      std::unique_lock lock(mutex_);
      const bool asked = more_.wait_for(lock, keep_uses_every, [&] { return stopping_ || !waiting_.empty(); });
      if (stopping_ || !asked) {
        lock.unlock();
        (void)book_.keep_uses();  // when it fails, the last known times are shown
        if (asked) return;
        continue;
      }
      j = std::move(waiting_.front());
      waiting_.pop_front();
    }
    if (j.ends.empty()) check(*j.from);
    else sign_out(*j.from, j.user, j.ends);
  }
}

void sign_in::check(web::exchange& e) {
  const auto& r = e.asked();
  auto w = read(r);
  if (!w) return send(e, w.error());
  if (!limits_.admit(w->user, r.from, std::chrono::steady_clock::now())) {
    config::log_limited(log_level::warn, "web.sign-in-limited", {{"user", w->user}, {"from", r.from}});
    return send(e, {ec::rate_limited, "there were too many attempts to sign in", "try again in some minutes", {}});
  }
  auto name = w->user;
  auto secret = w->link.empty() ? with_password(book_, *w, clock_.now()) : with_link(book_, *w, clock_.now(), name);
  if (!secret) {
    config::log_limited(log_level::warn, "web.sign-in-refused",
                        {{"user", name}, {"from", r.from}, {"error", secret.error().message}});
    put_on_record("session.begin", name, e, secret.error());
    return send(e, secret.error());
  }
  limits_.succeeded(name, r.from);
  config::log_event("web.signed-in", {{"user", name}, {"from", r.from}});
  put_on_record("session.begin", name, e, std::nullopt);
  auto out = web::text_response(200, "application/json", nlohmann::json{{"user", name}}.dump() + "\n");
  out.headers.emplace_back("Set-Cookie", cookie_header(*secret, r.secure));
  out.headers.emplace_back("Cache-Control", "no-store");
  send(e, std::move(out));
}

std::string sign_in::cookie_header(const std::string& secret, bool secure) const {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(bus::session_time).count();
  return cookie_ + '=' + secret +
         "; Path=/; HttpOnly; SameSite=Strict; Max-Age=" + std::to_string(secret.empty() ? 0 : seconds) +
         (secure ? "; Secure" : "");
}

void sign_in::put_on_record(std::string_view verb, const std::string& user, const web::exchange& e,
                            const std::optional<error>& failure) {
  audit_record r;
  if (!failure) r.who = "user:" + user;  // else no user was authenticated
  r.how = authentication::session;
  r.from = e.asked().from;
  r.verb = verb;
  r.target_name = user.substr(0, name_bytes_max);
  if (failure) r.result = name_of(failure->code), r.problem = failure->message;
  if (!node_.keep(std::move(r))) config::log_event(log_level::error, "audit.not-kept", {{"verb", verb}, {"who", user}});
}

void sign_in::sign_out(web::exchange& e, const std::string& user, const std::string& secret) {
  auto ok = bus::change_accounts(book_.file(), [&](bus::account_list& all) -> result<void> {
    bus::end_session(all, secret);
    return {};
  });
  if (!ok) return send(e, ok.error());
  put_on_record("session.end", user, e, std::nullopt);
  send(e, web::response{204, {}, nullptr, {{"Set-Cookie", cookie_header({}, e.asked().secure)}}});
}

}  // namespace zedops::app
