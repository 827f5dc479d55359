#include "integration/routes/caddy.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "integration/host/files.hpp"
#include "integration/host/http_look.hpp"
#include "messages/base/names.hpp"

namespace zedops::routes {

using namespace msg;
using nlohmann::json;

namespace {

constexpr duration call_timeout{10'000}, visit_timeout{5'000};
constexpr uint16_t https_port_default = 443;
constexpr unsigned tries_max = 5;
constexpr duration pause_per_try{50};
constexpr unsigned changed_meanwhile = 412;
constexpr const char* there_meanwhile = "key already exists";

std::string id_of(const std::string& service) { return "zedops-" + service; }

json proxy_to(uint16_t port) {
  return json::array(
      {{{"handler", "reverse_proxy"}, {"upstreams", json::array({{{"dial", "127.0.0.1:" + std::to_string(port)}}})}}});
}

// The server's own path names the folder, which visitors do not see: neither in their requests nor in redirects.
json handle_below(const route& r) {
  auto proxy = proxy_to(r.port);
  const json there = {{"search_regexp", "^([a-z]+://[^/]+)?" + r.folder + "/"}, {"replace", "${1}/"}};
  proxy[0]["headers"] = {{"response", {{"replace", {{"Location", json::array({there})}}}}}};
  const json rewrite = {{"handler", "rewrite"}, {"uri", r.folder + "{http.request.uri}"}};
  return json::array({rewrite, proxy[0]});
}

json body_of(const route& r, const std::string& folder) {
  if (!r.folder.empty())
    return {{"@id", id_of(r.id)},
            {"match", json::array({{{"host", r.hosts}}})},
            {"handle", handle_below(r)},
            {"terminal", true}};
  const json beside = {{"match", json::array({{{"file", {{"root", folder}, {"try_files", {"/" + r.id}}}}}})},
                       {"handle", proxy_to(r.port_beside)},
                       {"terminal", true}};
  return {{"@id", id_of(r.id)},
          {"match", json::array({{{"host", r.hosts}}})},
          {"handle",
           json::array({{{"handler", "subroute"}, {"routes", json::array({beside, {{"handle", proxy_to(r.port)}}})}}})},
          {"terminal", true}};
}

// The user whose process listens at a port of this host; nothing: none does, or it cannot be seen.
std::optional<uid_t> owner_of_port(uint16_t port) {
  for (const auto* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream file(table);
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
      char address[64] = {};
      unsigned number = 0, state = 0, uid = 0;
      if (std::sscanf(line.c_str(), " %*d: %63[0-9A-F]:%x %*s %x %*s %*s %*s %u", address, &number, &state, &uid) != 4)
        continue;
      constexpr unsigned listens = 0x0a;
      if (number == port && state == listens) return uid;
    }
  }
  return std::nullopt;
}

// A file that Caddy cannot see switches nothing, and Caddy would not report that.
result<void> check_sight(const std::string& folder, uint16_t admin_port) {
  const auto uid = owner_of_port(admin_port);
  if (!uid || *uid == 0) return {};
  for (std::filesystem::path p = folder;; p = p.parent_path()) {
    struct stat st {};
    if (::stat(p.c_str(), &st) == 0 && st.st_uid != *uid && (st.st_mode & S_IXOTH) == 0)
      return fail(ec::forbidden, "Caddy cannot read " + p.string() + ", where routes are switched",
                  "chmod o+x " + p.string());
    if (p == p.root_path()) return {};
  }
}

// Another client was faster; or Caddy hung up: with each configuration it opens its admin listener anew, and resets
// requests that wait at the former one, which may happen while another service gets its route.
template <class F>
auto repeated(F once) {
  for (unsigned n = 1;; ++n) {
    auto done = once();
    if (done || done.error().code != ec::busy || n == tries_max) return done;
    std::this_thread::sleep_for(pause_per_try * n);
  }
}

class caddy final : public route_table {
 public:
  explicit caddy(caddy_settings s) : s_(std::move(s)) {}

  result<change> put(const route& r) override {
    if (auto ok = check_sight(s_.folder, s_.port); !ok) return fail(ok.error());
    auto switched = choose(r);
    if (!switched) return fail(switched.error());
    const auto wanted = body_of(r, s_.folder);
    auto set = repeated([&] { return set_route(r, wanted); });
    if (!set) return fail(set.error());
    return *switched == change::made ? change::made : *set;
  }

