#include "bus/security/key_ring.hpp"

#include <algorithm>
#include <cctype>
#include <sstream>

#include "bus/security/keys.hpp"
#include "messages/records/principal.hpp"

namespace zedops::bus {
namespace {

constexpr size_t line_bytes_max = 512;

msg::result<key_entry> parse_line(const std::string& line) {
  std::istringstream in(line);
  key_entry e;
  in >> e.name >> e.role >> e.public_key;
  for (std::string scope; in >> scope;) {
    const auto until = scope.starts_with("expires=") ? msg::from_rfc3339(scope.substr(8)) : std::nullopt;
    if (until) e.expires = *until;
    else if (scope == "approve") e.approve = true;
    else if (scope.starts_with("agent=") && e.agent.empty()) e.agent = scope.substr(6);
    else if (scope.starts_with("server=") && e.server.empty()) e.server = scope.substr(7);
    else if (scope.starts_with("topic=") && e.topic.empty()) e.topic = scope.substr(6);
    else
      return msg::fail(msg::ec::bad_request, "'" + scope + "': not a scope", "agent=NAME, server=NAME or topic=PREFIX");
  }
  if (auto problem = problem_of(e); !problem.empty())
    return msg::fail(msg::ec::bad_request, problem, "write NAME ROLE KEY [agent=NAME | server=NAME]");
  return e;
}

std::string text_of(const std::vector<key_entry>& entries) {
  std::string text =
      "# NAME ROLE KEY [agent=NAME | server=NAME | topic=PREFIX] [expires=TIME] [approve]   (zedctl key add, rm, ls)\n";
  for (const auto& e : entries) {
    text += e.name + ' ' + e.role + ' ' + e.public_key;
    if (!e.agent.empty()) text += " agent=" + e.agent;
    if (!e.server.empty()) text += " server=" + e.server;
    if (!e.topic.empty()) text += " topic=" + e.topic;
    if (e.expires != msg::never) text += " expires=" + msg::to_rfc3339(e.expires);
    if (e.approve) text += " approve";
    text += '\n';
  }
  return text;
}

// `where`: where the lines are from, for errors.
msg::result<std::vector<key_entry>> parse(std::string text, const std::string& where) {
  std::istringstream in(std::move(text));
  std::vector<key_entry> out;
  size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    auto e = line.size() > line_bytes_max
                 ? msg::result<key_entry>(msg::fail(msg::ec::bad_request, "the line is too long", ""))
                 : parse_line(line);
    if (!e)
      return msg::fail(msg::ec::bad_request, where + ":" + std::to_string(number) + ": " + e.error().message,
                       e.error().hint);
    if (out.size() >= key_entries_max)
      return msg::fail(msg::ec::too_large, where + " has more than " + std::to_string(key_entries_max) + " keys",
                       "remove those that are not used");
    out.push_back(std::move(*e));
  }
  return out;
}

}  // namespace

