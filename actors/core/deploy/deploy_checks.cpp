#include "actors/core/deploy/deploy_checks.hpp"

#include <algorithm>

#include "actors/core/plan/blueprint.hpp"
#include "messages/base/names.hpp"

namespace zedops::core {

using namespace msg;

namespace {

constexpr size_t description_max = 1'000, domain_max = 253, health_path_max = 256;
constexpr size_t hosts_max = 20, words_max = 64, word_bytes_max = 4096;
constexpr size_t hook_secret_min = 16, hook_secret_max = 256;
constexpr duration lives_min = std::chrono::seconds(10), lives_max = std::chrono::hours(24 * 365);
constexpr uint64_t memory_min = 6 << 20;  // the Engine refuses less

result<void> check_words(const std::vector<std::string>& words, const char* what) {
  const bool good = words.size() <= words_max && std::ranges::all_of(words, [](const std::string& w) {
                      return w.size() <= word_bytes_max && w.find('\0') == w.npos;
                    });
  if (good) return {};
  return fail(ec::too_large, std::string(what) + " is too long",
              "use at most " + std::to_string(words_max) + " words of " + std::to_string(word_bytes_max) + " bytes");
}

result<void> check_host_names(const service_settings& s) {
  if (s.route == route_kind::none && !s.hosts.empty())
    return fail(ec::bad_request, "host names need a proxy that routes to this service", "give --route caddy");
  if (s.route != route_kind::none && s.hosts.empty())
    return fail(ec::bad_request, "a route needs the host names that it is for", "give --host shop.example.org");
  if (s.hosts.size() > hosts_max)
    return fail(ec::too_large, std::to_string(s.hosts.size()) + " host names are too many",
                "give at most " + std::to_string(hosts_max));
  for (auto i = s.hosts.begin(); i != s.hosts.end(); ++i) {
    if (i->empty()) return fail(ec::bad_request, "a host name is empty", "give a name, or leave it out");
    if (auto ok = check_domain(*i); !ok) return ok;
    if (std::find(s.hosts.begin(), i, *i) != i)
      return fail(ec::bad_request, "the host name " + *i + " is given twice", "give it once");
  }
  return {};
}

result<void> check_build(const service_settings& s) {
  if (s.build.empty() && s.builder.empty() && s.output.empty()) return {};
  if (s.build.empty() || s.builder.empty())
    return fail(ec::bad_request, "a build needs a command and the image that it runs in",
                "give --build WORD for each word, and --builder node:22");
  if (auto ok = check_words(s.build, "the build's command"); !ok) return ok;
  if (auto ok = check_source_folder(s.output); !ok) return ok;
  if (s.builder.starts_with("sha256:")) return {};
  if (auto ref = parse_image_ref(s.builder); !ref) return fail(ref.error());
  return {};
}

}  // namespace

result<void> check_domain(const std::string& d) {
  const bool good =
      d.size() <= domain_max &&
      std::ranges::all_of(
          d, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; }) &&
      !d.starts_with('.') && !d.ends_with('.') && d.find("..") == d.npos;
  if (good) return {};
  return fail(ec::bad_request, "'" + d.substr(0, 60) + "' is not a domain",
              "use lower-case letters, digits, hyphens and dots: example.org");
}

result<void> check_description(const std::string& d) {
  if (d.size() <= description_max) return {};
  return fail(ec::too_large, "the description has " + std::to_string(d.size()) + " bytes",
              "use at most " + std::to_string(description_max));
}

result<void> check_health_path(const std::string& p) {
  const bool good = p.empty() || (p.starts_with('/') && p.size() <= health_path_max &&
                                  std::ranges::all_of(p, [](unsigned char c) { return c > 0x20 && c < 0x7f; }));
  if (good) return {};
  return fail(ec::bad_request, "the health path is not a valid path",
              "begin it with a slash, below the service's own address: /status.html");
}

result<void> check_retention(uint32_t n) {
  if (n >= 1 && n <= retention_max) return {};
  return fail(ec::bad_request, "a retention of " + std::to_string(n) + " is out of range",
              "give 1 to " + std::to_string(retention_max) + " deployments");
}

result<void> check_lives(duration d) {
  if (d == duration{0} || (d >= lives_min && d <= lives_max)) return {};
  return fail(ec::bad_request, "a lifetime of " + format_duration(d) + " is out of range",
              "give " + format_duration(lives_min) + " to " + format_duration(lives_max) + ", or 0s for no limit");
}

result<void> check_hook(const service_hook& h) {
  if (h.url.empty()) return {};
  if (auto ok = check_git_url(h.url); !ok) return ok;
  if (h.branch.empty())
    return fail(ec::bad_request, "a hook needs the branch that it deploys", "give one, such as main");
  if (auto ok = check_git_revision(h.branch); !ok) return ok;
  if (auto ok = check_source_folder(h.folder); !ok) return ok;
  if (h.secret != masked_value && (h.secret.size() < hook_secret_min || h.secret.size() > hook_secret_max))
    return fail(ec::bad_request, "the secret has " + std::to_string(h.secret.size()) + " bytes",
                "give " + std::to_string(hook_secret_min) + " to " + std::to_string(hook_secret_max) +
                    ": openssl rand -hex 32");
  if (h.paths.size() > words_max)
    return fail(ec::too_large, std::to_string(h.paths.size()) + " paths are too many",
                "give at most " + std::to_string(words_max));
  for (const auto& p : h.paths)
    if (auto ok = check_source_folder(p); !ok) return ok;
  return {};
}

result<void> check_settings(service_kind kind, const service_settings& s) {
  if (auto ok = check_build(s); !ok) return ok;
  if (kind == service_kind::static_site) {
    auto others = s;
    others.build.clear();
    others.builder = others.output = {};
    others.build_network = false;
    others.hosts.clear();
    others.route = route_kind::none;
    if (others != service_settings{})
      return fail(ec::bad_request,
                  "a static service has no container: of these settings only build and route apply to it",
                  "create it with --kind container");
    if (s.route == route_kind::traefik)
      return fail(ec::bad_request, "Traefik finds containers by their labels, and a static service has none of its own",
                  "give --route caddy");
    return check_host_names(s);
  }
  if (!s.build.empty())
    return fail(ec::bad_request, "a container is built by its Dockerfile", "put the build command there: RUN ...");
  if (s.container_port == 0)
    return fail(ec::bad_request, "the port of the program in the container is missing", "give --container-port 3000");
  if (auto ok = check_env(s.env); !ok) return ok;
  if (auto ok = check_words(s.command, "the command"); !ok) return ok;
  if (auto ok = check_words(s.health_command, "the command of the health check"); !ok) return ok;
  if (auto ok = check_words(s.before_start, "the command before the start"); !ok) return ok;
  if (auto ok = check_words(s.after_switch, "the command after the switch"); !ok) return ok;
  if (s.health_tcp && !s.health_command.empty())
    return fail(ec::bad_request, "a service can have only one health check", "choose its TCP port or a command");
  if (auto ok = check_source_folder(s.dockerfile); !ok) return ok;
  if (s.memory_max != 0 && s.memory_max < memory_min)
    return fail(ec::bad_request, "a memory limit of " + format_bytes(s.memory_max) + " is too low",
                "give at least " + format_bytes(memory_min));
  return check_host_names(s);
}

}  // namespace zedops::core
