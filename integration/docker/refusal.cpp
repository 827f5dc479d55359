#include "integration/docker/refusal.hpp"

#include <charconv>

namespace zedops::docker {
namespace {

constexpr std::string_view status_mark = " (Docker Engine, HTTP ";
constexpr std::string_view start_it = "start it (systemctl start docker), or set docker_host to where it listens";

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::string sentence(std::string_view what, int status, std::string_view text) {
  std::string out{what};
  out += ": ";
  out += text.empty() ? std::string_view{"no reason given"} : text;
  return out.append(status_mark) + std::to_string(status) + ")";
}

// Which part of a server's spec the Engine rejected, as the flag that users know.
struct blamed {
  std::string_view word;  // in the Engine's text
  std::string_view field;
};
constexpr blamed fields[] = {
    {"memory", "--memory"},
    {"Memory", "--memory"},
    {"CPU", "--cpus"},
    {"log opt", "--log-opt"},
    {"log-opt", "--log-opt"},
    {"logger", "--log-driver"},
    {"ogging driver", "--log-driver"},
    {"capability", "--cap-add or --cap-drop"},
    {"ulimit", "--ulimit"},
    {"tmpfs", "--tmpfs"},
    {"shm", "--shm-size"},
    {"ealthcheck", "--health-cmd and what goes with it"},
    {"hostname", "--hostname"},
    {"ignal", "--stop-signal"},
    {"mount", "--bind or the template's [[dir]]"},
    {"bind", "--bind or the template's [[dir]]"},
    {" port", "--port"},  // and not "supported"
    {"IP address", "--port"},
    {"working directory", "--workdir"},
    {"find user", "--user"},
    {"label", "--label"},
    {"environment", "--env"},
    {"reference format", "--image and --tag"},
    {"ommand", "the command (what follows --) or --entrypoint"},
};

std::string correct(std::string_view text) {
  for (const auto& f : fields)
    if (has(text, f.word))
      return "correct " + std::string(f.field) + ": zedctl server edit, then zedctl server recreate; or its template";
  return "the Engine rejects the container that the server's spec and template make up: zedctl server describe "
         "shows both, zedctl server edit changes the first";
}

}  // namespace

std::string name_holder(std::string_view text) {
  constexpr std::string_view mark = "in use by container \"";
  auto at = text.find(mark);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + mark.size());
  return std::string{text.substr(0, text.find('"'))};
}

msg::error refusal(std::string_view what, int status, std::string_view text) {
  using msg::ec;
  msg::error e{ec::engine_error, sentence(what, status, text), {}, {}};
  auto means = [&e](ec code, std::string hint) {
    e.code = code;
    e.hint = std::move(hint);
    return e;
  };
  // The two ways a conflict shows: another container's port, or a process of the host.
  if (has(text, "port is already allocated") || has(text, "address already in use"))
    return means(ec::port_conflict, "free the port on that host or give the server another one");
  if (status == 404 && has(text, "No such image")) return means(ec::not_found, "pull the image first");
  if (status == 404 && has(text, "network"))
    return means(ec::not_found, "create the network first, or take it out of the container's list");
  if (status == 404) return means(ec::not_found, "list what exists: it may have been removed or renamed");
  if (auto holder = name_holder(text); status == 409 && !holder.empty())
    return means(ec::already_exists,
                 "rename or remove container " + holder.substr(0, 12) + " yourself, or choose another name");
  if (status == 409 && has(text, "already in progress")) return means(ec::busy, "wait until that has ended");
  if (status == 409 || status == 304) return means(ec::wrong_state, "look at the container's state and try again");
  if (has(text, "bind source path does not exist"))
    return means(ec::bad_request, "create that directory on the host, or mount the disk it lives on");
  if (status == 400 && has(text, "client version"))
    return means(ec::engine_error, "this Docker Engine and zedops share no API version: upgrade the older one");
  if (status == 400) return means(ec::bad_request, correct(text));
  if (status == 401 || status == 403)
    return means(ec::engine_error, "the Engine refuses access: check its access plugin");
  return means(ec::engine_error, "the log of dockerd on that host says more");
}

uint16_t http_status_of(const msg::error& e) {
  const auto at = e.message.rfind(status_mark);
  if (at == std::string::npos) return 0;
  uint16_t status = 0;
  const auto* digits = e.message.data() + at + status_mark.size();
  std::from_chars(digits, e.message.data() + e.message.size(), status);
  return status;
}

msg::error no_engine(std::string_view where, std::string_view reason) {
  std::string message = "no Docker Engine at ";
  message.append(where).append(": ").append(reason);
  return {msg::ec::engine_error, std::move(message), std::string(start_it), {}};
}

msg::error engine_hung_up(std::string_view where, std::string_view request, std::string_view reason) {
  std::string message = "the Docker Engine at ";
  message.append(where).append(" was lost during ").append(request).append(": ").append(reason);
  std::string hint = "what was asked may or may not have happened: look first, then repeat it; if dockerd is down, ";
  return {msg::ec::engine_error, std::move(message), hint.append("systemctl start docker"), {}};
}

msg::error pull_refusal(std::string_view reference, int status, std::string_view text) {
  std::string hint = "check that the registry can be reached from the host, then try again";
  if (has(text, "manifest unknown") || has(text, "not found"))
    hint = "check repository and tag: the registry has no such image";
  else if (has(text, "denied") || has(text, "unauthorized"))
    hint = "the registry wants a login for this image, or it does not exist";
  else if (has(text, "invalid reference format")) hint = "an image is named repository:tag or repository@sha256:…";
  else if (has(text, "no space left")) hint = "free disk space on the host";
  auto what = "cannot pull " + std::string{reference};
  auto message = status == 200 ? what + ": " + std::string{text} : sentence(what, status, text);
  return {msg::ec::pull_failed, std::move(message), std::move(hint), {}};
}

}  // namespace zedops::docker