std::string problem_of(const key_entry& e) {
  if (e.name.empty() || e.name.size() > 64) return "a name has 1 to 64 characters";
  for (char c : e.name)
    if (!(std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.' || c == '@'))
      return "a name may only have letters, digits and - _ . @";
  const bool of_agent = e.role == agent_role || e.role == pending_role, token = e.role == enrol_role;
  const bool subscriber = e.role == subscriber_role;
  if (!msg::enum_from_name<msg::role>(e.role) && !of_agent && !token && !subscriber)
    return "there is no role '" + e.role.substr(0, 40) + "': use viewer, operator, admin, agent or subscriber";
  if (!e.topic.empty() && !subscriber) return "only the role subscriber has topics";
  if (subscriber && (!e.agent.empty() || !e.server.empty()))
    return "a subscriber has topics instead of an agent or server: those of a server begin with server.ID";
  if (e.topic.size() > 128 || e.topic.find_first_of(" \t\n\r") != std::string::npos)
    return "a topic has at most 128 characters and no spaces";
  if (token != (e.expires != msg::never)) return "a token needs a time at which it expires, and nothing else has one";
  if (!is_public_key(e.public_key)) return "a public key has 43 characters; zedctl key show prints it";
  if ((of_agent || token) && (!e.agent.empty() || !e.server.empty())) return "an agent's key or token has no scope";
  return {};
}

msg::result<std::vector<key_entry>> read_keys(const std::filesystem::path& file) {
  auto text = read_guarded(file, key_entries_max * line_bytes_max);
  if (!text) return msg::fail(text.error());
  return parse(std::move(*text), file.string());
}

msg::result<void> write_keys(const std::filesystem::path& file, const std::vector<key_entry>& entries) {
  return write_guarded(file, text_of(entries));
}

msg::result<void> change_keys(const std::filesystem::path& file,
                              const std::function<msg::result<void>(key_list&)>& how) {
  return while_locked(file, [&]() -> msg::result<void> {
    auto all = read_keys(file);
    if (!all) return msg::fail(all.error());
    if (auto ok = how(*all); !ok) return ok;
    if (all->size() > key_entries_max)
      return msg::fail(msg::ec::too_large, "there are " + std::to_string(key_entries_max) + " keys already",
                       "remove those that are not used: zedctl key ls");
    auto text = text_of(*all);
    // One line that cannot be read would lock everyone out.
    if (const auto again = parse(text, "line"); !again || *again != *all)
      return msg::fail(msg::ec::bad_request,
                       "this cannot be stored" + (again ? std::string{} : ": " + again.error().message),
                       "use other names, and times before the year 10000; nothing was changed");
    return write_guarded(file, text);
  });
}

msg::result<void> add_key(key_list& to, const key_entry& e) {
  if (auto problem = problem_of(e); !problem.empty())
    return msg::fail(msg::ec::bad_request, problem, "zedctl key add NAME KEY --role ROLE");
  for (const auto& x : to) {
    if (x.role == enrol_role || e.role == enrol_role) continue;  // a token for this name is not the name's own key
    if (x.name == e.name && x.public_key != e.public_key)
      return msg::fail(msg::ec::already_exists, e.name + " has another key already",
                       "remove it first (zedctl key rm " + e.name + "), or choose another name");
    if (x.public_key == e.public_key && x.name != e.name)
      return msg::fail(msg::ec::already_exists, "this key is known as " + x.name, "use that name: a key has only one");
  }
  std::erase_if(to, [&](const key_entry& x) {
    return x.public_key == e.public_key && x.agent == e.agent && x.server == e.server && x.topic == e.topic;
  });
  to.push_back(e);
  return {};
}

msg::result<key_list> remove_key(key_list& from, const std::string& name) {
  key_list gone;
  std::copy_if(from.begin(), from.end(), std::back_inserter(gone), [&](const auto& e) { return e.name == name; });
  if (gone.empty())
    return msg::fail(msg::ec::not_found, "there is no key of '" + name.substr(0, 64) + "'", "zedctl key ls");
  std::erase_if(from, [&](const auto& e) { return e.name == name; });
  return gone;
}

void key_ring::refresh() {
  const auto now = stamp_of(file_);
  // A file that could not be read may be readable the next time, although it has not changed.
  const auto t = std::chrono::steady_clock::now();
  if (now == read_ && (readable_ || t < retry_at_)) return;
  retry_at_ = t + reread_after;
  auto all = read_keys(file_);
  by_key_.clear();
  readable_ = all.has_value();
  if (all)
    for (auto& e : *all) by_key_[e.public_key].push_back(std::move(e));
  read_ = now;
}

std::optional<std::vector<key_entry>> key_ring::look_up(std::string_view public_key) {
  std::lock_guard lock(mutex_);
  refresh();
  if (!readable_) return std::nullopt;
  const auto i = by_key_.find(std::string(public_key));
  return i == by_key_.end() ? std::vector<key_entry>{} : i->second;
}

std::vector<key_entry> key_ring::entries_of(std::string_view public_key) {
  return look_up(public_key).value_or(std::vector<key_entry>{});
}

}  // namespace zedops::bus
