#include "bus/security/accounts.hpp"

#include <sodium.h>

#include <algorithm>
#include <sstream>

#include "bus/security/key_ring.hpp"
#include "bus/security/keys.hpp"
#include "messages/base/names.hpp"
#include "messages/records/principal.hpp"

namespace zedops::bus {

using namespace msg;

namespace {

constexpr size_t line_bytes_max = 768;
constexpr size_t secret_bytes = 32;
// As OWASP advises for argon2id; one at a time, see the door that asks.
constexpr unsigned long long password_passes = 2;
constexpr size_t password_memory = 19u << 20;

std::string base64(const unsigned char* raw, size_t bytes) {
  std::string text(sodium_base64_ENCODED_LEN(secret_bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING), '\0');
  sodium_bin2base64(text.data(), text.size(), raw, bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  text.resize(text.find('\0'));
  return text;
}

std::string problem_of(const account& a) {
  key_entry as_key{a.name, a.role, std::string(key_text_bytes, 'A'), a.agent, a.server};
  if (a.kind == account_kind::session) as_key.role = "viewer";
  else if (!enum_from_name<role>(a.role))
    return "there is no role '" + a.role.substr(0, 40) + "': use viewer, operator or admin";
  return bus::problem_of(as_key);
}

struct text_field {
  std::string_view key;
  std::string account::*value;
};
constexpr text_field text_fields[] = {{"role=", &account::role},         {"agent=", &account::agent},
                                      {"server=", &account::server},     {"hash=", &account::hash},
                                      {"password=", &account::password}, {"link=", &account::link}};
struct time_field {
  std::string_view key;
  time_point account::*value;
};
constexpr time_field time_fields[] = {
    {"created=", &account::created}, {"expires=", &account::expires}, {"used=", &account::used}};

result<account> parse_line(const std::string& line) {
  std::istringstream in(line);
  std::string kind;
  account a;
  in >> kind >> a.name;
  const auto known = enum_from_name<account_kind>(kind);
  if (!known) return fail(ec::bad_request, "'" + kind.substr(0, 40) + "' is not a user, token or session", "");
  a.kind = *known;
  for (std::string word; in >> word;) {
    bool taken = false;
    for (const auto& f : text_fields)
      if (word.starts_with(f.key)) a.*f.value = word.substr(f.key.size()), taken = true;
    for (const auto& f : time_fields)
      if (word.starts_with(f.key)) {
        const auto t = from_rfc3339(word.substr(f.key.size()));
        if (t) a.*f.value = *t, taken = true;
      }
    if (!taken) return fail(ec::bad_request, "'" + word.substr(0, 40) + "' is not understood", "");
  }
  if (auto problem = problem_of(a); !problem.empty()) return fail(ec::bad_request, problem, "");
  return a;
}

std::string line_of(const account& a) {
  std::string out = std::string(name_of(a.kind)) + ' ' + a.name;
  for (const auto& f : text_fields)
    if (!(a.*f.value).empty()) out += ' ' + std::string(f.key) + a.*f.value;
  for (const auto& f : time_fields)
    if (a.*f.value != never) out += ' ' + std::string(f.key) + to_rfc3339(a.*f.value);
  return out + '\n';
}

tl::unexpected<error> no_such(account_kind kind, const std::string& name) {
  return fail(ec::not_found, "there is no " + std::string(name_of(kind)) + " '" + name.substr(0, 64) + "'",
              "zedctl " + std::string(name_of(kind)) + " ls");
}

std::string give_link(account& user, time_point now) {
  const auto secret = new_secret("zl_");
  user.link = secret_hash(secret);
  user.expires = now + link_time;
  return secret;
}

void end_sessions(account_list& in, const std::string& user) {
  std::erase_if(in, [&](const account& a) { return a.kind == account_kind::session && a.name == user; });
}

bool is_session(const account& a) { return a.kind == account_kind::session; }

void erase_expired(account_list& in, time_point now) {
  std::erase_if(in, [&](const account& a) {
    if (is_session(a)) return a.expires <= now;
    return a.kind == account_kind::token && a.expires != never && a.expires <= now - expired_token_time;
  });
}

}  // namespace

account* find_account(account_list& in, account_kind kind, const std::string& name) {
  const auto i = std::ranges::find_if(in, [&](const account& a) { return a.kind == kind && a.name == name; });
  return i == in.end() ? nullptr : &*i;
}

namespace {

// `where`: where the lines are from, for errors.
result<account_list> parse(std::string text, const std::string& where) {
  std::istringstream in(std::move(text));
  account_list out;
  size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    auto a = line.size() > line_bytes_max ? result<account>(fail(ec::bad_request, "the line is too long", ""))
                                          : parse_line(line);
    if (!a)
      return fail(ec::bad_request, where + ":" + std::to_string(number) + ": " + a.error().message,
                  "remove the line, and add the user or token again");
    out.push_back(std::move(*a));
  }
  return out;
}

}  // namespace

result<account_list> read_accounts(const std::filesystem::path& file) {
  auto text = read_guarded(file, (accounts_max + sessions_max) * line_bytes_max);
  if (!text) return fail(text.error());
  return parse(std::move(*text), file.string());
}

result<void> change_accounts(const std::filesystem::path& file, const std::function<result<void>(account_list&)>& how) {
  return while_locked(file, [&]() -> result<void> {
    auto all = read_accounts(file);
    if (!all) return fail(all.error());
    if (auto ok = how(*all); !ok) return ok;
    // Sessions do not count: many of them must not keep anyone from adding a user, or many tokens from signing in.
    const auto lasting = all->size() - static_cast<size_t>(std::ranges::count_if(*all, is_session));
    if (lasting > accounts_max)
      return fail(ec::too_large, "there are " + std::to_string(accounts_max) + " users and tokens already",
                  "remove those that are not used: zedctl user ls, zedctl token ls");
    std::string text = "# users, tokens and sessions for HTTP; change them with zedctl user, zedctl token\n";
    for (const auto& a : *all) text += line_of(a);
    // One line that cannot be read would lock everyone out.
    if (const auto again = parse(text, "line"); !again || *again != *all)
      return fail(ec::bad_request, "this cannot be stored" + (again ? std::string{} : ": " + again.error().message),
                  "use other names, and times before the year 10000; nothing was changed");
    return write_guarded(file, text);
  });
}

std::string new_secret(std::string_view prefix) {
  unsigned char raw[secret_bytes];
  randombytes_buf(raw, sizeof raw);
  return std::string(prefix) + base64(raw, sizeof raw);
}

std::string secret_hash(std::string_view secret) {
  unsigned char raw[secret_bytes];
  crypto_generichash(raw, sizeof raw, reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), nullptr, 0);
  return base64(raw, sizeof raw);
}

