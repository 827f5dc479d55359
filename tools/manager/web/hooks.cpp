#include "tools/manager/web/hooks.hpp"

#include <nlohmann/json.hpp>

#include "messages/base/sha256.hpp"
#include "messages/wire/codec.hpp"
#include "tools/manager/web/answers.hpp"
#include "tools/manager/web/push.hpp"

namespace zedops::app {

using namespace msg;
using nlohmann::json;

namespace {

constexpr size_t hook_body_max = 2 << 20;

web::response as_text(int status, const json& j) {
  return web::text_response(status, "application/json", j.dump() + "\n");
}

}  // namespace

bool is_hook(const web::request& r) {
  return r.segments.size() >= 3 && r.segments[0] == "api" && r.segments[1] == "hooks" && r.method == "POST";
}

void serve_hook(std::shared_ptr<web::exchange> e, const manager::shared& world, calls& to) {
  const auto& r = e->asked();
  // By its id, or PROJECT/SERVICE as two parts of the path.
  const auto name = r.segments.size() == 3 ? r.segments[2] : r.segments[2] + "/" + r.segments[3];
  const auto s = r.segments.size() > 4 ? nullptr : world.records.resolve_service(name).value_or(nullptr);
  // A sender without the secret does not learn which services exist.
  const service_hook none;
  const auto& hook = s && s->hook && !s->hook->url.empty() ? *s->hook : none;
  const error unknown{ec::unauthorised,
                      "there is no such hook, or the push is not signed with its secret",
                      "zedctl service get shows whether a service has one",
                      {}};
  if (hook.secret.empty()) return send(*e, unknown);
  if (r.body.size() > hook_body_max)
    return send(*e,
                {ec::too_large, "the push has " + std::to_string(r.body.size()) + " bytes", "use at most 2 MiB", {}});
  auto push = judge_push(
      hook, [&](std::string_view header) { return std::string(r.header(header)); }, r.body);
  if (!push) return send(*e, push.error().code == ec::unauthorised ? unknown : push.error());
  if (!push->ignored.empty()) return send(*e, as_text(200, {{"ignored", push->ignored}}));
  auto who = std::make_shared<principal>();
  who->id = "hook:" + s->project_name + "/" + s->name;
  who->how = authentication::token;
  who->from = r.from;
  who->grants = {{role::operator_, s->agent, {}}};
  deploy_service what;
  what.service = s->id.value;
  what.git = hook.url;
  what.revision = hook.branch;  // as it is now: a push that arrives late, or again, brings nothing older back
  what.folder = hook.folder;
  asked a{std::move(who), "deployment.create", pack_map(what), {}, {}};
  a.options.actor = push->by;
  // The same body is the same deployment.
  sha256 hash;
  hash.add(r.body);
  a.idempotency_key = "push-" + hash.hex();
  to.ask(std::move(a), [e](rt::answer kind, const std::string& body) {
    auto reply = unpack_map<deploy_reply>(body);
    if (kind == rt::answer::error || !reply) return send(*e, error_in(body));
    send(*e, as_text(202, {{"operation", reply->operation.id.value},
                           {"deployment", reply->deployment ? reply->deployment->number : 0}}));
  });
}

}  // namespace zedops::app
