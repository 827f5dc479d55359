// Managers by name.
#include <fmt/format.h>

#include "bus/security/keys.hpp"
#include "messages/base/names.hpp"
#include "tools/zedctl/cli/commands.hpp"
#include "tools/zedctl/cli/context.hpp"
#include "tools/zedctl/output/json_text.hpp"

namespace zedops::ctl {
namespace {

msg::result<context_file> load(session& s) { return read_contexts(context_path(s.outside())); }

int save(session& s, const context_file& file, const std::string& said) {
  if (auto ok = write_contexts(context_path(s.outside()), file); !ok) return s.report(ok.error());
  s.say(said);
  return exit_ok;
}

msg::error unknown(const context_file& file, const std::string& name) {
  std::vector<std::string> known;
  for (const auto& [key, value] : file.contexts) known.push_back(key);
  auto guess = msg::did_you_mean(name, known);
  return {msg::ec::not_found,
          fmt::format("there is no context '{}'", name),
          guess.empty() ? "zedctl context ls lists the contexts" : guess,
          {}};
}

int add(session& s, const arguments& a) {
  auto file = load(s);
  if (!file) return s.report(file.error());
  auto name = a.one("NAME");
  const auto& uri = s.flags().endpoint;
  if (uri.find("://") == std::string::npos)
    return s.report({msg::ec::bad_request,
                     "a context needs the manager's endpoint",
                     fmt::format("zedctl context add {} --endpoint ipc:///run/zedops/clients.ipc", name),
                     {}});
  const auto manager_key = a.one("manager-key");
  if (uri.starts_with("tcp://") && !bus::is_public_key(manager_key))
    return s.report({msg::ec::bad_request,
                     "a tcp:// endpoint needs the manager's public key",
                     "print it on the manager's machine: zedctl key show --manager; then add --manager-key KEY here",
                     {}});
  file->contexts[name] = {uri, a.one("events"), a.has("production"), manager_key, a.one("key")};
  if (file->current.empty()) file->current = name;
  return save(s, *file, fmt::format("context {} is {}{}", name, uri, file->current == name ? ", in use now" : ""));
}

int use(session& s, const arguments& a) {
  auto file = load(s);
  if (!file) return s.report(file.error());
  auto name = a.one("NAME");
  if (!file->contexts.contains(name)) return s.report(unknown(*file, name));
  file->current = name;
  return save(s, *file, fmt::format("using {} ({})", name, file->contexts[name].endpoint));
}

int rm(session& s, const arguments& a) {
  auto file = load(s);
  if (!file) return s.report(file.error());
  auto name = a.one("NAME");
  if (file->contexts.erase(name) == 0) return s.report(unknown(*file, name));
  if (file->current == name) file->current.clear();
  return save(s, *file, fmt::format("forgot context {}", name));
}

int ls(session& s, const arguments&) {
  auto file = load(s);
  if (!file) return s.report(file.error());
  if (s.machine()) {
    std::vector<std::string> rows;
    for (const auto& [name, c] : file->contexts)
      rows.push_back(object_json({{"name", name},
                                  {"endpoint", c.endpoint},
                                  {"events", c.events.empty() ? events_beside(c.endpoint) : c.events},
                                  {"production", c.production ? "true" : "false", true},
                                  {"current", name == file->current ? "true" : "false", true}},
                                 -1));
    s.print(s.structured(array_json(rows)));
    return exit_ok;
  }
  if (file->contexts.empty()) {
    s.say("No contexts. Add one with: zedctl context add NAME --endpoint URI");
    return exit_ok;
  }
  if (s.flags().quiet || s.flags().output == form::name) {
    for (const auto& [name, c] : file->contexts) s.print(name + '\n');
    return exit_ok;
  }
  table t({"CURRENT", "NAME", "ENDPOINT", "PRODUCTION"});
  for (const auto& [name, c] : file->contexts)
    t.add({{name == file->current ? "*" : ""}, {name}, {c.endpoint}, {c.production ? "yes" : "no"}});
  s.print(s.render(t));
  return exit_ok;
}

}  // namespace

std::vector<command> context_commands() {
  using enum value_kind;
  const parameter name{"NAME", context, "", "Name of the context", arity::one};
  return {
      {"context add",
       "Remember a manager under a name; the first one is used from then on",
       {{"NAME", text, "", "Any word", arity::one},
        {"--events", text, "URI", "Its socket for events; default: events.ipc beside --endpoint"},
        {"--manager-key", text, "KEY", "Of a tcp:// endpoint: the manager's public key"},
        {"--key", text, "FILE", "Your own key, if it is not in the default file"},
        {"--production", none, "", "Say so in questions, and also ask before verbs that interrupt players"}},
       add,
       {"zedctl context add prod --endpoint ipc:///run/zedops/clients.ipc --production",
        "zedctl context add far --endpoint tcp://games.example:7700 --manager-key KEY"}},
      {"context use", "Use this context from now on", {name}, use, {"zedctl context use prod"}},
      {"context ls", "List contexts", {}, ls, {"zedctl context ls"}},
      {"context rm", "Forget a context", {name}, rm, {"zedctl context rm prod"}},
  };
}

}  // namespace zedops::ctl