std::string password_hash(const std::string& password) {
  char out[crypto_pwhash_STRBYTES] = {};
  if (crypto_pwhash_str_alg(out, password.data(), password.size(), password_passes, password_memory,
                            crypto_pwhash_ALG_ARGON2ID13) != 0)
    return {};  // out of memory: no password matches
  return out;
}

bool password_fits(const std::string& hash, const std::string& password) {
  return !hash.empty() && crypto_pwhash_str_verify(hash.c_str(), password.data(), password.size()) == 0;
}

std::string problem_of_password(const std::string& password) {
  if (password.size() < password_bytes_min)
    return "a password needs at least " + std::to_string(password_bytes_min) + " characters";
  return password.size() > password_bytes_max ? "the password is too long" : "";
}

result<std::string> put_user(account_list& to, account user, time_point now) {
  user.kind = account_kind::user;
  if (auto problem = problem_of(user); !problem.empty())
    return fail(ec::bad_request, problem, "zedctl user add NAME --role ROLE");
  erase_expired(to, now);
  auto* known = find_account(to, account_kind::user, user.name);
  if (known) {
    known->role = user.role, known->agent = user.agent, known->server = user.server;
    if (!known->password.empty()) return std::string{};
    return give_link(*known, now);
  }
  user.created = now;
  auto link = give_link(user, now);
  to.push_back(std::move(user));
  return link;
}

