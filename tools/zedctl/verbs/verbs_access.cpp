// Who may use HTTP: users with passwords, programs with tokens.
#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include "messages/base/names.hpp"
#include "tools/zedctl/cli/commands.hpp"

namespace zedops::ctl {
namespace {

template <class Row>
std::string where_of(const Row& r) {
  return !r.server.empty() ? "server " + r.server : !r.agent.empty() ? "agent " + r.agent : "everywhere";
}
std::string time_of(const msg::optional_time& t) { return t ? msg::to_rfc3339(*t) : std::string{}; }

// The link goes to stdout: it is what the user wants to pass on.
int print_link(session& s, const msg::result<msg::user_link>& made) {
  if (!made) return s.report(made.error());
  if (s.machine()) return s.show(*made, [] { return std::string{}; });
  const auto& u = made->user;
  s.say(fmt::format("{} may sign in as {} {}", u.name, u.role, where_of(u)));
  if (made->link.empty()) return exit_ok;
  s.say(
      fmt::format("With this link {} chooses a password. It works once, until {}:", u.name, time_of(made->expires_at)));
  s.print(made->link + "\n");
  return exit_ok;
}

std::string own_name() {
  const auto* who = ::getpwuid(::getuid());
  return who ? who->pw_name : "admin";
}

int bootstrap(session& s, const arguments& a) {
  auto there = s.ask<msg::user_list>("user.ls", msg::list_users{});
  if (!there) return s.report(there.error());
  for (const auto& u : there->users)
    if (u.has_password)
      return s.report({msg::ec::wrong_state,
                       fmt::format("{} can sign in already", u.name),
                       "zedctl user add NAME --role ROLE adds others, zedctl user passwd NAME gives a new link",
                       {}});
  return print_link(s, s.ask<msg::user_link>("user.add", msg::add_user{a.one("NAME", own_name()), "admin", {}, {}}));
}

int add_user(session& s, const arguments& a) {
  return print_link(s, s.ask<msg::user_link>("user.add", msg::add_user{a.one("NAME"), a.one("role", "viewer"),
                                                                       a.one("agent"), a.one("server")}));
}
int new_password(session& s, const arguments& a) {
  return print_link(s, s.ask<msg::user_link>("user.passwd", msg::reset_user{a.one("NAME")}));
}
int remove_user(session& s, const arguments& a) {
  auto gone = s.ask<msg::user_list>("user.rm", msg::remove_user{a.one("NAME")});
  if (!gone) return s.report(gone.error());
  if (s.machine()) return s.show(*gone, [] { return std::string{}; });
  s.say(fmt::format("{} may not sign in any more", a.one("NAME")));
  return exit_ok;
}
int list_users(session& s, const arguments&) {
  auto all = s.ask<msg::user_list>("user.ls", msg::list_users{});
  if (!all) return s.report(all.error());
  if (all->users.empty() && !s.machine()) {
    s.say("No users, so nobody can sign in to the page. Create the first one: zedctl user bootstrap");
    return exit_ok;
  }
  return s.show(*all, [&] {
    table t({"NAME", "ROLE", "WHERE", "PASSWORD", "SINCE"});
    for (const auto& u : all->users)
      t.add({{u.name}, {u.role}, {where_of(u)}, {u.has_password ? "chosen" : "not yet"}, {time_of(u.created_at)}});
    return s.render(t);
  });
}

int add_token(session& s, const arguments& a) {
  msg::add_token q{a.one("NAME"), a.one("role", "viewer"), a.one("agent"), a.one("server"), {}};
  q.ttl = a.time("ttl").value_or(q.ttl);
  auto made = s.ask<msg::token_made>("token.add", q);
  if (!made) return s.report(made.error());
  if (s.machine()) return s.show(*made, [] { return std::string{}; });
  const auto& t = made->token;
  s.say(fmt::format("{} may use HTTP as {} {}{}. The secret is shown only this once:", t.name, t.role, where_of(t),
                    t.expires_at ? " until " + time_of(t.expires_at) : std::string{}));
  s.print(made->secret + "\n");
  return exit_ok;
}
int remove_token(session& s, const arguments& a) {
  auto gone = s.ask<msg::token_list>("token.rm", msg::remove_token{a.one("NAME")});
  if (!gone) return s.report(gone.error());
  if (s.machine()) return s.show(*gone, [] { return std::string{}; });
  s.say(fmt::format("token {} is revoked", a.one("NAME")));
  return exit_ok;
}
int list_tokens(session& s, const arguments&) {
  auto all = s.ask<msg::token_list>("token.ls", msg::list_tokens{});
  if (!all) return s.report(all.error());
  if (all->tokens.empty() && !s.machine()) {
    s.say("No tokens. Create one with: zedctl token add NAME --role ROLE");
    return exit_ok;
  }
  return s.show(*all, [&] {
    table t({"NAME", "ROLE", "WHERE", "SINCE", "UNTIL", "USED"});
    for (const auto& x : all->tokens)
      t.add(
          {{x.name}, {x.role}, {where_of(x)}, {time_of(x.created_at)}, {time_of(x.expires_at)}, {time_of(x.used_at)}});
    return s.render(t);
  });
}

}  // namespace

std::vector<command> access_commands() {
  using enum value_kind;
  const parameter name{"NAME", text, "", "Name of the user or token", arity::one};
  const std::vector<std::string> roles{"viewer", "operator", "admin"};
  const parameter role{"--role", choice, "ROLE", "What it permits; default: viewer", arity::optional, roles};
  const parameter on_agent{"--agent", text, "NAME", "On this agent and its servers only"};
  const parameter on_server{"--server", text, "NAME", "On this server only"};
  return {
      {"user bootstrap",
       "Print a link for the first user, who may do everything",
       {{"NAME", text, "", "The user; default: your own name"}},
       bootstrap,
       {"zedctl user bootstrap"}},
      {"user ls", "List who may sign in to the page", {}, list_users, {"zedctl user ls"}},
      {"user add",
       "Add a user, or change a user's role",
       {name, role, on_agent, on_server},
       add_user,
       {"zedctl user add ann --role operator"}},
      {"user passwd",
       "Print a link to choose a new password; the user's sessions end",
       {name},
       new_password,
       {"zedctl user passwd ann"}},
      {"user rm", "Remove a user and end their sessions", {name}, remove_user, {"zedctl user rm ann"}},
      {"token ls", "List the tokens of programs that use HTTP", {}, list_tokens, {"zedctl token ls"}},
      {"token add",
       "Create a token for a program that uses HTTP, as Authorization: Bearer SECRET",
       {name,
        role,
        on_agent,
        on_server,
        {"--ttl", duration, "TIME", "How long it is valid; default: until it is removed"}},
       add_token,
       {"zedctl token add grafana --role viewer"}},
      {"token rm", "Revoke a token", {name}, remove_token, {"zedctl token rm grafana"}},
  };
}

}  // namespace zedops::ctl
