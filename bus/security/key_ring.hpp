// Which keys may connect over a network, and in which role: lines of one file, read again whenever it has changed, so
// that a key that is removed, or gets a lesser role, loses its rights with its next request.
#pragma once
#include <chrono>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bus/security/guarded_file.hpp"
#include "messages/base/error.hpp"
#include "messages/base/time.hpp"

namespace zedops::bus {

// NAME ROLE KEY [agent=NAME | server=NAME | topic=PREFIX] [expires=TIME] [approve]; several lines of one key are
// several grants. Role `agent` is that of the agent with this name, and no other. A token is a key as well: with its
// secret half the agent of this name can be enrolled (role `enrol`), once.
struct key_entry {
  std::string name;
  std::string role;  // viewer, operator, admin, agent, subscriber; enrol; pending: an agent that waits for approval
  std::string public_key;
  std::string agent{};  // where the role holds; both empty: everywhere
  std::string server{};
  msg::time_point expires{};  // of a token
  std::string topic{};        // of a subscriber: what the topics of its events begin with; empty: all
  bool approve = false;       // an agent that enrols with it waits for approval
  friend bool operator==(const key_entry&, const key_entry&) = default;
};

inline constexpr size_t key_entries_max = 50'000;
inline constexpr std::string_view agent_role = "agent", enrol_role = "enrol", pending_role = "pending",
                                  subscriber_role = "subscriber";
// In a manager's data directory; an agent has its key in its state directory.
inline constexpr std::string_view authorized_keys_name = "authorized_keys", manager_key_name = "manager.key",
                                  agent_key_name = "agent.key";

// An absent file has no entries. Errors: bad_request naming file and line, forbidden (others may write it), too_large.
msg::result<std::vector<key_entry>> read_keys(const std::filesystem::path& file);
// Replaces the file as a whole, durably.
msg::result<void> write_keys(const std::filesystem::path& file, const std::vector<key_entry>& entries);
// What is wrong with an entry; empty: nothing.
std::string problem_of(const key_entry& e);

using key_list = std::vector<key_entry>;
// Changes the file as a whole while no other process does. An error of `how`, or what could not be read again
// (bad_request), leaves it as it was.
msg::result<void> change_keys(const std::filesystem::path& file,
                              const std::function<msg::result<void>(key_list&)>& how);

// Adds a key; another role of the same key in the same place replaces the one before. Errors: bad_request,
// already_exists (the name has another key, or the key another name).
msg::result<void> add_key(key_list& to, const key_entry& e);
// All entries of a name. Errors: not_found.
msg::result<key_list> remove_key(key_list& from, const std::string& name);

class key_ring {
 public:
  explicit key_ring(std::filesystem::path file) : file_(std::move(file)) {}
  // Empty: the key is not known. From any thread. A file that cannot be read admits no key.
  std::vector<key_entry> entries_of(std::string_view public_key);
  // The same; nothing: the file cannot be read, so that it is not known who is admitted.
  std::optional<std::vector<key_entry>> look_up(std::string_view public_key);

 private:
  void refresh();

  const std::filesystem::path file_;
  std::mutex mutex_;
  file_stamp read_;
  bool readable_ = true;
  std::chrono::steady_clock::time_point retry_at_{};
  std::unordered_map<std::string, std::vector<key_entry>> by_key_;
};

}  // namespace zedops::bus
