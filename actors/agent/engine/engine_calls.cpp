#include "actors/agent/engine/engine_calls.hpp"

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

#include "integration/docker/refusal.hpp"

namespace zedops::agent {

using namespace msg;

namespace {

constexpr duration cancel_look{500};

// What the Engine's API answers when all is well.
constexpr uint16_t status_ok = 200, status_made = 201, status_done = 204, status_already = 304, status_absent = 404;

// A container's id is shown as Docker shows it; names are names.
std::string shown(const std::string& id) {
  constexpr size_t id_length = 64, shown_length = 12;
  return id.size() == id_length ? id.substr(0, shown_length) : id;
}

// Never in the middle of a character.
std::string cut(const std::string& text) {
  if (text.size() <= call_problem_bytes_max) return text;
  auto end = call_problem_bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

// Where the adapter's thread leaves an answer. Shared, because an adapter that answers too late still writes to it.
template <class T>
struct slot {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<result<T>> answer;

  docker::handler<T> handler(std::shared_ptr<slot> self) {
    return [self](result<T> r) {
      std::lock_guard guard(self->mutex);
      self->answer = std::move(r);
      self->changed.notify_all();
    };
  }
  bool answered_within(duration at_most) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, at_most, [&] { return answer.has_value(); });
  }
  result<T> wait(duration at_most) {
    if (!answered_within(at_most + answer_slack))
      return fail(ec::timeout, "the Docker Engine did not answer within " + format_duration(at_most),
                  "check the Engine's log on this host");
    return std::move(*answer);
  }
};

template <class T, class Ask>
result<T> wait_for(duration at_most, Ask&& ask) {
  auto s = std::make_shared<slot<T>>();
  ask(s->handler(s));
  return s->wait(at_most);
}

}  // namespace

void engine_calls::extend(duration by) { until_ = std::max(until_, clock_.steady() + by); }

duration engine_calls::left() const {
  return std::max(duration{0}, std::chrono::duration_cast<duration>(until_ - clock_.steady()));
}

docker::call_options engine_calls::options(duration extra) const {
  return {std::clamp(left(), call_time_min, call_time_max) + extra};
}

engine_calls::open_call engine_calls::open(std::string call) const {
  open_call c;
  c.what.call = std::move(call);
  c.what.at = clock_.wall();
  c.begun = clock_.steady();
  return c;
}

void engine_calls::close(open_call c, uint16_t good, const error* failure) {
  c.what.took = std::chrono::duration_cast<duration>(clock_.steady() - c.begun);
  c.what.status = failure ? docker::http_status_of(*failure) : good;
  if (failure) c.what.problem = cut(failure->message);
  if (failure && failure->code == ec::engine_error && c.what.status == 0) ++unanswered_;
  calls_.push_back(std::move(c.what));
  if (calls_.size() > engine_calls_max) calls_.pop_front();
}

result<docker::effect> engine_calls::closed_effect(open_call c, uint16_t already, result<docker::effect> r) {
  const bool done = r && *r == docker::effect::done;
  return closed(std::move(c), done ? status_done : already, std::move(r));
}