  result<change> remove(const std::string& id) override {
    auto done = repeated([&] { return ask("DELETE", "/id/" + id_of(id), {}, {}); });
    if (!done) return fail(done.error());
    const bool there = done->status == 200;
    if (!there && done->status != 404 && done->body.find("unknown object ID") == std::string::npos)
      return fail(refused("cannot remove the route", *done));
    ::unlink((s_.folder + "/" + id).c_str());
    return there ? change::made : change::none;
  }

  result<std::optional<unsigned>> visit(const route& r, const std::string& path) override {
    auto at = repeated([&] { return listeners(); });
    if (!at) return fail(at.error());
    if (at->plain) {
      auto seen = repeated([&] { return come_in(*at->plain, r.hosts.front(), path, false); });
      if (!seen) return unseen(seen.error());
      const bool sent_to_tls = seen->status / 100 == 3 && seen->headers["location"].starts_with("https://");
      if (!sent_to_tls) return std::optional(seen->status);
    }
    if (!at->secure) return std::optional<unsigned>();
    auto seen = repeated([&] { return come_in(*at->secure, r.hosts.front(), path, true); });
    if (!seen) return unseen(seen.error());
    return std::optional(seen->status);
  }

 private:
  struct door {
    std::string host;
    uint16_t port = 0;
  };
  struct doors {
    std::optional<door> plain, secure;
  };
  // Where its server listens, as reached from this host: ":80", "tcp/10.0.0.1:443"; sockets and ranges are left out.
  result<doors> listeners() const {
    auto answer = ask("GET", "/config/apps/http", {}, {});
    if (!answer) return fail(answer.error());
    doors out;
    const auto all = json::parse(answer->body, nullptr, false);
    const auto at = json::json_pointer("/servers/" + s_.server + "/listen");
    if (!all.is_object() || !all.contains(at) || !all[at].is_array()) return out;
    const auto given = all.value("https_port", 0U);
    const auto https = given == 0 ? https_port_default : given;
    for (const auto& text : all[at]) {
      if (!text.is_string()) continue;
      auto address = text.get<std::string>();
      if (address.starts_with("tcp/")) address.erase(0, 4);
      const auto colon = address.rfind(':');
      const auto port = colon == address.npos ? std::nullopt : parse_decimal(address.substr(colon + 1));
      if (!port || *port == 0 || *port > UINT16_MAX || address.find('/') != address.npos) continue;
      auto host = address.substr(0, colon);
      if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
      if (host.empty() || host == "0.0.0.0" || host == "::") host = "127.0.0.1";
      (*port == https ? out.secure : out.plain) = door{host, static_cast<uint16_t>(*port)};
    }
    return out;
  }
  static result<host::http_answer> come_in(const door& d, const std::string& name, const std::string& path, bool tls) {
    host::http_question q;
    q.host = d.host;
    q.port = d.port;
    q.path = path;
    q.headers["Host"] = name;
    q.timeout = visit_timeout;
    q.head_only = true;
    if (tls) q.tls_name = name;
    return host::http_ask(q);
  }
  // Nothing listens there: it listens in another network namespace. No handshake: there is no certificate yet.
  static result<std::optional<unsigned>> unseen(const error& why) {
    if (why.code == ec::engine_error) return std::optional<unsigned>();
    return fail(why);
  }

