#include "tools/manager/web/known_accounts.hpp"

namespace zedops::app {

using namespace msg;
using bus::account;
using bus::account_kind;
using bus::account_list;

namespace {

user_view user_of(const account& a) {
  return {a.name, a.role, a.agent, a.server, !a.password.empty(), shown(a.created)};
}
token_view token_of(const account& a) {
  return {a.name, a.role, a.agent, a.server, shown(a.created), shown(a.expires), shown(a.used)};
}

}  // namespace

result<user_list> known_accounts::users() {
  auto all = bus::read_accounts(book_.file());
  if (!all) return fail(all.error());
  user_list out;
  for (const auto& a : *all)
    if (a.kind == account_kind::user) out.users.push_back(user_of(a));
  return out;
}

result<user_link> known_accounts::linked(const std::string& name, time_point now, const link_fn& how) {
  user_link out;
  auto ok = bus::change_accounts(book_.file(), [&](account_list& all) -> result<void> {
    auto secret = how(all);
    if (!secret) return fail(secret.error());
    out.user = user_of(*bus::find_account(all, account_kind::user, name));
    if (secret->empty()) return {};
    // After a #, so that it appears in no log on the way.
    out.link = url_ + "/welcome#" + *secret;
    out.expires_at = now + bus::link_time;
    return {};
  });
  if (!ok) return fail(ok.error());
  return out;
}

result<user_link> known_accounts::add(const add_user& u, time_point now) {
  return linked(u.name, now, [&](account_list& all) {
    return bus::put_user(all, {account_kind::user, u.name, u.role, u.agent, u.server}, now);
  });
}

result<user_link> known_accounts::reset(const reset_user& u, time_point now) {
  return linked(u.name, now, [&](account_list& all) { return bus::reset_user(all, u.name, now); });
}

result<user_list> known_accounts::remove(const remove_user& u) {
  user_list gone;
  auto ok = bus::change_accounts(book_.file(), [&](account_list& all) -> result<void> {
    auto a = bus::remove_account(all, account_kind::user, u.name);
    if (!a) return fail(a.error());
    gone.users.push_back(user_of(*a));
    return {};
  });
  if (!ok) return fail(ok.error());
  return gone;
}

result<token_list> known_accounts::tokens() {
  auto all = bus::read_accounts(book_.file());
  if (!all) return fail(all.error());
  token_list out;
  for (const auto& a : *all)
    if (a.kind == account_kind::token) {
      out.tokens.push_back(token_of(a));
      if (const auto used = book_.used(a.hash); used != never) out.tokens.back().used_at = used;
    }
  return out;
}

result<token_made> known_accounts::add(const add_token& t, time_point now) {
  token_made out;
  auto ok = bus::change_accounts(book_.file(), [&](account_list& all) -> result<void> {
    account a{account_kind::token, t.name, t.role, t.agent, t.server};
    if (t.ttl.count() > 0) a.expires = now + t.ttl;
    auto secret = bus::add_token(all, std::move(a), now);
    if (!secret) return fail(secret.error());
    out = {token_of(all.back()), std::move(*secret)};
    return {};
  });
  if (!ok) return fail(ok.error());
  return out;
}

result<token_list> known_accounts::remove(const remove_token& t) {
  token_list gone;
  auto ok = bus::change_accounts(book_.file(), [&](account_list& all) -> result<void> {
    auto a = bus::remove_account(all, account_kind::token, t.name);
    if (!a) return fail(a.error());
    gone.tokens.push_back(token_of(*a));
    return {};
  });
  if (!ok) return fail(ok.error());
  return gone;
}

}  // namespace zedops::app