result<std::vector<docker::container_summary>> engine_calls::list(docker::labels labels) {
  auto o = options();
  auto c = open("list containers");
  return closed(std::move(c), status_ok, wait_for<std::vector<docker::container_summary>>(o.deadline, [&](auto h) {
                  engine_.list_containers(std::move(labels), o, std::move(h));
                }));
}
result<docker::container_details> engine_calls::inspect(const std::string& id) {
  auto o = options();
  auto c = open("inspect " + shown(id));
  return closed(std::move(c), status_ok, wait_for<docker::container_details>(o.deadline, [&](auto h) {
                  engine_.inspect_container(id, o, std::move(h));
                }));
}
result<docker::created_container> engine_calls::create(const container_spec& spec) {
  auto o = options();
  auto c = open("create " + spec.name);
  return closed(std::move(c), status_made, wait_for<docker::created_container>(o.deadline, [&](auto h) {
                  engine_.create_container(spec, o, std::move(h));
                }));
}
result<docker::effect> engine_calls::start(const std::string& id) {
  auto o = options();
  auto c = open("start " + shown(id));
  return closed_effect(std::move(c), status_already, wait_for<docker::effect>(o.deadline, [&](auto h) {
                         engine_.start_container(id, o, std::move(h));
                       }));
}
result<docker::effect> engine_calls::stop(const std::string& id, duration grace) {
  docker::call_options o{stop_time_extra};  // the adapter counts it from the end of the grace
  auto c = open("stop " + shown(id) + " within " + format_duration(grace));
  return closed_effect(std::move(c), status_already, wait_for<docker::effect>(grace + o.deadline, [&](auto h) {
                         engine_.stop_container(id, grace, o, std::move(h));
                       }));
}
result<docker::effect> engine_calls::unpause(const std::string& id) {
  auto o = options();
  auto c = open("unpause " + shown(id));
  return closed_effect(std::move(c), status_already, wait_for<docker::effect>(o.deadline, [&](auto h) {
                         engine_.unpause_container(id, o, std::move(h));
                       }));
}
result<docker::effect> engine_calls::rename(const std::string& id, const std::string& name) {
  auto o = options();
  auto c = open("rename " + shown(id) + " to " + name);
  return closed_effect(std::move(c), status_already, wait_for<docker::effect>(o.deadline, [&](auto h) {
                         engine_.rename_container(id, name, o, std::move(h));
                       }));
}
result<docker::effect> engine_calls::remove(const std::string& id, docker::removal how,
                                            docker::anonymous_volumes volumes) {
  auto o = options(call_time_max);  // a big container takes the Engine a while
  auto c = open("remove " + shown(id));
  return closed_effect(std::move(c), status_absent, wait_for<docker::effect>(o.deadline, [&](auto h) {
                         engine_.remove_container(id, how, volumes, o, std::move(h));
                       }));
}
// For calls without a usual duration. A cancel is rare: looking for it twice a second needs no second way to be woken.
template <class T, class Slot>
result<T> engine_calls::ended(Slot& s, duration time, const std::string& doing) {
  const auto end = std::chrono::steady_clock::now() + time + answer_slack;
  for (;;) {
    if (s.answered_within(cancel_look)) return std::move(*s.answer);
    if (cancel_.cancelled()) return fail(ec::cancelled, "cancelled while " + doing);
    if (std::chrono::steady_clock::now() > end)
      return fail(ec::timeout, doing + " did not end within " + format_duration(time), "repeat the operation");
  }
}

result<docker::image_info> engine_calls::image(const std::string& reference) {
  auto o = options();
  auto c = open("look at image " + reference);
  return closed(std::move(c), status_ok, wait_for<docker::image_info>(o.deadline, [&](auto h) {
                  engine_.inspect_image(reference, o, std::move(h));
                }));
}

result<std::string> engine_calls::pull(const std::string& reference, docker::progress_handler progress) {
  auto c = open("pull " + reference);
  return closed(std::move(c), status_ok, pulled(reference, std::move(progress)));
}

result<std::string> engine_calls::pulled(const std::string& reference, docker::progress_handler progress) {
  docker::pull_options o;
  o.deadline = std::max(left(), call_time_min);
  auto s = std::make_shared<slot<std::string>>();
  auto subscription = engine_.pull_image(reference, o, std::move(progress), s->handler(s));
  auto done = ended<std::string>(*s, o.deadline, "pulling " + reference);
  if (!done && done.error().code == ec::timeout)
    done.error().hint = "pull it by hand on this host, then repeat the operation";
  return done;
}

result<std::string> engine_calls::build(docker::build_options o, docker::line_handler line) {
  auto c = open("build " + o.tag);
  o.deadline = std::max(left(), call_time_min);
  const auto time = o.deadline;
  const auto tag = o.tag;
  auto s = std::make_shared<slot<std::string>>();
  auto subscription = engine_.build_image(std::move(o), std::move(line), s->handler(s));
  return closed(std::move(c), status_ok, ended<std::string>(*s, time, "building " + tag));
}

