// Keys: one's own, and who may come in at the manager of this machine. Without a manager: files only.
#include <fmt/format.h>

#include "bus/security/key_ring.hpp"
#include "bus/security/keys.hpp"
#include "messages/base/names.hpp"
#include "tools/zedctl/cli/commands.hpp"
#include "tools/zedctl/cli/context.hpp"
#include "tools/zedctl/output/json_text.hpp"

namespace zedops::ctl {
namespace {

namespace fs = std::filesystem;

fs::path data_dir(session& s, const arguments& a) {
  return a.has("data-dir") ? fs::path(a.one("data-dir")) : default_data_dir(s.outside());
}
fs::path key_file(session& s, const arguments& a) {
  if (a.has("file")) return a.one("file");
  if (a.has("manager")) return data_dir(s, a) / bus::manager_key_name;
  return default_key_file(s.outside());
}
fs::path ring_file(session& s, const arguments& a) { return data_dir(s, a) / bus::authorized_keys_name; }

int print_key(session& s, const std::string& public_key, const fs::path& file) {
  if (s.machine())
    s.print(s.structured(object_json(
        {{"public_key", public_key}, {"fingerprint", bus::fingerprint(public_key)}, {"file", file.string()}})));
  else s.print(public_key + "\n");
  return exit_ok;
}

int gen(session& s, const arguments& a) {
  const auto file = key_file(s, a);
  auto made = bus::make_key(file);
  if (!made) return s.report(made.error());
  s.say(fmt::format("made {} ({})", file.string(), bus::fingerprint(made->public_key)));
  return print_key(s, made->public_key, file);
}

int show(session& s, const arguments& a) {
  const auto file = key_file(s, a);
  auto key = bus::load_key(file);
  if (!key) return s.report(key.error());
  return print_key(s, key->public_key, file);
}

int add(session& s, const arguments& a) {
  const auto file = ring_file(s, a);
  auto all = bus::read_keys(file);
  if (!all) return s.report(all.error());
  const bus::key_entry e{a.one("NAME"), a.one("role", "viewer"), a.one("KEY"), a.one("agent"), a.one("server")};
  if (auto problem = bus::problem_of(e); !problem.empty())
    return s.report({msg::ec::bad_request, problem, "zedctl key add NAME KEY --role ROLE", {}});
  std::erase_if(*all,
                [&](const bus::key_entry& x) {  // another role in the same place takes the place of the one before
                  return x.name == e.name && x.agent == e.agent && x.server == e.server && x.public_key == e.public_key;
                });
  for (const auto& x : *all) {
    if (x.name == e.name && x.public_key != e.public_key)
      return s.report({msg::ec::already_exists,
                       fmt::format("{} has another key", e.name),
                       fmt::format("zedctl key rm {} first, or take another name", e.name),
                       {}});
    if (x.public_key == e.public_key && x.name != e.name)
      return s.report(
          {msg::ec::already_exists, fmt::format("this key is known as {}", x.name), "a key has one name", {}});
  }
  all->push_back(e);
  if (auto ok = bus::write_keys(file, *all); !ok) return s.report(ok.error());
  s.say(fmt::format("{} may come in as {}{} ({})", e.name, e.role,
                    !e.server.empty()  ? " of server " + e.server
                    : !e.agent.empty() ? " of agent " + e.agent
                                       : "",
                    bus::fingerprint(e.public_key)));
  return exit_ok;
}

int rm(session& s, const arguments& a) {
  const auto file = ring_file(s, a);
  auto all = bus::read_keys(file);
  if (!all) return s.report(all.error());
  const auto name = a.one("NAME");
  if (std::erase_if(*all, [&](const bus::key_entry& e) { return e.name == name; }) == 0)
    return s.report({msg::ec::not_found, fmt::format("there is no key of '{}'", name), "zedctl key ls", {}});
  if (auto ok = bus::write_keys(file, *all); !ok) return s.report(ok.error());
  s.say(fmt::format("{} may not come in any more", name));
  return exit_ok;
}

int ls(session& s, const arguments& a) {
  auto all = bus::read_keys(ring_file(s, a));
  if (!all) return s.report(all.error());
  const auto where = [](const bus::key_entry& e) {
    return !e.server.empty() ? "server " + e.server : !e.agent.empty() ? "agent " + e.agent : std::string("everywhere");
  };
  if (s.machine()) {
    std::vector<std::string> rows;
    for (const auto& e : *all)
      rows.push_back(
          object_json({{"name", e.name}, {"role", e.role}, {"where", where(e)}, {"public_key", e.public_key}}, -1));
    s.print(s.structured(array_json(rows)));
    return exit_ok;
  }
  if (all->empty()) {
    s.say("No keys: nobody comes in over a network. Add one with: zedctl key add NAME KEY --role ROLE");
    return exit_ok;
  }
  table t({"NAME", "ROLE", "WHERE", "KEY"});
  for (const auto& e : *all)
    t.add({{e.name}, {e.role}, {e.role == bus::agent_role ? "agent " + e.name : where(e)}, {e.public_key}});
  s.print(s.render(t));
  return exit_ok;
}

}  // namespace

std::vector<command> key_commands() {
  using enum value_kind;
  const parameter file{"--file", text, "FILE", "Instead of the usual place"};
  const parameter manager{"--manager", none, "", "The key of the manager of this machine"};
  const parameter dir{"--data-dir", text, "DIR", "The manager's data directory"};
  const parameter name{"NAME", text, "", "Whose key it is", arity::one};
  return {
      {"key gen", "Make a key of one's own, and print its public half", {file}, gen, {"zedctl key gen"}},
      {"key show",
       "Print the public half of a key",
       {file, manager, dir},
       show,
       {"zedctl key show", "zedctl key show --manager"}},
      {"key ls", "Who may come in over a network", {dir}, ls, {"zedctl key ls"}},
      {"key add",
       "Let a key in: takes effect at once",
       {name,
        {"KEY", text, "", "Its public half", arity::one},
        {"--role", text, "ROLE", "viewer, operator, admin or agent; default: viewer"},
        {"--agent", text, "NAME", "On this agent and its servers only"},
        {"--server", text, "NAME", "On this server only"},
        dir},
       add,
       {"zedctl key add ann KEY --role operator", "zedctl key add node-2 KEY --role agent"}},
      {"key rm",
       "Take all rights of a key away: takes effect with its next request",
       {name, dir},
       rm,
       {"zedctl key rm ann"}},
  };
}

}  // namespace zedops::ctl
