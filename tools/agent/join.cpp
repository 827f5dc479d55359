#include "tools/agent/join.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "bus/client.hpp"
#include "bus/security/invitation.hpp"
#include "bus/security/key_ring.hpp"
#include "messages/wire/codec.hpp"

namespace zedops::agent {

using namespace msg;
namespace fs = std::filesystem;

namespace {

constexpr const char* enrolment_name = "enrolment";  // three lines: name, manager's endpoint, its key

result<void> remember(const fs::path& dir, const std::string& text) {
  const auto file = dir / enrolment_name, part = dir / (std::string(enrolment_name) + ".new");
  const int fd = ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  bool ok = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  if (fd >= 0) ::close(fd);
  ok = ok && ::rename(part.c_str(), file.c_str()) == 0;
  const int d = ok ? ::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  ok = d >= 0 && ::fsync(d) == 0;
  const auto why = std::string(std::strerror(errno));
  if (d >= 0) ::close(d);
  if (!ok)
    return fail(ec::forbidden, "cannot write " + file.string() + ": " + why,
                "the agent is enrolled; set name, manager and manager_key in its settings");
  return {};
}

}  // namespace

result<std::string> join(const std::string& line, const config::agent_settings& settings) {
  auto to = bus::parse_line(line);
  if (!to) return fail(to.error());
  std::error_code ignored;
  fs::create_directories(settings.state_dir, ignored);  // a problem with it shows when the key is made
  auto own = bus::load_or_make_key(fs::path(settings.state_dir) / bus::agent_key_name);
  if (!own) return fail(own.error());
  auto token = bus::pair_of_secret(to->secret);
  if (!token) return fail(token.error());
  auto manager = bus::client::connect({"tcp://" + to->host + ":" + to->clients_port, to->manager_key, *token});
  if (!manager) return fail(manager.error());
  bus::send_options patience;
  patience.deadline = std::chrono::seconds(10);
  auto reply = manager->request("agent.enrol", pack_map(enrol_agent{to->agent, own->public_key}), std::move(patience));
  if (!reply && reply.error().code == ec::unauthorised)
    return fail(ec::unauthorised, "the manager does not know this token: it has been used, or another manager made it",
                "ask for another one: zedctl agent token --name " + to->agent);
  if (!reply) return fail(reply.error());
  if (reply->kind == bus::reply_kind::error)
    return fail(unpack_map<error>(reply->body).value_or(error{ec::internal, "the answer cannot be read", "", {}}));
  auto enrolled = unpack_map<enrol_reply>(reply->body);
  if (!enrolled) return fail(enrolled.error());
  const auto agents = "tcp://" + to->host + ":" + to->agents_port;
  if (auto ok = remember(settings.state_dir, enrolled->agent + "\n" + agents + "\n" + to->manager_key + "\n"); !ok)
    return fail(ok.error());
  return "Enrolled as agent " + enrolled->agent + " at " + agents +
         " (the manager's key: " + bus::fingerprint(to->manager_key) + ").\n" +
         (enrolled->approved ? "Start it: systemctl enable --now zedops-agent\n"
                             : "It may connect once you have run: zedctl agent approve " + enrolled->agent + "\n");
}

result<void> apply_enrolment(config::loaded<config::agent_settings>& to) {
  auto& s = to.settings;
  const auto file = fs::path(s.state_dir) / enrolment_name;
  std::ifstream in(file);
  if (!in) return {};
  std::string name, manager, key;
  if (!std::getline(in, name) || !std::getline(in, manager) || !std::getline(in, key) || !bus::is_public_key(key))
    return fail(ec::bad_request, file.string() + " is damaged",
                "remove it, and enrol the agent again: zedctl agent token, zedops-agent join");
  const auto unset = [&](const char* what) { return to.values[what].origin == "default"; };
  if (!unset("manager")) return {};  // the settings name a manager: that one counts
  s.manager = manager;
  s.manager_key = key;
  if (unset("name")) s.name = name;
  return {};
}

}  // namespace zedops::agent