result<docker::effect> engine_calls::tag(const std::string& image, const std::string& repository,
                                         const std::string& tag) {
  auto o = options();
  auto c = open("tag " + repository + ":" + tag);
  return closed_effect(std::move(c), status_made, wait_for<docker::effect>(o.deadline, [&](auto h) {
                         engine_.tag_image(image, repository, tag, o, std::move(h));
                       }));
}

result<docker::effect> engine_calls::remove_image(const std::string& reference) {
  auto o = options(call_time_max);
  auto c = open("remove image " + reference);
  return closed_effect(std::move(c), status_absent, wait_for<docker::effect>(o.deadline, [&](auto h) {
                         engine_.remove_image(reference, o, std::move(h));
                       }));
}

result<void> engine_calls::watch(const std::string& id, docker::line_handler line) {
  auto c = open("watch " + shown(id));
  auto s = std::make_shared<slot<void>>();
  docker::log_options o;
  o.follow = true;
  auto subscription = engine_.logs(id, o, std::move(line), s->handler(s));
  return closed(std::move(c), status_ok, ended<void>(*s, std::max(left(), call_time_min), "building"));
}

std::string engine_calls::last_words(const std::string& id) {
  struct words {
    slot<void> end;
    std::string text;  // written on the adapter's thread before `end`
  };
  auto c = open("read the log of " + shown(id));
  auto w = std::make_shared<words>();
  auto s = std::shared_ptr<slot<void>>(w, &w->end);
  docker::log_options o;
  o.tail = last_words_max;
  auto subscription = engine_.logs(
      id, o,
      [w](docker::output, std::string_view line) {
        std::lock_guard guard(w->end.mutex);
        if (w->text.size() < 2'000) w->text.append(w->text.empty() ? "" : "\n").append(line.substr(0, 500));
      },
      s->handler(s));
  const bool ended = s->answered_within(last_words_time);
  std::lock_guard guard(w->end.mutex);
  const error late{ec::timeout, "it did not end within " + format_duration(last_words_time), {}, {}};
  const bool good = ended && *w->end.answer;
  close(std::move(c), status_ok, good ? nullptr : ended ? &w->end.answer->error() : &late);
  return w->text;
}

result<std::string> engine_calls::read_file(const std::string& id, const std::string& path) {
  auto o = options();
  auto c = open("read " + path + " of " + shown(id));
  return closed(std::move(c), status_ok,
                wait_for<std::string>(o.deadline, [&](auto h) { engine_.read_file(id, path, o, std::move(h)); }));
}
result<docker::effect> engine_calls::remove_volume(const std::string& name) {
  auto o = options();
  auto c = open("remove volume " + shown(name));
  return closed_effect(std::move(c), status_absent, wait_for<docker::effect>(o.deadline, [&](auto h) {
                         engine_.remove_volume(name, o, std::move(h));
                       }));
}
result<std::vector<docker::volume_info>> engine_calls::volumes(docker::labels labels) {
  auto o = options();
  auto c = open("list volumes");
  return closed(std::move(c), status_ok, wait_for<std::vector<docker::volume_info>>(o.deadline, [&](auto h) {
                  engine_.list_volumes(std::move(labels), o, std::move(h));
                }));
}
result<docker::volume_info> engine_calls::volume(const std::string& name) {
  auto o = options();
  auto c = open("look at volume " + shown(name));
  return closed(std::move(c), status_ok, wait_for<docker::volume_info>(o.deadline, [&](auto h) {
                  engine_.inspect_volume(name, o, std::move(h));
                }));
}
result<docker::network_info> engine_calls::network(const std::string& name) {
  auto o = options();
  auto c = open("look at network " + name);
  return closed(std::move(c), status_ok, wait_for<docker::network_info>(o.deadline, [&](auto h) {
                  engine_.inspect_network(name, o, std::move(h));
                }));
}
result<std::string> engine_calls::create_network(const std::string& name, docker::labels labels) {
  auto o = options();
  auto c = open("create network " + name);
  return closed(std::move(c), status_made, wait_for<std::string>(o.deadline, [&](auto h) {
                  engine_.create_network(name, std::move(labels), o, std::move(h));
                }));
}

}  // namespace zedops::agent
