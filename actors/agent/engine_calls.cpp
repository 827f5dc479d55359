#include "actors/agent/engine_calls.hpp"

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

namespace zedops::agent {

using namespace msg;

namespace {

constexpr duration cancel_look{500};

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
                  "look at the Engine's log on this host");
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

docker::request_options engine_calls::options(duration extra) const {
  return {std::clamp(left(), call_time_min, call_time_max) + extra};
}

result<std::vector<docker::container_summary>> engine_calls::list(docker::labels labels) {
  auto o = options();
  return wait_for<std::vector<docker::container_summary>>(
      o.deadline, [&](auto h) { engine_.list_containers(std::move(labels), o, std::move(h)); });
}
result<docker::container_details> engine_calls::inspect(const std::string& id) {
  auto o = options();
  return wait_for<docker::container_details>(o.deadline,
                                             [&](auto h) { engine_.inspect_container(id, o, std::move(h)); });
}
result<docker::created_container> engine_calls::create(const container_spec& spec) {
  auto o = options();
  return wait_for<docker::created_container>(o.deadline,
                                             [&](auto h) { engine_.create_container(spec, o, std::move(h)); });
}
result<docker::effect> engine_calls::start(const std::string& id) {
  auto o = options();
  return wait_for<docker::effect>(o.deadline, [&](auto h) { engine_.start_container(id, o, std::move(h)); });
}
result<docker::effect> engine_calls::stop(const std::string& id, duration grace) {
  docker::request_options o{stop_time_extra};  // the adapter counts it from the end of the grace
  return wait_for<docker::effect>(grace + o.deadline,
                                  [&](auto h) { engine_.stop_container(id, grace, o, std::move(h)); });
}
result<docker::effect> engine_calls::unpause(const std::string& id) {
  auto o = options();
  return wait_for<docker::effect>(o.deadline, [&](auto h) { engine_.unpause_container(id, o, std::move(h)); });
}
result<docker::effect> engine_calls::rename(const std::string& id, const std::string& name) {
  auto o = options();
  return wait_for<docker::effect>(o.deadline, [&](auto h) { engine_.rename_container(id, name, o, std::move(h)); });
}
result<docker::effect> engine_calls::remove(const std::string& id, docker::removal how,
                                            docker::anonymous_volumes volumes) {
  auto o = options(call_time_max);  // a big container takes the Engine a while
  return wait_for<docker::effect>(o.deadline,
                                  [&](auto h) { engine_.remove_container(id, how, volumes, o, std::move(h)); });
}
result<docker::image_info> engine_calls::image(const std::string& reference) {
  auto o = options();
  return wait_for<docker::image_info>(o.deadline, [&](auto h) { engine_.inspect_image(reference, o, std::move(h)); });
}

result<std::string> engine_calls::pull(const std::string& reference, docker::progress_handler progress) {
  const auto time = std::max(left(), call_time_min);
  docker::pull_options o;
  o.deadline = time;
  auto s = std::make_shared<slot<std::string>>();
  auto subscription = engine_.pull_image(reference, o, std::move(progress), s->handler(s));
  const auto end = std::chrono::steady_clock::now() + time + answer_slack;
  for (;;) {
    // A cancel is rare: looking for it twice a second needs no second way to be woken.
    if (s->answered_within(cancel_look)) return std::move(*s->answer);
    if (cancel_.cancelled()) return fail(ec::cancelled, "cancelled while pulling " + reference);
    if (std::chrono::steady_clock::now() > end)
      return fail(ec::timeout, "pulling " + reference + " did not end within " + format_duration(time),
                  "pull it by hand on this host, then repeat the operation");
  }
}

std::string engine_calls::last_words(const std::string& id) {
  struct words {
    slot<void> end;
    std::string text;  // written on the adapter's thread before `end`
  };
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
  s->answered_within(last_words_time);
  std::lock_guard guard(w->end.mutex);
  return w->text;
}

result<docker::network_info> engine_calls::network(const std::string& name) {
  auto o = options();
  return wait_for<docker::network_info>(o.deadline, [&](auto h) { engine_.inspect_network(name, o, std::move(h)); });
}
result<std::string> engine_calls::create_network(const std::string& name, docker::labels labels) {
  auto o = options();
  return wait_for<std::string>(o.deadline,
                               [&](auto h) { engine_.create_network(name, std::move(labels), o, std::move(h)); });
}

}  // namespace zedops::agent
