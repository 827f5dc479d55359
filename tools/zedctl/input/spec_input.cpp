#include "tools/zedctl/input/spec_input.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace zedops::ctl {
namespace {

using msg::result;
using msg::server_spec;

auto bad(std::string_view flag, std::string_view text, std::string_view forms) {
  return msg::fail(msg::ec::bad_request, fmt::format("--{} has the invalid value '{}'", flag, text),
                   fmt::format("write {}", forms));
}

// Every value of a flag through a parser of short forms, into one list.
template <class T, class Parse>
result<void> gather(const arguments& a, const std::string& flag, std::optional<std::vector<T>>& out, Parse parse) {
  for (const auto& text : a.all(flag)) {
    auto one = parse(text);
    if (!one) return msg::fail(one.error().code, fmt::format("--{}: {}", flag, one.error().message), one.error().hint);
    if (!out) out.emplace();
    if constexpr (requires { out->insert(out->end(), one->begin(), one->end()); })
      out->insert(out->end(), one->begin(), one->end());
    else out->push_back(std::move(*one));
  }
  return {};
}

void words(const arguments& a, const std::string& flag, std::optional<std::vector<std::string>>& out) {
  if (a.has(flag)) out = a.all(flag);
}
void text(const arguments& a, const std::string& flag, std::optional<std::string>& out) {
  if (a.has(flag)) out = a.one(flag);
}
void yes(const arguments& a, const std::string& flag, std::optional<bool>& out) {
  if (a.has(flag)) out = true;
}

// K=V, or K alone with an empty value.
void pairs(const arguments& a, const std::string& flag, std::optional<std::map<std::string, std::string>>& out) {
  for (const auto& one : a.all(flag)) {
    if (!out) out.emplace();
    const auto at = one.find('=');
    (*out)[one.substr(0, at)] = at == std::string::npos ? "" : one.substr(at + 1);
  }
}

result<void> bytes(const arguments& a, const std::string& flag, std::optional<uint64_t>& out) {
  if (!a.has(flag)) return {};
  out = msg::parse_bytes(a.one(flag));
  if (!out) return bad(flag, a.one(flag), "a size: 512m, 2g, 1.5GiB");
  return {};
}
result<void> time(const arguments& a, const std::string& flag, msg::duration& out) {
  if (!a.has(flag)) return {};
  auto d = msg::parse_duration(a.one(flag));
  if (!d) return bad(flag, a.one(flag), "a time with its unit: 90s, 2m");
  out = *d;
  return {};
}

result<void> limits(const arguments& a, server_spec& out) {
  if (auto ok = bytes(a, "memory", out.memory_max); !ok) return ok;
  if (auto ok = bytes(a, "shm-size", out.shm_size); !ok) return ok;
  if (a.has("cpus")) {
    const auto& text = a.one("cpus");
    double cores = 0;
    auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), cores);
    if (err != std::errc{} || end != text.data() + text.size() || !(cores >= 0) || cores > 1024)
      return bad("cpus", text, "a number of cores: 2, 1.5; 0 means no limit");
    out.cpu_millis = static_cast<uint32_t>(cores * 1000 + 0.5);
  }
  for (const auto& text : a.all("ulimit")) {
    const auto at = text.find('=');
    auto limit = at == std::string::npos ? std::nullopt : msg::parse_ulimit(std::string_view(text).substr(at + 1));
    if (!limit) return bad("ulimit", text, "NAME=SOFT:HARD or one number for both: nofile=1024:65536");
    if (!out.ulimits) out.ulimits.emplace();
    (*out.ulimits)[text.substr(0, at)] = *limit;
  }
  return {};
}

result<void> health(const arguments& a, server_spec& out) {
  msg::healthcheck h;
  if (a.has("no-healthcheck")) h.test = {"NONE"};
  else if (a.has("health-cmd")) h.test = {"CMD-SHELL", a.one("health-cmd")};
  if (auto ok = time(a, "health-interval", h.interval); !ok) return ok;
  if (auto ok = time(a, "health-timeout", h.timeout); !ok) return ok;
  if (auto ok = time(a, "health-start-period", h.start_period); !ok) return ok;
  h.retries = a.count("health-retries", 0);
  if (h != msg::healthcheck{}) out.health = std::move(h);
  return {};
}

// "/run:size=64m" or "/run"
void tmpfs(const arguments& a, server_spec& out) {
  for (const auto& one : a.all("tmpfs")) {
    if (!out.tmpfs) out.tmpfs.emplace();
    const auto at = one.find(':');
    (*out.tmpfs)[one.substr(0, at)] = at == std::string::npos ? "" : one.substr(at + 1);
  }
}

}  // namespace

