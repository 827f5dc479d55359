// Users with passwords, programs with tokens, and sessions of users: who may use HTTP. Lines of one file, read again
// whenever it has changed, so that a user or token that was removed is refused with the next request. Secrets are kept
// as hashes only.
#pragma once
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bus/security/guarded_file.hpp"
#include "messages/base/enums.hpp"
#include "messages/base/error.hpp"
#include "messages/base/time.hpp"

namespace zedops::msg {
ZEDOPS_ENUM(account_kind, user, token, session)
}

namespace zedops::bus {

using msg::account_kind;

struct account {
  account_kind kind = account_kind::user;
  std::string name;  // of a session: its user's
  std::string role;  // viewer, operator, admin; not of a session
  std::string agent{};
  std::string server{};    // where the role holds; both empty: everywhere
  std::string hash{};      // of a token's or session's secret
  std::string password{};  // argon2id, of a user
  std::string link{};      // hash of the secret with which the user may choose a password, once
  msg::time_point created{};
  msg::time_point expires{};  // of token, session, link; never: not at all
  msg::time_point used{};     // of a token: the last time
  friend bool operator==(const account&, const account&) = default;
};
using account_list = std::vector<account>;

inline constexpr std::string_view accounts_name = "accounts";               // in a manager's data directory
inline constexpr size_t accounts_max = 10'000;                              // users and tokens
inline constexpr size_t sessions_max = 10'000, sessions_per_user_max = 20;  // beyond it the oldest ends
inline constexpr size_t password_bytes_min = 10, password_bytes_max = 256;
inline constexpr msg::duration session_time{std::chrono::hours(24 * 14)}, link_time{std::chrono::hours(24)};
// An expired token is listed that long, so that people can see why it was refused; then it is erased.
inline constexpr msg::duration expired_token_time{std::chrono::hours(24)};

// Errors: bad_request naming the line, those of guarded_file.
msg::result<account_list> read_accounts(const std::filesystem::path& file);
// Errors: those of `how`, or bad_request for what could not be read again; the file is as before then.
msg::result<void> change_accounts(const std::filesystem::path& file,
                                  const std::function<msg::result<void>(account_list&)>& how);

account* find_account(account_list& in, account_kind kind, const std::string& name);  // null: there is none

std::string new_secret(std::string_view prefix);  // "zt_…"
std::string secret_hash(std::string_view secret);
// Takes a tenth of a second and 19 MiB, on purpose.
std::string password_hash(const std::string& password);
bool password_fits(const std::string& hash, const std::string& password);
// What is wrong with it; empty: nothing.
std::string problem_of_password(const std::string& password);

// Adds a user, or changes the role and scope of one. The secret of a link when the user has no password yet. Errors:
// bad_request.
msg::result<std::string> put_user(account_list& to, account user, msg::time_point now);
// A new link; the user's password and sessions end. Errors: not_found.
msg::result<std::string> reset_user(account_list& to, const std::string& name, msg::time_point now);
// A user is removed with all sessions. Errors: not_found.
msg::result<account> remove_account(account_list& from, account_kind kind, const std::string& name);
// The secret. Errors: bad_request, already_exists.
msg::result<std::string> add_token(account_list& to, account token, msg::time_point now);
// The secret of a new session.
std::string begin_session(account_list& to, const std::string& user, msg::time_point now);
void end_session(account_list& from, const std::string& secret);

class account_book {
 public:
  explicit account_book(std::filesystem::path file) : file_(std::move(file)) {}
  // The user or token behind a secret that is valid now. From any thread.
  std::optional<account> behind(const std::string& secret, msg::time_point now);
  bool has_users();
  // When a token was used last, as far as that is not in the file yet.
  msg::time_point used(const std::string& hash);
  // Writes these times to the file. Waits for the disk.
  msg::result<void> keep_uses();
  const std::filesystem::path& file() const { return file_; }

 private:
  void refresh();
  const std::filesystem::path file_;
  std::mutex mutex_;
  file_stamp read_{1, 0, -2};
  bool readable_ = true;
  std::chrono::steady_clock::time_point retry_at_{};
  std::unordered_map<std::string, account> users_, by_hash_;
  std::unordered_map<std::string, msg::time_point> used_;  // tokens, by hash
};

}  // namespace zedops::bus
