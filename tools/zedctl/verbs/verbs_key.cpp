// Keys: the user's own, and those that may connect to the manager. With --data-dir: files only, without a manager.
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

// With --data-dir the file itself is read and changed, so that it works without a manager.
msg::result<msg::key_list> from_file(msg::result<void> ok, const bus::key_list& keys) {
  if (!ok) return msg::fail(ok.error());
  msg::key_list out;
  for (const auto& e : keys)
    out.keys.push_back({e.name, e.role, e.public_key, bus::fingerprint(e.public_key), e.agent, e.server,
                        msg::shown(e.expires), e.topic});
  return out;
}

std::string where_of(const msg::key_view& k) {
  if (k.role == bus::agent_role || k.role == bus::pending_role || k.role == bus::enrol_role) return "agent " + k.name;
  if (k.role == bus::subscriber_role) return k.topic.empty() ? "all events" : "events " + k.topic + "…";
  return !k.server.empty() ? "server " + k.server : !k.agent.empty() ? "agent " + k.agent : "everywhere";
}

int add(session& s, const arguments& a) {
  const msg::add_key k{a.one("NAME"),  a.one("KEY"),    a.one("role", "viewer"),
                       a.one("agent"), a.one("server"), a.one("topic")};
  auto now = [&]() -> msg::result<msg::key_list> {
    if (!a.has("data-dir")) return s.ask<msg::key_list>("key.add", k);
    const bus::key_entry e{k.name, k.role, k.public_key, k.agent, k.server, {}, k.topic};
    return from_file(bus::change_keys(ring_file(s, a), [&](bus::key_list& all) { return bus::add_key(all, e); }), {e});
  }();
  if (!now) return s.report(now.error());
  if (s.machine()) return s.show(*now, [] { return std::string{}; });
  s.say(fmt::format("{} may connect as {} {} ({})", k.name, k.role,
                    where_of({k.name, k.role, {}, {}, k.agent, k.server, {}, k.topic}),
                    bus::fingerprint(k.public_key)));
  return exit_ok;
}

int rm(session& s, const arguments& a) {
  const auto name = a.one("NAME");
  auto gone = [&]() -> msg::result<msg::key_list> {
    if (!a.has("data-dir")) return s.ask<msg::key_list>("key.rm", msg::remove_key{name});
    bus::key_list removed;
    auto ok = bus::change_keys(ring_file(s, a), [&](bus::key_list& all) -> msg::result<void> {
      auto r = bus::remove_key(all, name);
      if (!r) return msg::fail(r.error());
      removed = std::move(*r);
      return {};
    });
    return from_file(ok, removed);
  }();
  if (!gone) return s.report(gone.error());
  if (s.machine()) return s.show(*gone, [] { return std::string{}; });
  s.say(fmt::format("{} may no longer connect", name));
  return exit_ok;
}

int ls(session& s, const arguments& a) {
  auto all = [&]() -> msg::result<msg::key_list> {
    if (!a.has("data-dir")) return s.ask<msg::key_list>("key.ls", msg::list_keys{});
    auto read = bus::read_keys(ring_file(s, a));
    if (!read) return msg::fail(read.error());
    return from_file({}, *read);
  }();
  if (!all) return s.report(all.error());
  if (all->keys.empty() && !s.machine()) {
    s.say("No keys, so nobody can connect over the network. Add one with: zedctl key add NAME KEY --role ROLE");
    return exit_ok;
  }
  return s.show(*all, [&] {
    table t({"NAME", "ROLE", "WHERE", "KEY", "UNTIL"});
    for (const auto& k : all->keys)
      t.add({{k.name},
             {k.role},
             {where_of(k)},
             {k.public_key},
             {k.expires_at ? msg::to_rfc3339(*k.expires_at) : std::string{}}});
    return s.render(t);
  });
}

int rotate(session& s, const arguments& a) {
  auto v = s.ask<msg::rotation_view>("key.rotate", msg::rotate_key{a.has("finish"), a.has("cancel"), a.has("force")});
  if (!v) return s.report(v.error());
  const auto status = s.show(*v, [&] {
    sheet out;
    out.add("Key", v->public_key);
    out.add("Next key", v->next_key.empty() ? "none" : v->next_key);
    if (!v->next_key.empty()) {
      out.add("Known to", joined(v->agents_ready));
      out.add("Not yet known to", joined(v->agents_missing), style::warn);
    }
    return out.render(s.looks().colour);
  });
  if (s.machine() || v->next_key.empty()) return status;
  if (v->at_next_start)
    s.say(
        "The manager uses the next key from its next start on: systemctl restart zedops-manager. Then, for each of "
        "its clients: zedctl context add NAME --endpoint URI --manager-key " +
        v->next_key);
  else s.say("Agents learn it within seconds; once all know it: zedctl key rotate --finish");
  return status;
}

}  // namespace

std::vector<command> key_commands() {
  using enum value_kind;
  const parameter file{"--file", text, "FILE", "The key's file, instead of the default one"};
  const parameter manager{"--manager", none, "", "The key of the manager on this machine"};
  const parameter dir{"--data-dir", text, "DIR", "The manager's data directory: work on its files, without a manager"};
  const parameter name{"NAME", text, "", "Name under which the key is known", arity::one};
  return {
      {"key gen", "Make your own key, and print its public half", {file}, gen, {"zedctl key gen"}},
      {"key show",
       "Print the public half of a key",
       {file, manager, dir},
       show,
       {"zedctl key show", "zedctl key show --manager"}},
      {"key ls", "List the keys that may connect over the network", {dir}, ls, {"zedctl key ls"}},
      {"key add",
       "Add a key: takes effect at once",
       {name,
        {"KEY", text, "", "Its public half", arity::one},
        {"--role", text, "ROLE", "viewer, operator, admin, agent or subscriber (events alone); default: viewer"},
        {"--agent", text, "NAME", "On this agent and its servers only"},
        {"--server", text, "NAME", "On this server only"},
        {"--topic", text, "PREFIX", "For a subscriber: only events whose topics have this prefix; default: all"},
        dir},
       add,
       {"zedctl key add ann KEY --role operator", "zedctl key add node-2 KEY --role agent",
        "zedctl key add bot KEY --role subscriber --topic operation."}},
      {"key rm",
       "Remove a key and its rights: takes effect with its next request",
       {name, dir},
       rm,
       {"zedctl key rm ann"}},
      {"key rotate",
       "Replace the manager's key, in two steps: its agents learn the next key, then the manager uses it",
       {{"--finish", none, "", "Use the next key from the next start on; refused while agents do not know it"},
        {"--cancel", none, "", "Forget the next key"},
        {"--force", none, "", "With --finish: even if agents that do not know it are shut out"}},
       rotate,
       {"zedctl key rotate", "zedctl key rotate --finish"}},
  };
}

}  // namespace zedops::ctl
