#include "integration/docker/spec_json.hpp"

#include <algorithm>
#include <array>
#include <chrono>

namespace zedops::docker::json {

using nlohmann::json;

namespace {

constexpr uint64_t shm_default = 64 << 20;

std::string without_prefix(std::string name) { return name.starts_with("CAP_") ? name.substr(4) : name; }

std::vector<std::string> capabilities(const json& host, const char* key) {
  auto out = text_list(child(host, key));
  std::transform(out.begin(), out.end(), out.begin(), without_prefix);
  return out;
}

bool nothing(const json& value) {
  return value.is_null() || value == false || value == 0 || value == -1 || value == "" || value.empty();
}

// Read elsewhere, or irrelevant for a container that is made anew.
constexpr std::array plain_keys = {"AutoRemove",    "Binds",           "CapAdd",      "CapDrop",      "CgroupnsMode",
                                   "ConsoleSize",   "ContainerIDFile", "CpuPeriod",   "CpuQuota",     "Init",
                                   "Isolation",     "LogConfig",       "MaskedPaths", "Memory",       "MemorySwap",
                                   "Mounts",        "NanoCpus",        "NetworkMode", "PortBindings", "ReadonlyPaths",
                                   "RestartPolicy", "ShmSize",         "Tmpfs",       "Ulimits"};

struct word {
  const char* key;
  const char* text;
};
constexpr std::array words = {word{"Privileged", "privileged"},
                              word{"Devices", "devices"},
                              word{"DeviceRequests", "devices"},
                              word{"DeviceCgroupRules", "devices"},
                              word{"PublishAllPorts", "ports of the Engine's choice"},
                              word{"ReadonlyRootfs", "a read-only root"},
                              word{"SecurityOpt", "security options"},
                              word{"Sysctls", "sysctls"},
                              word{"ExtraHosts", "extra hosts"},
                              word{"Dns", "DNS servers of its own"},
                              word{"DnsOptions", "DNS options"},
                              word{"DnsSearch", "DNS search domains"},
                              word{"Links", "links"},
                              word{"GroupAdd", "further groups"},
                              word{"VolumesFrom", "volumes of another container"},
                              word{"PidsLimit", "a limit of processes"},
                              word{"MemoryReservation", "a soft memory limit"},
                              word{"CpusetCpus", "chosen processors"},
                              word{"CpuShares", "a CPU share"}};

void add_once(std::vector<std::string>& out, std::string text) {
  if (std::find(out.begin(), out.end(), text) == out.end()) out.push_back(std::move(text));
}

void unusual_modes(std::vector<std::string>& out, const json& host) {
  const auto network = text(host, "NetworkMode");
  if (network == "host") add_once(out, "the host's network");
  if (network == "none") add_once(out, "no network");
  if (network.starts_with("container:")) add_once(out, "the network of another container");
  for (const char* key : {"PidMode", "IpcMode", "UTSMode", "UsernsMode"}) {
    const auto mode = text(host, key);
    if (!mode.empty() && mode != "private" && mode != "shareable") add_once(out, std::string(key) + " " + mode);
  }
  if (const auto runtime = text(host, "Runtime"); !runtime.empty() && runtime != "runc")
    add_once(out, "the runtime " + runtime);
  // With NanoCpus set the quota follows from that; otherwise it is a setting of its own.
  if (number(host, "NanoCpus") == 0 && signed_number(host, "CpuQuota") > 0) add_once(out, "a CPU quota");
}

void unusual_mounts(std::vector<std::string>& out, const json& host) {
  if (auto mounts = child(host, "Mounts"); mounts && mounts->is_array())
    for (const auto& m : *mounts) {
      const auto type = text(m, "Type");
      if (type != "bind" && type != "volume" && type != "tmpfs") add_once(out, "a mount of type " + type);
      if (auto o = child(m, "VolumeOptions"); o && !text(*o, "Subpath").empty()) add_once(out, "a part of a volume");
    }
}

// "-p 80": the Engine chooses; "-p 8000-8010:80": the first free one; sctp.
void unusual_ports(std::vector<std::string>& out, const json& host) {
  auto ports = child(host, "PortBindings");
  if (!ports || !ports->is_object()) return;
  for (const auto& [key, list] : ports->items()) {
    if (key.ends_with("/sctp")) add_once(out, "port " + key);
    if (!list.is_array()) continue;
    for (const auto& entry : list) {
      const auto number = text(entry, "HostPort");
      const bool plain = !number.empty() && number != "0" && number.find_first_not_of("0123456789") == number.npos;
      if (!plain) add_once(out, "port " + key + " on a port of the Engine's choice");
    }
  }
}

}  // namespace

msg::healthcheck health_in(const json& check) {
  const auto time = [&](const char* key) {
    return std::chrono::duration_cast<msg::duration>(std::chrono::nanoseconds{signed_number(check, key)});
  };
  msg::healthcheck out;
  out.test = text_list(child(check, "Test"));
  out.interval = time("Interval");
  out.timeout = time("Timeout");
  out.start_period = time("StartPeriod");
  out.retries = static_cast<uint32_t>(std::min<uint64_t>(number(check, "Retries"), 1000));
  return out;
}

msg::server_spec spec_in(const json& config, const json& host, const std::string& id) {
  msg::server_spec out;
  if (auto dir = text(config, "WorkingDir"); !dir.empty()) out.working_dir = std::move(dir);
  if (auto name = text(config, "Hostname"); !name.empty() && !id.starts_with(name)) out.hostname = std::move(name);
  if (flag(config, "Tty")) out.tty = true;
  if (flag(config, "OpenStdin")) out.open_stdin = true;
  if (auto signal = text(config, "StopSignal"); !signal.empty() && signal != "SIGTERM")
    out.stop_signal = std::move(signal);
  if (auto seconds = signed_number(config, "StopTimeout"); seconds > 0)
    out.stop_grace = msg::duration{std::min<int64_t>(seconds, 3600) * 1000};
  if (auto h = child(config, "Healthcheck")) out.health = health_in(*h);
  if (auto bytes = number(host, "Memory")) out.memory_max = bytes;
  if (auto nanos = number(host, "NanoCpus")) out.cpu_millis = static_cast<uint32_t>(nanos / 1'000'000);
  if (auto bytes = number(host, "ShmSize"); bytes != 0 && bytes != shm_default) out.shm_size = bytes;
  if (flag(host, "Init")) out.init = true;
  if (auto list = child(host, "Ulimits"); list && list->is_array() && !list->empty()) {
    auto& all = out.ulimits.emplace();
    for (const auto& u : *list) all[text(u, "Name")] = {signed_number(u, "Soft"), signed_number(u, "Hard")};
  }
  auto tmpfs = text_map(child(host, "Tmpfs"));
  if (auto mounts = child(host, "Mounts"); mounts && mounts->is_array())
    for (const auto& m : *mounts)
      if (text(m, "Type") == "tmpfs") {
        auto o = child(m, "TmpfsOptions");
        const auto bytes = o ? number(*o, "SizeBytes") : 0;
        tmpfs[text(m, "Target")] = bytes ? "size=" + std::to_string(bytes) : "";
      }
  if (!tmpfs.empty()) out.tmpfs = std::move(tmpfs);
  if (auto log = child(host, "LogConfig")) {
    auto driver = text(*log, "Type");
    auto options = text_map(child(*log, "Config"));
    if (!driver.empty() && (driver != "json-file" || !options.empty())) {
      out.log_driver = std::move(driver);
      out.log_options = std::move(options);
    }
  }
  if (auto list = capabilities(host, "CapAdd"); !list.empty()) out.cap_add = std::move(list);
  if (auto list = capabilities(host, "CapDrop"); !list.empty()) out.cap_drop = std::move(list);
  return out;
}

std::vector<std::string> unusual_in(const json& host, const std::map<std::string, std::string>& labels) {
  std::vector<std::string> out;
  if (!host.is_object()) return out;
  unusual_modes(out, host);
  unusual_mounts(out, host);
  unusual_ports(out, host);
  for (const auto& [key, value] : host.items()) {
    const bool known = std::find(plain_keys.begin(), plain_keys.end(), key) != plain_keys.end() ||
                       key.ends_with("Mode") || key == "Runtime";
    const bool follows = key == "SecurityOpt" && flag(host, "Privileged");  // docker sets it with that
    if (known || follows || nothing(value)) continue;
    const auto w = std::find_if(words.begin(), words.end(), [&](const word& x) { return key == x.key; });
    add_once(out, w != words.end() ? w->text : key);
  }
  if (labels.contains("com.docker.swarm.task")) add_once(out, "a swarm service, which would start another one");
  if (auto i = labels.find("com.docker.compose.project"); i != labels.end())
    add_once(out, "compose project " + i->second + ", which would make another one");
  return out;
}

}  // namespace zedops::docker::json
