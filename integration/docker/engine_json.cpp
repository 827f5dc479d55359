#include "integration/docker/engine_json.hpp"

#include <algorithm>
#include <charconv>

#include "integration/docker/json_read.hpp"
#include "integration/docker/spec_json.hpp"

namespace zedops::docker::json {

using nlohmann::json;

namespace {

auto not_understood(const char* what) {
  return msg::fail(msg::ec::engine_error, std::string{"the Docker Engine's answer is not understood: "} + what,
                   "check that docker_host is a Docker Engine and that its version is supported");
}

std::string dump(const json& doc) { return doc.dump(-1, ' ', false, json::error_handler_t::replace); }

std::string without_slash(std::string name) {
  if (!name.empty() && name.front() == '/') name.erase(0, 1);
  return name;
}

// The Engine's "never" is the year 1.
msg::time_point time(const json& object, const char* key) {
  auto t = msg::from_rfc3339(text(object, key));
  return t && *t > msg::never ? *t : msg::never;
}

std::map<std::string, std::string> env_map(const json* list) {
  std::map<std::string, std::string> out;
  for (const auto& entry : text_list(list)) {
    auto eq = entry.find('=');
    out[entry.substr(0, eq)] = eq == std::string::npos ? "" : entry.substr(eq + 1);
  }
  return out;
}

std::optional<uint16_t> port_number(std::string_view text) {
  uint16_t n = 0;
  auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (err != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return n;
}

// {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}
std::vector<msg::port_binding> bindings(const json* object) {
  std::vector<msg::port_binding> out;
  if (!object || !object->is_object()) return out;
  for (const auto& [key, list] : object->items()) {
    auto slash = key.find('/');
    auto inside = port_number(std::string_view{key}.substr(0, slash));
    auto proto = msg::enum_from_name<msg::protocol>(slash == std::string::npos ? "tcp" : key.substr(slash + 1));
    if (!inside || !proto || !list.is_array()) continue;
    for (const auto& entry : list)
      if (auto outside = port_number(text(entry, "HostPort")); outside && *outside != 0)  // else the Engine chooses
        out.push_back({*outside, *inside, *proto, text(entry, "HostIp")});
  }
  return out;
}

json health_json(const msg::healthcheck& h) {
  auto ns = [](msg::duration d) { return std::chrono::nanoseconds{d}.count(); };
  json out = json::object();
  if (!h.test.empty()) out["Test"] = h.test;
  if (h.interval.count()) out["Interval"] = ns(h.interval);
  if (h.timeout.count()) out["Timeout"] = ns(h.timeout);
  if (h.start_period.count()) out["StartPeriod"] = ns(h.start_period);
  if (h.retries) out["Retries"] = h.retries;
  return out;
}

const char* restart_name(msg::restart_rule rule) {
  switch (rule) {
    case msg::restart_rule::no: return "no";
    case msg::restart_rule::always: return "always";
    case msg::restart_rule::unless_stopped: return "unless-stopped";
    case msg::restart_rule::on_failure: return "on-failure";
  }
  return "no";
}

json host_config(const msg::container_spec& spec) {
  json ports = json::object();
  for (const auto& p : spec.ports)
    ports[std::to_string(p.container_port) + "/" + std::string{msg::name_of(p.proto)}].push_back(
        {{"HostIp", p.host_ip}, {"HostPort", std::to_string(p.host_port)}});
  // Mounts and not Binds: a source that is missing is an error then, not a fresh directory on the wrong disk.
  json mounts = json::array();
  for (const auto& m : spec.mounts)
    mounts.push_back({{"Type", "bind"}, {"Source", m.source}, {"Target", m.target}, {"ReadOnly", m.read_only}});
  for (const auto& v : spec.volumes) {
    json m = {{"Type", "volume"}, {"Target", v.target}};
    if (!v.name.empty()) m["Source"] = v.name;
    else
      m["VolumeOptions"] = {
          {"Labels", spec.labels},
          {"DriverConfig", {{"Name", "local"}, {"Options", {{"type", "none"}, {"o", "bind"}, {"device", v.device}}}}}};
    mounts.push_back(std::move(m));
  }
  json restart = {{"Name", restart_name(spec.restart)}};
  if (spec.restart == msg::restart_rule::on_failure) restart["MaximumRetryCount"] = spec.restart_max;
  json out = {{"PortBindings", ports}, {"Mounts", mounts}, {"RestartPolicy", restart}};
  if (spec.memory_max) out["Memory"] = spec.memory_max;
  if (spec.cpu_millis) out["NanoCpus"] = uint64_t{spec.cpu_millis} * 1'000'000;
  if (!spec.networks.empty()) out["NetworkMode"] = spec.networks.front();
  if (spec.init) out["Init"] = true;
  if (spec.shm_size) out["ShmSize"] = spec.shm_size;
  for (const auto& [name, limit] : spec.ulimits)
    out["Ulimits"].push_back({{"Name", name}, {"Soft", limit.soft}, {"Hard", limit.hard}});
  if (!spec.tmpfs.empty()) out["Tmpfs"] = spec.tmpfs;
  if (!spec.log_driver.empty()) out["LogConfig"] = {{"Type", spec.log_driver}, {"Config", spec.log_options}};
  if (!spec.cap_add.empty()) out["CapAdd"] = spec.cap_add;
  if (!spec.cap_drop.empty()) out["CapDrop"] = spec.cap_drop;
  if (spec.pids_max) out["PidsLimit"] = spec.pids_max;
  if (spec.no_new_privileges) out["SecurityOpt"] = {"no-new-privileges"};
  if (spec.read_only_root) out["ReadonlyRootfs"] = true;
  return out;
}

std::optional<msg::health_state> health_of(const json& state) {
  auto health = child(state, "Health");
  if (!health) return msg::health_state::none;
  auto word = text(*health, "Status");
  return word.empty() ? msg::health_state::none : msg::enum_from_name<msg::health_state>(word);
}

}  // namespace

std::string create_body(const msg::container_spec& spec, api_version version) {
  json env = json::array(), exposed = json::object();
  for (const auto& [key, value] : spec.env) env.push_back(key + "=" + value);
  for (const auto& p : spec.ports)
    exposed[std::to_string(p.container_port) + "/" + std::string{msg::name_of(p.proto)}] = json::object();
  json body = {{"Image", spec.image},
               {"Env", env},
               {"Labels", spec.labels},
               {"ExposedPorts", exposed},
               {"Tty", spec.tty},
               {"OpenStdin", spec.open_stdin},
               {"HostConfig", host_config(spec)}};
  if (!spec.entrypoint.empty()) body["Entrypoint"] = spec.entrypoint;
  if (!spec.command.empty()) body["Cmd"] = spec.command;
  if (!spec.user.empty()) body["User"] = spec.user;
  if (!spec.working_dir.empty()) body["WorkingDir"] = spec.working_dir;
  if (!spec.hostname.empty()) body["Hostname"] = spec.hostname;
  if (!spec.stop_signal.empty()) body["StopSignal"] = spec.stop_signal;
  if (spec.stop_timeout.count() > 0) body["StopTimeout"] = (spec.stop_timeout.count() + 999) / 1000;
  if (auto health = health_json(spec.health); !health.empty()) body["Healthcheck"] = health;
  json endpoints = json::object();
  for (const auto& network : spec.networks) {
    endpoints[network] = json::object();
    if (version < api_multi_network) break;
  }
  if (!endpoints.empty()) body["NetworkingConfig"] = {{"EndpointsConfig", endpoints}};
  return dump(body);
}

std::string network_body(const std::string& name, const labels& labels) {
  return dump({{"Name", name}, {"Driver", "bridge"}, {"CheckDuplicate", true}, {"Labels", labels}});
}

std::string connect_body(const std::string& container) { return dump({{"Container", container}}); }

std::string object(const labels& labels) {
  json out = json::object();
  for (const auto& [key, value] : labels) out[key] = value;
  return dump(out);
}

std::string filters(const labels& labels, const std::vector<std::string>& types) {
  json out = json::object();
  for (const auto& [key, value] : labels) out["label"].push_back(value.empty() ? key : key + "=" + value);
  if (!types.empty()) out["type"] = types;
  return dump(out);
}

msg::result<engine_info> parse_version(std::string_view body) {
  auto doc = parse_object(body);
  if (!doc) return not_understood("version");
  engine_info out;
  out.engine_version = text(*doc, "Version");
  out.api_version = text(*doc, "ApiVersion");
  out.min_api_version = text(*doc, "MinAPIVersion");
  out.architecture = text(*doc, "Arch");
  if (out.engine_version.empty() || out.api_version.empty()) return not_understood("version");
  return out;
}

msg::result<engine_info> parse_info(engine_info out, std::string_view body) {
  auto doc = parse_object(body);
  if (!doc) return not_understood("info");
  out.id = text(*doc, "ID");
  out.data_root = text(*doc, "DockerRootDir");
  out.os = text(*doc, "OperatingSystem");
  out.hostname = text(*doc, "Name");
  return out;
}

msg::result<std::vector<container_summary>> parse_list(std::string_view body) {
  auto doc = json::parse(body, nullptr, false);
  if (!doc.is_array()) return not_understood("list of containers");
  std::vector<container_summary> out;
  out.reserve(doc.size());
  for (const auto& row : doc) {
    container_summary c;
    c.id = text(row, "Id");
    auto state = msg::enum_from_name<msg::container_state>(text(row, "State"));
    if (c.id.empty() || !state) return not_understood("a container without id or with an unknown state in the list");
    c.state = *state;
    for (const auto& name : text_list(child(row, "Names")))  // "/other/alias" is a link to this container
      if (name.find('/', 1) == std::string::npos) c.name = without_slash(name);
    c.image = text(row, "Image");
    c.labels = text_map(child(row, "Labels"));
    if (auto ports = child(row, "Ports"); ports && ports->is_array())
      for (const auto& p : *ports) {
        auto outside = number(p, "PublicPort"), inside = number(p, "PrivatePort");
        auto proto = msg::enum_from_name<msg::protocol>(text(p, "Type"));
        if (proto && outside > 0 && outside <= 65535 && inside <= 65535)
          c.ports.push_back({static_cast<uint16_t>(outside), static_cast<uint16_t>(inside), *proto, text(p, "IP")});
      }
    out.push_back(std::move(c));
  }
  return out;
}

msg::result<container_details> parse_details(std::string_view body) {
  auto doc = parse_object(body);
  auto state = doc ? child(*doc, "State") : nullptr;
  auto config = doc ? child(*doc, "Config") : nullptr;
  if (!state || !config) return not_understood("container");
  container_details out;
  auto& view = out.view;
  view.id = text(*doc, "Id");
  view.name = without_slash(text(*doc, "Name"));
  view.image = text(*config, "Image");
  auto word = msg::enum_from_name<msg::container_state>(text(*state, "Status"));
  auto health = health_of(*state);
  if (view.id.empty() || !word || !health) return not_understood("a container without id or with an unknown state");
  view.state = *word;
  view.health = *health;
  view.exit_code = signed_number(*state, "ExitCode");
  view.restarts = number(*doc, "RestartCount");
  view.labels = text_map(child(*config, "Labels"));
  view.started_at = time(*state, "StartedAt");
  view.finished_at = time(*state, "FinishedAt");

  out.image_id = text(*doc, "Image");
  out.tty = flag(*config, "Tty");
  out.env = env_map(child(*config, "Env"));
  if (auto host = child(*doc, "HostConfig")) out.ports = bindings(child(*host, "PortBindings"));
  if (auto mounts = child(*doc, "Mounts"); mounts && mounts->is_array())
    for (const auto& m : *mounts) {
      const auto type = text(m, "Type");
      const msg::mount here{text(m, "Source"), text(m, "Destination"), !flag(m, "RW")};
      if (type == "bind") out.mounts.push_back(here);
      else if (type == "volume") {
        out.volumes.push_back(here);
        out.volume_names.push_back(text(m, "Name"));
      }
      if (const auto driver = text(m, "Driver"); type == "volume" && !driver.empty() && driver != "local")
        out.plugin_volumes.push_back(text(m, "Name"));
    }
  out.entrypoint = text_list(child(*config, "Entrypoint"));
  out.command = text_list(child(*config, "Cmd"));
  out.user = text(*config, "User");
  if (auto host = child(*doc, "HostConfig")) {
    out.unusual = unusual_in(*host, view.labels);
    out.auto_remove = flag(*host, "AutoRemove");
    out.spec = spec_in(*config, *host, view.id);
  }
  if (auto net = child(*doc, "NetworkSettings"))
    if (auto networks = child(*net, "Networks"); networks && networks->is_object())
      for (const auto& [name, card] : networks->items()) {
        out.networks.push_back(name);
        auto address = text(card, "IPAddress");
        if (address.empty()) address = text(card, "GlobalIPv6Address");  // a network without IPv4
        if (!address.empty()) out.addresses.emplace(name, std::move(address));
      }
  return out;
}

msg::result<created_container> parse_created(std::string_view body) {
  auto doc = parse_object(body);
  if (!doc || text(*doc, "Id").empty()) return not_understood("created container");
  return created_container{text(*doc, "Id"), text_list(child(*doc, "Warnings"))};
}

msg::result<std::string> parse_id(std::string_view body) {
  auto doc = parse_object(body);
  if (!doc || text(*doc, "Id").empty()) return not_understood("id");
  return text(*doc, "Id");
}

msg::result<image_info> parse_image(std::string_view body) {
  auto doc = parse_object(body);
  if (!doc || text(*doc, "Id").empty()) return not_understood("image");
  image_info out;
  out.id = text(*doc, "Id");
  out.names = text_list(child(*doc, "RepoTags"));
  out.architecture = text(*doc, "Architecture");
  out.bytes = number(*doc, "Size");
  if (auto config = child(*doc, "Config")) {
    out.labels = text_map(child(*config, "Labels"));
    out.env = env_map(child(*config, "Env"));
    out.entrypoint = text_list(child(*config, "Entrypoint"));
    out.command = text_list(child(*config, "Cmd"));
    out.user = text(*config, "User");
    out.working_dir = text(*config, "WorkingDir");
    out.stop_signal = text(*config, "StopSignal");
    if (auto h = child(*config, "Healthcheck")) out.health = health_in(*h);
    if (auto all = child(*config, "Volumes"); all && all->is_object())
      for (const auto& [path, unused] : all->items()) out.volumes.push_back(path);
  }
  return out;
}

namespace {

std::optional<volume_info> volume_in(const json& row) {
  volume_info out{text(row, "Name"), text(row, "Driver"), text_map(child(row, "Options")),
                  text_map(child(row, "Labels"))};
  return out.name.empty() ? std::nullopt : std::optional(std::move(out));
}

}  // namespace

msg::result<volume_info> parse_volume(std::string_view body) {
  auto doc = parse_object(body);
  auto out = doc ? volume_in(*doc) : std::nullopt;
  if (!out) return not_understood("volume");
  return std::move(*out);
}

msg::result<std::vector<volume_info>> parse_volumes(std::string_view body) {
  auto doc = parse_object(body);
  if (!doc) return not_understood("list of volumes");
  std::vector<volume_info> out;
  const auto* rows = child(*doc, "Volumes");  // null when there are none
  if (!rows || !rows->is_array()) return out;
  for (const auto& row : *rows) {
    auto v = volume_in(row);
    if (!v) return not_understood("a volume without a name in the list");
    out.push_back(std::move(*v));
  }
  return out;
}

msg::result<container_layer> parse_layer(std::string_view changes, std::string_view details) {
  constexpr uint64_t removed = 2;
  auto doc = parse_object(details);
  const auto rows = json::parse(changes, nullptr, false);
  if (!doc || !(rows.is_array() || rows.is_null())) return not_understood("changes of a container");
  container_layer out;
  out.bytes = number(*doc, "SizeRw");
  std::vector<std::string> paths;
  for (const auto& row : rows)
    if (number(row, "Kind") != removed) paths.push_back(text(row, "Path"));
  std::vector<std::string> mounted;
  if (auto mounts = child(*doc, "Mounts"); mounts && mounts->is_array())
    for (const auto& m : *mounts) mounted.push_back(text(m, "Destination"));
  std::sort(paths.begin(), paths.end());
  const auto holds = [](const std::string& folder, const std::string& path) {
    return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
  };
  for (size_t i = 0; i < paths.size(); ++i) {
    // What begins with "a/b" is in order behind it, but "a-b" may be in between.
    const auto inside = std::lower_bound(paths.begin(), paths.end(), paths[i] + "/");
    const bool folder = inside != paths.end() && holds(paths[i], *inside);
    const bool place = std::any_of(mounted.begin(), mounted.end(),
                                   [&](const std::string& m) { return m == paths[i] || holds(paths[i], m); });
    if (!folder && !place) out.files.push_back(paths[i]);
  }
  return out;
}

msg::result<network_info> parse_network(std::string_view body) {
  auto doc = parse_object(body);
  if (!doc || text(*doc, "Id").empty()) return not_understood("network");
  return network_info{text(*doc, "Id"), text(*doc, "Name"), text_map(child(*doc, "Labels"))};
}

msg::result<container_stats> parse_stats(std::string_view body) {
  auto doc = parse_object(body);
  if (!doc) return not_understood("stats");
  container_stats out;
  if (auto cpu = child(*doc, "cpu_stats"))
    if (auto usage = child(*cpu, "cpu_usage")) out.cpu_total_ns = number(*usage, "total_usage");
  if (auto memory = child(*doc, "memory_stats")) {
    auto usage = number(*memory, "usage");
    uint64_t cache = 0;
    if (auto s = child(*memory, "stats"))  // cgroup v1 says total_inactive_file, v2 inactive_file
      cache = child(*s, "total_inactive_file") ? number(*s, "total_inactive_file") : number(*s, "inactive_file");
    out.memory_bytes = usage > cache ? usage - cache : usage;
    out.memory_max = number(*memory, "limit");
  }
  if (auto networks = child(*doc, "networks"); networks && networks->is_object())
    for (const auto& [name, card] : networks->items()) {
      out.received_bytes += number(card, "rx_bytes");
      out.sent_bytes += number(card, "tx_bytes");
    }
  if (auto disks = child(*doc, "blkio_stats"))
    if (auto rows = child(*disks, "io_service_bytes_recursive"); rows && rows->is_array())
      for (const auto& row : *rows) {  // cgroup v1 says Read, v2 read
        const auto what = text(row, "op");
        if (what == "read" || what == "Read") out.read_bytes += number(row, "value");
        if (what == "write" || what == "Write") out.written_bytes += number(row, "value");
      }
  return out;
}

msg::result<event> parse_event(std::string_view line) {
  auto doc = parse_object(line);
  if (!doc) return not_understood("event");
  event out;
  out.type = text(*doc, "Type");
  out.action = text(*doc, "Action");
  out.time_ns = signed_number(*doc, "timeNano");
  if (auto actor = child(*doc, "Actor")) {
    out.id = text(*actor, "ID");
    out.attributes = text_map(child(*actor, "Attributes"));
  }
  if (out.type.empty() || out.action.empty()) return not_understood("event");
  return out;
}

std::string refusal_text(std::string_view body) {
  constexpr std::size_t text_max = 2000;
  if (auto doc = parse_object(body))
    if (auto message = text(*doc, "message"); !message.empty()) return message;
  return std::string{body.substr(0, text_max)};
}

}  // namespace zedops::docker::json
