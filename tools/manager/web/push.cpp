#include "tools/manager/web/push.hpp"

#include <sodium/crypto_auth_hmacsha256.h>
#include <sodium/utils.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace zedops::app {

using namespace msg;
using nlohmann::json;

namespace {

constexpr std::string_view branches = "refs/heads/";
constexpr size_t name_max = 200;

std::string signature_of(const std::string& secret, std::string_view body) {
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, reinterpret_cast<const unsigned char*>(secret.data()), secret.size());
  crypto_auth_hmacsha256_update(&state, reinterpret_cast<const unsigned char*>(body.data()), body.size());
  std::array<unsigned char, crypto_auth_hmacsha256_BYTES> out{};
  crypto_auth_hmacsha256_final(&state, out.data());
  std::string hex(out.size() * 2 + 1, '\0');
  sodium_bin2hex(hex.data(), hex.size(), out.data(), out.size());
  hex.pop_back();
  return hex;
}

// In constant time, which does not reveal where they differ.
bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && !a.empty() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string text(const json& j, const char* key) {
  const auto i = j.find(key);
  return i != j.end() && i->is_string() ? i->get<std::string>() : std::string{};
}

bool below(std::string_view path, std::string_view folder) {
  while (folder.ends_with('/')) folder.remove_suffix(1);
  return path == folder || (path.starts_with(folder) && path.size() > folder.size() && path[folder.size()] == '/');
}

// Where the changes of a push cannot be seen, they count: better one deployment too many.
bool touches(const json& doc, const std::vector<std::string>& folders) {
  const auto commits = doc.find("commits");
  if (folders.empty() || commits == doc.end() || !commits->is_array() || commits->empty()) return true;
  for (const auto& c : *commits)
    for (const auto* list : {"added", "modified", "removed"}) {
      const auto files = c.is_object() ? c.find(list) : c.end();
      if (files == c.end() || !files->is_array()) return true;
      for (const auto& f : *files)
        if (f.is_string() &&
            std::ranges::any_of(folders, [&](const auto& x) { return below(f.get<std::string>(), x); }))
          return true;
    }
  return false;
}

}  // namespace

result<push> judge_push(const service_hook& hook, const std::function<std::string(std::string_view)>& header,
                        std::string_view body) {
  const auto mine = signature_of(hook.secret, body);
  auto github = header("x-hub-signature-256");
  if (github.starts_with("sha256=")) github.erase(0, 7);
  if (!same(github, mine) && !same(header("x-gitea-signature"), mine) && !same(header("x-gitlab-token"), hook.secret))
    return fail(ec::unauthorised, "the push is not signed with the secret of the hook",
                "set it as the webhook's secret (GitHub, Gitea) or secret token (GitLab), with application/json");
  auto event = header("x-github-event");
  if (event.empty()) event = header("x-gitea-event");
  if (event.empty()) event = header("x-gitlab-event");
  push out;
  if (event == "ping") out.ignored = "a ping: the secret is right";
  else if (event != "push" && event != "Push Hook") out.ignored = "only pushes are deployed";
  if (!out.ignored.empty()) return out;
  const auto doc = json::parse(body, nullptr, false);
  if (!doc.is_object() || text(doc, "ref").empty())
    return fail(ec::bad_request, "the push has no ref", "set the webhook's content type to application/json");
  const auto ref = text(doc, "ref");
  out.branch = ref.starts_with(branches) ? ref.substr(branches.size(), name_max) : ref.substr(0, name_max);
  if (const auto who = doc.find("pusher"); who != doc.end() && who->is_object()) {
    out.by = text(*who, "name");
    if (out.by.empty()) out.by = text(*who, "login");
  }
  if (out.by.empty()) out.by = text(doc, "user_username");
  out.by.resize(std::min(out.by.size(), name_max));
  const auto after = text(doc, "after");
  if (!ref.starts_with(branches) || out.branch != hook.branch)
    out.ignored = "pushes to " + out.branch + " are not deployed";
  else if (!after.empty() && after.find_first_not_of('0') == after.npos) out.ignored = "the branch was removed";
  else if (!touches(doc, hook.paths)) out.ignored = "it changes nothing below the paths of the hook";
  return out;
}

}  // namespace zedops::app
