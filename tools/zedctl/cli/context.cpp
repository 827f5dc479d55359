#include "tools/zedctl/cli/context.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <toml++/toml.h>

#include <charconv>
#include <fstream>
#include <sstream>

#include "messages/base/names.hpp"

namespace zedops::ctl {

namespace fs = std::filesystem;

namespace {

fs::path base_dir(const world& w, const std::string& variable, const std::string& below_home) {
  if (auto dir = w.variable(variable); !dir.empty()) return dir;
  return fs::path(w.variable("HOME").empty() ? "/" : w.variable("HOME")) / below_home;
}

fs::path runtime_dir(const world& w) {
  if (auto dir = w.variable("ZEDOPS_RUNTIME_DIR"); !dir.empty()) return dir;
  auto user = w.variable("XDG_RUNTIME_DIR");
  const fs::path system = "/run/zedops", own = fs::path(user) / "zedops";
  if (w.root || user.empty()) return system;
  // A user logged in where a manager runs as a service has both, and means the one that exists. The folder decides, not
  // the socket in it: a user who may not enter the folder gets that as the error.
  std::error_code ignored;
  return !fs::exists(own / "clients.ipc", ignored) && fs::exists(system, ignored) ? system : own;
}

}  // namespace

fs::path context_path(const world& w) { return base_dir(w, "XDG_CONFIG_HOME", ".config") / "zedops" / "config.toml"; }

fs::path default_data_dir(const world& w) {
  if (auto dir = w.variable("ZEDOPS_DATA_DIR"); !dir.empty()) return dir;
  return w.root ? fs::path("/var/lib/zedops") : base_dir(w, "XDG_STATE_HOME", ".local/state") / "zedops";
}

std::filesystem::path default_key_file(const world& w) { return context_path(w).parent_path() / "key"; }

std::string events_beside(const std::string& clients) {
  if (clients.starts_with("tcp://")) {
    const auto colon = clients.rfind(':');
    int port = 0;
    std::from_chars(clients.data() + colon + 1, clients.data() + clients.size(), port);
    return clients.substr(0, colon + 1) + std::to_string(port + 2);
  }
  auto slash = clients.rfind('/');
  return slash == std::string::npos ? clients : clients.substr(0, slash + 1) + "events.ipc";
}

msg::result<context_file> read_contexts(const fs::path& path) {
  context_file out;
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return out;
  std::ifstream in(path);
  if (!in) return msg::fail(msg::ec::forbidden, "cannot read " + path.string(), "check its owner and mode");
  std::stringstream text;
  text << in.rdbuf();
  try {
    auto root = toml::parse(std::string_view(text.view()), std::string_view(path.native()));
    out.current = root["current"].value_or(std::string{});
    if (auto* list = root["contexts"].as_table())
      for (auto&& [name, node] : *list) {
        auto view = toml::node_view<toml::node>(node);
        auto& c = out.contexts[std::string(std::string_view(name))];
        c.endpoint = view["endpoint"].value_or(std::string{});
        c.events = view["events"].value_or(std::string{});
        c.production = view["production"].value_or(false);
        c.manager_key = view["manager_key"].value_or(std::string{});
        c.key_file = view["key"].value_or(std::string{});
      }
    return out;
  } catch (const toml::parse_error& e) {
    const auto& at = e.source().begin;
    return msg::fail(msg::ec::bad_request,
                     fmt::format("{}:{}:{}: {}", path.string(), at.line, at.column, e.description()),
                     "correct the file, or remove it and use zedctl context add");
  }
}

msg::result<void> write_contexts(const fs::path& path, const context_file& file) {
  toml::table contexts;
  for (const auto& [name, c] : file.contexts) {
    toml::table row{{"endpoint", c.endpoint}};
    if (!c.events.empty()) row.insert("events", c.events);
    if (c.production) row.insert("production", true);
    if (!c.manager_key.empty()) row.insert("manager_key", c.manager_key);
    if (!c.key_file.empty()) row.insert("key", c.key_file);
    contexts.insert(name, std::move(row));
  }
  toml::table root;
  if (!file.current.empty()) root.insert("current", file.current);
  root.insert("contexts", std::move(contexts));
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  auto part = path;
  part += ".new";
  {
    auto old_mask = ::umask(0077);
    std::ofstream out(part, std::ios::trunc);
    ::umask(old_mask);
    out << root << '\n';
    if (!out.flush()) error = std::make_error_code(std::errc::io_error);
  }
  if (!error) fs::rename(part, path, error);
  if (error)
    return msg::fail(msg::ec::forbidden, fmt::format("cannot write {}: {}", path.string(), error.message()),
                     "check the directory's owner and mode");
  return {};
}

msg::result<target> find_target(const world& w, const std::string& endpoint_flag, const std::string& context_flag) {
  auto direct = [&](const std::string& uri, std::string origin) {
    auto events = w.variable("ZEDCTL_EVENTS");
    auto key = w.variable("ZEDCTL_KEY");
    return target{{uri, events.empty() ? events_beside(uri) : events, w.variable("ZEDCTL_MANAGER_KEY"),
                   key.empty() ? default_key_file(w).string() : key},
                  {},
                  false,
                  std::move(origin)};
  };
  if (!endpoint_flag.empty()) return direct(endpoint_flag, "flag --endpoint");
  auto name = context_flag;
  if (name.empty()) {
    if (auto uri = w.variable("ZEDCTL_ENDPOINT"); !uri.empty()) return direct(uri, "ZEDCTL_ENDPOINT");
    name = w.variable("ZEDCTL_CONTEXT");
  }
  auto file = read_contexts(context_path(w));
  if (!file) return msg::fail(file.error());
  if (name.empty()) name = file->current;
  if (name.empty()) return direct("ipc://" + (runtime_dir(w) / "clients.ipc").string(), "default");
  auto found = file->contexts.find(name);
  if (found == file->contexts.end()) {
    std::vector<std::string> known;
    for (const auto& [key, value] : file->contexts) known.push_back(key);
    auto guess = msg::did_you_mean(name, known);
    return msg::fail(msg::ec::not_found, fmt::format("there is no context '{}' in {}", name, context_path(w).string()),
                     guess.empty() ? fmt::format("zedctl context add {} --endpoint URI", name) : guess);
  }
  const auto& c = found->second;
  return target{{c.endpoint, c.events.empty() ? events_beside(c.endpoint) : c.events, c.manager_key,
                 c.key_file.empty() ? default_key_file(w).string() : c.key_file},
                name,
                c.production,
                "context " + name};
}

}  // namespace zedops::ctl
