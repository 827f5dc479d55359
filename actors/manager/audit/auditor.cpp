#include "actors/manager/audit/auditor.hpp"

#include "actors/manager/doors/admission.hpp"
#include "actors/manager/doors/gateway.hpp"
#include "config/logging/logging.hpp"
#include "messages/wire/codec.hpp"

namespace zedops::manager {

using namespace msg;

namespace {
constexpr size_t label_max = 128;
constexpr size_t problem_max = 512;
}  // namespace

void auditor::begin(rt::gateway_actor::pointer self, shared& world, rt::journal_actor journal) {
  self_ = self;
  world_ = &world;
  journal_ = std::move(journal);
}

auditor::record auditor::of(const rt::client_call& call, const std::string& target_name) const {
  auto r = std::make_shared<audit_record>();
  r->who = call.by->id;
  r->how = call.by->how;
  r->from = call.by->from;
  if (const auto options = options_of(call)) r->label = options->actor.substr(0, label_max);
  r->request = call.who.request;
  r->verb = call.verb;
  r->target_name = target_name.substr(0, label_max);
  return r;
}

void auditor::keep(const record& asked, const std::optional<error>& failure, std::function<void()> then) {
  auto r = std::make_shared<audit_record>(*asked);
  const auto now = world_->clock.now();
  if (failure) {
    r->result = name_of(failure->code);
    r->problem = failure->message.substr(0, problem_max);
    const auto skipped = refusals_.count(r->who + '\n' + r->verb + '\n' + r->result, now);
    if (!skipped) return then();
    if (*skipped > 0) r->problem += "; " + refusal_log::skipped_text(*skipped);
  }
  rt::commit c;
  c.at = now;
  c.asked = r;
  const auto lost = [verb = r->verb, who = r->who](const std::string& why) {
    config::log_event(log_level::error, "audit.not-kept", {{"verb", verb}, {"who", who}, {"error", why}});
  };
  self_->request(journal_, decision_time_max, std::move(c))
      .then(
          [then, lost](const rt::committed& done) {
            if (done.failure) lost(done.failure->message);
            then();
          },
          [then, lost](const caf::error&) {
            lost("the journal did not answer");
            then();
          });
}

bool auditor::wants(const rt::client_call& call) {
  if (call.row == verb_not_found || !is_audited(verb_table[call.row])) return false;
  const auto options = options_of(call);
  return !options || !options->dry_run;
}

void auditor::watch(rt::client_call& call, const std::string& target_name) {
  if (call.who.via == this) return;
  const auto number = std::to_string(++last_watched_);
  open_[number] = {call.who, of(call, target_name)};
  call.who.via = this;
  call.who.request = number;
}

bool auditor::reply(const rt::peer& to, rt::answer kind, std::string body) {
  const auto i = open_.find(to.request);
  if (i == open_.end()) return false;
  auto peer = i->second.from;
  if (kind != rt::answer::result && kind != rt::answer::error) return peer.via->reply(peer, kind, std::move(body));
  const auto asked = std::move(i->second.asked);
  open_.erase(i);
  std::optional<error> failure;
  if (kind == rt::answer::error) failure = unpack_map<error>(body).value_or(error{ec::internal, "", "", {}});
  if (closed_) return peer.via->reply(peer, kind, std::move(body));
  const auto n = ++last_held_;
  held_[n] = {std::move(peer), kind, std::move(body)};
  keep(asked, failure, [this, n] {
    if (auto h = held_.extract(n)) h.mapped().to.via->reply(h.mapped().to, h.mapped().kind, h.mapped().body);
  });
  return true;
}

void auditor::close() {
  closed_ = true;
  for (auto& [n, h] : std::exchange(held_, {})) h.to.via->reply(h.to, h.kind, std::move(h.body));
}

}  // namespace zedops::manager
