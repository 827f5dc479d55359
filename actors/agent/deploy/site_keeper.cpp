#include "actors/agent/deploy/site_keeper.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <set>

#include "config/logging/logging.hpp"

namespace zedops::agent {

using namespace msg;
using config::log_event;

namespace {
constexpr uint32_t changes = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR;
}  // namespace

site_keeper::site_keeper(site_world& sites, std::function<void(service_seen)> tell)
    : sites_(sites),
      tell_(std::move(tell)),
      notify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (notify_ < 0) log_event(log_level::warn, "sites.no-inotify", {{"looked_at_every", keeper_blind_every}});
  thread_ = std::thread([this] { loop(); });
}

site_keeper::~site_keeper() {
  {
    std::lock_guard guard(mutex_);
    ending_ = true;
  }
  look_now();
  thread_.join();
  if (notify_ >= 0) ::close(notify_);
  ::close(wake_);
}

void site_keeper::look_now() {
  const uint64_t one = 1;
  (void)!::write(wake_, &one, sizeof one);
}

std::vector<service_seen> site_keeper::all() const {
  std::lock_guard guard(mutex_);
  std::vector<service_seen> out;
  for (const auto& [id, s] : seen_) out.push_back(s);
  return out;
}

void site_keeper::server_is(const std::string& project, std::string problem) {
  {
    std::lock_guard guard(mutex_);
    if (problem.empty()) server_problem_.erase(project);
    else server_problem_[project] = std::move(problem);
  }
  look_now();
}

void site_keeper::loop() {
  ::pthread_setname_np(::pthread_self(), "sites");
  do {
    watch();  // before looking: changes made meanwhile are reported
    pass();
  } while (wait());
}

// A folder that is watched already is not watched twice.
void site_keeper::watch() {
  if (notify_ < 0) return;
  const auto add = [this](const std::string& path) { ::inotify_add_watch(notify_, path.c_str(), changes); };
  add(sites_.root);
  std::set<std::string> projects;
  for (const auto& s : host::sites_below(sites_.root)) {
    if (projects.insert(s.project).second) {
      add(sites_.root + "/" + s.project);
      add(sites_.root + "/" + s.project + "/.web");
    }
    add(s.folder());
  }
}

bool site_keeper::wait() {
  pollfd what[2] = {{wake_, POLLIN, 0}, {notify_, POLLIN, 0}};
  const auto at_most = std::chrono::milliseconds(notify_ < 0 ? keeper_blind_every : keeper_pass_every);
  ::poll(what, notify_ < 0 ? 1 : 2, static_cast<int>(at_most.count()));
  uint64_t count = 0;
  (void)!::read(wake_, &count, sizeof count);
  alignas(inotify_event) char events[4096];
  while (notify_ >= 0 && ::read(notify_, events, sizeof events) > 0) continue;
  std::lock_guard guard(mutex_);
  return !ending_;
}

void site_keeper::pass() {
  std::set<std::string> there;
  for (const auto& s : host::sites_below(sites_.root)) {
    if (auto w = host::wanted_of(s)) there.insert(w->service.value);
    look_at(s);
  }
  std::lock_guard guard(mutex_);
  std::erase_if(seen_, [&](const auto& x) { return !there.contains(x.first); });
}

void site_keeper::look_at(const host::site& s) {
  service_seen now;
  {
    std::lock_guard guard(sites_.links);
    const auto w = host::wanted_of(s);
    if (!w || w->number == 0) return;
    auto state = host::repair_site(s);
    now = {w->service, state.health, std::move(state.reason), std::move(state.repairs)};
  }
  for (const auto& what : now.repairs)
    log_event(log_level::warn, "site.repaired", {{"project", s.project}, {"service", s.service}, {"what", what}});
  bool news = !now.repairs.empty();
  {
    std::lock_guard guard(mutex_);
    if (auto p = server_problem_.find(s.project);
        p != server_problem_.end() && now.health != service_health::unhealthy) {
      now.health = service_health::unhealthy;
      now.reason = p->second;
    }
    auto& before = seen_[now.service.value];
    news = news || before.health != now.health || before.reason != now.reason;
    before = {now.service, now.health, now.reason, {}};
  }
  if (news) tell_(std::move(now));
}

}  // namespace zedops::agent