std::vector<parameter> spec_parameters() {
  using enum value_kind;
  using enum arity;
  return {
      {"ARG", text, "", "Command and arguments for the image, after --", any},
      {"--entrypoint", text, "WORD", "Program instead of the image's; repeat it for each of its words", any},
      {"--user", text, "U[:G]", "User in the container: name or number"},
      {"--workdir", text, "DIR", "Working directory in the container"},
      {"--hostname", text, "NAME", "Host name in the container"},
      {"--memory", text, "SIZE", "Memory limit: 512m, 2g; 0: no limit"},
      {"--cpus", text, "N", "Limit of CPU cores: 2, 1.5; 0: no limit"},
      {"--port", text, "SPEC",
       "Additional port, as docker's -p: 25565:25565/tcp, 27015-27020:27015-27020/udp, 127.0.0.1:8080:80", any},
      {"--address", text, "IP", "Host address on which the template's ports are published; default: all"},
      {"--folder", text, "NAME:DIR",
       "Additional data folder and its path in the container, :ro at the end if read-only; "
       "with the name of a folder of the template: another path for that one",
       any},
      {"--bind", text, "PATH:DIR",
       "Folder of the host and its path in the container; the agent must permit it "
       "(bind_paths)",
       any},
      {"--tmpfs", text, "DIR[:OPTS]", "Folder in memory (tmpfs)", any},
      {"--tty", none, "", "Allocate a terminal; for servers with a console"},
      {"--stdin", none, "", "Keep standard input open; for servers that exit without it"},
      {"--init", none, "", "Run a small init as first process, which reaps orphans"},
      {"--stop-signal", text, "SIG", "Signal that stops it: SIGINT"},
      {"--stop-grace", text, "TIME", "Time from that signal until it is killed: 90s"},
      {"--health-cmd", text, "CMD", "Shell command that checks its health"},
      {"--health-interval", text, "TIME", "Time between two checks"},
      {"--health-timeout", text, "TIME", "Time for one check"},
      {"--health-start-period", text, "TIME", "Start-up time, in which failures do not count"},
      {"--health-retries", number, "N", "Failures in a row until it is unhealthy"},
      {"--no-healthcheck", none, "", "No health check, even if the image has one"},
      {"--label", text, "K=V", "Label of the container", any},
      {"--ulimit", text, "NAME=S:H", "Resource limit: nofile=1024:65536", any},
      {"--shm-size", text, "SIZE", "Shared memory (/dev/shm): 256m"},
      {"--log-driver", text, "NAME", "Log driver of the Engine; default json-file, three files of 10 MB"},
      {"--log-opt", text, "K=V", "Option of the log driver; if given, they replace the template's", any},
      {"--cap-add", text, "CAP", "Additional capability: SYS_NICE", any},
      {"--cap-drop", text, "CAP", "Capability to drop; if given, they replace AUDIT_WRITE, MKNOD, NET_RAW", any},
  };
}

result<server_spec> spec_of(const arguments& a) {
  server_spec out;
  words(a, "ARG", out.command);
  words(a, "entrypoint", out.entrypoint);
  text(a, "user", out.user);
  text(a, "workdir", out.working_dir);
  text(a, "hostname", out.hostname);
  text(a, "address", out.address);
  text(a, "stop-signal", out.stop_signal);
  text(a, "log-driver", out.log_driver);
  words(a, "cap-add", out.cap_add);
  words(a, "cap-drop", out.cap_drop);
  yes(a, "tty", out.tty);
  yes(a, "stdin", out.open_stdin);
  yes(a, "init", out.init);
  pairs(a, "label", out.labels);
  pairs(a, "log-opt", out.log_options);
  tmpfs(a, out);
  for (auto* list : {&out.cap_add, &out.cap_drop})
    if (*list)
      for (auto& c : **list) {
        std::transform(c.begin(), c.end(), c.begin(),
                       [](char x) { return static_cast<char>(x >= 'a' && x <= 'z' ? x - 32 : x); });
        if (c.starts_with("CAP_")) c.erase(0, 4);
      }
  auto ok = gather(a, "port", out.ports, msg::parse_ports);
  if (ok) ok = gather(a, "folder", out.folders, msg::parse_folder);
  if (ok) ok = gather(a, "bind", out.binds, msg::parse_bind);
  if (ok) ok = limits(a, out);
  if (ok) ok = health(a, out);
  if (ok && a.has("stop-grace")) ok = time(a, "stop-grace", out.stop_grace.emplace());
  if (!ok) return msg::fail(ok.error());
  return out;
}

msg::result<void> limits_of(const arguments& a, msg::server_spec& out) { return limits(a, out); }

}  // namespace zedops::ctl