  result<change> choose(const route& r) {
    const auto file = s_.folder + "/" + r.id;
    const bool beside = ::access(file.c_str(), F_OK) == 0;
    if (beside == r.beside) return change::none;
    const auto trouble = [&] { return fail(ec::internal, file + ": " + host::errno_text(errno), "check that disk"); };
    if (!r.beside) {
      if (::unlink(file.c_str()) != 0) return trouble();
    } else {
      std::error_code problem;
      std::filesystem::create_directories(s_.folder, problem);
      ::chmod(s_.folder.c_str(), 0755);
      host::unique_fd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
      if (!fd || ::fsync(fd.get()) != 0) return trouble();
    }
    host::unique_fd folder(::open(s_.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder || ::fsync(folder.get()) != 0) return trouble();
    return change::made;
  }

  result<change> set_route(const route& r, const json& wanted) {
    auto now = ask("GET", "/id/" + id_of(r.id), {}, {});
    if (!now) return fail(now.error());
    if (now->status == 200 && json::parse(now->body, nullptr, false) == wanted) return change::none;
    auto done =
        now->status == 200 ? ask("PATCH", "/id/" + id_of(r.id), wanted.dump(), now->headers["etag"]) : add(wanted);
    if (!done) return fail(done.error());
    if (done->status == 200) return change::made;
    if (done->status == changed_meanwhile || done->body.find(there_meanwhile) != done->body.npos)
      return fail(ec::busy, "Caddy's configuration keeps being changed by someone else",
                  "find out by whom, then deploy again");
    return fail(refused("cannot set the route of " + r.hosts.front(), *done));
  }

  // Adds the route to the server's routes, or makes the server with it.
  result<host::http_answer> add(const json& wanted) {
    const auto server = "/config/apps/http/servers/" + s_.server;
    auto there = ask("GET", server, {}, {});
    if (!there) return there;
    const auto now = json::parse(there->body, nullptr, false);
    if (there->status != 200 || !now.is_object()) {
      const json made = {{"listen", s_.listen}, {"routes", json::array({wanted})}};
      return ask("PUT", server, made.dump(), there->status == 200 ? there->headers["etag"] : std::string{});
    }
    if (!now.contains("routes") || !now["routes"].is_array())
      return ask("PUT", server + "/routes", json::array({wanted}).dump(), {});
    // Before those of others: one of theirs that matches every name would take the visitors.
    return ask("PUT", server + "/routes/0", wanted.dump(), {});
  }

  result<host::http_answer> ask(const char* method, const std::string& path, std::string body,
                                const std::string& etag) const {
    host::http_question q;
    q.host = s_.host;
    q.port = s_.port;
    q.method = method;
    q.path = path;
    q.body = std::move(body);
    q.timeout = call_timeout;
    if (!q.body.empty()) q.headers["Content-Type"] = "application/json";
    if (!etag.empty()) q.headers["If-Match"] = etag;
    auto answer = host::http_ask(q);
    if (answer) return answer;
    auto e = answer.error();
    return fail(e.code, "Caddy does not answer at " + s_.host + ":" + std::to_string(s_.port) + ": " + e.message,
                "systemctl start caddy; the agent's setting caddy_admin has its address");
  }
  static error refused(const std::string& what, const host::http_answer& a) {
    const auto doc = json::parse(a.body, nullptr, false);
    const auto text = doc.is_object() && doc.contains("error") && doc["error"].is_string()
                          ? doc["error"].get<std::string>()
                          : a.body.substr(0, 500);
    return {ec::engine_error,
            what + ": Caddy answers " + std::to_string(a.status) + ": " + text,
            "look at Caddy's log and at its configuration; the agent's setting caddy_server names the server to use",
            {}};
  }

  const caddy_settings s_;
};

}  // namespace

result<caddy_settings> parse_caddy(const std::string& admin, const std::string& server, const std::string& listen,
                                   const std::string& folder) {
  caddy_settings s;
  s.folder = folder;
  s.server = server;
  auto rest = admin.starts_with("http://") ? admin.substr(7) : admin;
  while (rest.ends_with('/')) rest.pop_back();
  const auto colon = rest.rfind(':');
  s.host = rest.substr(0, colon);
  const auto port = colon == rest.npos ? std::optional<uint64_t>(s.port) : parse_decimal(rest.substr(colon + 1));
  if (s.host.empty() || !port || *port == 0 || *port > UINT16_MAX)
    return fail(ec::bad_request, "caddy_admin '" + admin + "' names no host and port", "write it as localhost:2019");
  s.port = static_cast<uint16_t>(*port);
  for (size_t at = 0; at <= listen.size();) {
    const auto end = std::min(listen.find(',', at), listen.size());
    if (end > at) s.listen.push_back(listen.substr(at, end - at));
    at = end + 1;
  }
  if (s.listen.empty()) return fail(ec::bad_request, "caddy_listen names no address", "write it as \":80,:443\"");
  return s;
}

std::unique_ptr<route_table> make_caddy(caddy_settings s) { return std::make_unique<caddy>(std::move(s)); }

}  // namespace zedops::routes