result<std::string> reset_user(account_list& to, const std::string& name, time_point now) {
  auto* user = find_account(to, account_kind::user, name);
  if (!user) return no_such(account_kind::user, name);
  user->password.clear();
  auto link = give_link(*user, now);
  end_sessions(to, name);
  return link;
}

result<account> remove_account(account_list& from, account_kind kind, const std::string& name) {
  auto* known = find_account(from, kind, name);
  if (!known) return no_such(kind, name);
  auto gone = *known;
  if (kind == account_kind::user) end_sessions(from, name);
  std::erase_if(from, [&](const account& a) { return a.kind == kind && a.name == name; });
  return gone;
}

result<std::string> add_token(account_list& to, account token, time_point now) {
  token.kind = account_kind::token;
  if (auto problem = problem_of(token); !problem.empty())
    return fail(ec::bad_request, problem, "zedctl token add NAME --role ROLE");
  erase_expired(to, now);
  if (find_account(to, account_kind::token, token.name))
    return fail(ec::already_exists, "there is a token '" + token.name + "' already", "zedctl token rm " + token.name);
  const auto secret = new_secret("zt_");
  token.hash = secret_hash(secret);
  token.created = now;
  to.push_back(std::move(token));
  return secret;
}

std::string begin_session(account_list& to, const std::string& user, time_point now) {
  erase_expired(to, now);
  // The first in the list is the oldest.
  const auto make_room = [&](const auto& among, size_t max) {
    while (static_cast<size_t>(std::ranges::count_if(to, among)) >= max) to.erase(std::ranges::find_if(to, among));
  };
  make_room([&](const account& a) { return is_session(a) && a.name == user; }, sessions_per_user_max);
  make_room(is_session, sessions_max);
  const auto secret = new_secret("zs_");
  account s{account_kind::session, user, {}};
  s.hash = secret_hash(secret);
  s.created = now;
  s.expires = now + session_time;
  to.push_back(std::move(s));
  return secret;
}

void end_session(account_list& from, const std::string& secret) {
  std::erase_if(from, [hash = secret_hash(secret)](const account& a) {
    return a.kind == account_kind::session && a.hash == hash;
  });
}

void account_book::refresh() {
  const auto now = stamp_of(file_);
  // A file that could not be read may be readable the next time, although it has not changed.
  const auto t = std::chrono::steady_clock::now();
  if (now == read_ && (readable_ || t < retry_at_)) return;
  retry_at_ = t + reread_after;
  auto all = read_accounts(file_);
  readable_ = all.has_value();
  users_.clear(), by_hash_.clear();
  if (all)
    for (auto& a : *all) {
      if (a.kind == account_kind::user) users_[a.name] = a;
      else by_hash_[a.hash] = a;
    }
  read_ = now;
}

std::optional<account> account_book::behind(const std::string& secret, time_point now) {
  const auto hash = secret_hash(secret);
  std::lock_guard lock(mutex_);
  refresh();
  const auto found = by_hash_.find(hash);
  if (found == by_hash_.end()) return std::nullopt;
  const auto& a = found->second;
  if (a.expires != never && a.expires <= now) return std::nullopt;
  if (a.kind == account_kind::token) {
    used_[hash] = now;
    return a;
  }
  const auto user = users_.find(a.name);
  return user == users_.end() ? std::nullopt : std::optional(user->second);
}

time_point account_book::used(const std::string& hash) {
  std::lock_guard lock(mutex_);
  const auto i = used_.find(hash);
  return i == used_.end() ? never : i->second;
}

result<void> account_book::keep_uses() {
  std::unordered_map<std::string, time_point> uses;
  {
    std::lock_guard lock(mutex_);
    uses.swap(used_);
  }
  if (uses.empty()) return {};
  auto ok = change_accounts(file_, [&](account_list& all) -> result<void> {
    for (auto& a : all)
      if (const auto i = uses.find(a.hash); a.kind == account_kind::token && i != uses.end()) a.used = i->second;
    return {};
  });
  if (ok) return ok;
  std::lock_guard lock(mutex_);
  used_.merge(uses);  // for the next time
  return ok;
}

bool account_book::has_users() {
  std::lock_guard lock(mutex_);
  refresh();
  return !users_.empty();
}

}  // namespace zedops::bus
