#include "tools/loadgen/fleet.hpp"

#include <unistd.h>

#include <deque>
#include <queue>
#include <zmq.hpp>

#include "bus/protocol.hpp"
#include "messages/wire/codec.hpp"
#include "tools/loadgen/keys.hpp"

namespace zedops::load {
namespace {

using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using namespace msg;

constexpr int queue_max = 100'000;          // messages per agent and direction that ZeroMQ holds
constexpr size_t reads_per_turn_max = 256;  // per agent
constexpr auto beat = std::chrono::seconds(1);
constexpr milliseconds poll_max{100};

struct due_message {
  clock::time_point when;
  uint64_t order = 0;  // messages due at the same time leave in the order in which they were made
  size_t agent = 0;
  from_agent what;
  bool operator<(const due_message& o) const { return std::tie(when, order) > std::tie(o.when, o.order); }
};

class fleet {
 public:
  explicit fleet(const fleet_options& o) : options_(o) {
    context_.set(zmq::ctxopt::max_sockets, static_cast<int>(agents_max) + 64);
    for (size_t i = 0; i < o.agents; ++i) {
      sim_agent_options a;
      a.name = o.name_prefix + std::to_string(o.first + i);
      a.work = o.work;
      const auto own = o.manager_key.empty() ? bus::key_pair{} : key_of_agent(a.name);
      agents_.emplace_back(std::move(a));
      auto& s = sockets_.emplace_back(context_, zmq::socket_type::dealer);
      s.set(zmq::sockopt::linger, 0);
      s.set(zmq::sockopt::sndhwm, queue_max);
      s.set(zmq::sockopt::rcvhwm, queue_max);
      s.set(zmq::sockopt::routing_id, "load-" + std::to_string(::getpid()) + "-" + std::to_string(i));
      if (!o.manager_key.empty()) {
        s.set(zmq::sockopt::curve_serverkey, bus::z85_of(o.manager_key));
        s.set(zmq::sockopt::curve_publickey, bus::z85_of(own.public_key));
        s.set(zmq::sockopt::curve_secretkey, bus::z85_of(own.secret_key));
        s.set(zmq::sockopt::ipv6, true);
      }
      s.connect(o.manager_uri);
      items_.push_back({s.handle(), 0, ZMQ_POLLIN, 0});
    }
  }

  result<fleet_result> run(const std::atomic<bool>& stop) {
    const auto started = clock::now();
    auto next_beat = started;
    while (!stop && (options_.run_for.count() == 0 || clock::now() - started < options_.run_for)) {
      if (clock::now() >= next_beat) {
        next_beat += beat;
        speak_up();
      }
      send_due();
      make_mishaps();
      ::zmq_poll(items_.data(), static_cast<int>(items_.size()), wait_ms(next_beat));
      for (size_t i = 0; i < agents_.size(); ++i)
        if (items_[i].revents) read(i);
      if (!ready_ && welcomed_ == agents_.size()) {
        ready_ = true;
        if (options_.on_ready) options_.on_ready();
      }
      for (const auto& a : agents_)
        if (a.turned_away()) return fail(ec::forbidden, a.name() + " was refused", "the manager's log says why");
    }
    for (const auto& a : agents_) out_.commands += a.commands();
    return out_;
  }

 private:
  long wait_ms(clock::time_point next_beat) const {
    auto until = std::min(next_beat, clock::now() + poll_max);
    if (!due_.empty()) until = std::min(until, due_.top().when);
    if (mishaps_on()) until = std::min(until, next_mishap_);
    const auto left = std::chrono::ceil<milliseconds>(until - clock::now()).count();
    return left > 0 ? static_cast<long>(left) : 0;
  }
  bool mishaps_on() const { return options_.mishaps_per_second > 0 && ready_; }

  // Once a second: hello until welcomed, then a heartbeat.
  void speak_up() {
    for (size_t i = 0; i < agents_.size(); ++i) {
      if (agents_[i].welcomed()) send(i, heartbeat{});
      else send(i, agents_[i].greeting());
    }
  }

  void send(size_t i, const from_agent& what) {
    auto parts = bus::encode(bus::agent_message{std::to_string(what.index()), agents_[i].session(), pack(what)});
    for (size_t n = 0; n < parts.size(); ++n)
      sockets_[i].send(zmq::buffer(parts[n]), n + 1 < parts.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
    ++out_.sent;
  }
  void send(size_t i, std::vector<timed_message> messages) {
    for (auto& m : messages) {
      if (m.after.count() == 0) send(i, m.what);
      else due_.push({clock::now() + m.after, ++order_, i, std::move(m.what)});
    }
  }
  void send_due() {
    while (!due_.empty() && due_.top().when <= clock::now()) {
      send(due_.top().agent, due_.top().what);
      due_.pop();
    }
  }

  void read(size_t i) {
    for (size_t n = 0; n < reads_per_turn_max; ++n) {
      bus::frames parts;
      zmq::message_t part;
      do {
        if (!sockets_[i].recv(part, zmq::recv_flags::dontwait)) return;
        parts.push_back(part.to_string());
      } while (part.more());
      auto parsed = bus::parse_agent_message(std::move(parts));
      if (!parsed) continue;
      auto what = unpack<to_agent>(parsed->body);
      if (!what) continue;
      ++out_.received;
      const bool before = agents_[i].welcomed();
      auto answers = agents_[i].on(*what);
      welcomed_ += static_cast<size_t>(agents_[i].welcomed()) - static_cast<size_t>(before);
      send(i, std::move(answers));
    }
  }

  void make_mishaps() {
    if (!mishaps_on()) return;
    const auto step =
        std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(1 / options_.mishaps_per_second));
    if (next_mishap_ == clock::time_point{}) next_mishap_ = clock::now() + step;
    for (; next_mishap_ <= clock::now(); next_mishap_ += step) {
      if (victims_.empty()) {
        for (size_t i = 0; i < agents_.size(); ++i)
          for (auto& id : agents_[i].servers()) victims_.emplace_back(i, std::move(id));
        if (options_.kind == mishap::die) starting_ = !starting_;
      }
      if (victims_.empty()) continue;
      auto [i, id] = std::move(victims_.front());
      victims_.pop_front();
      const auto what = options_.kind == mishap::die && starting_ ? mishap::start : options_.kind;
      auto messages = agents_[i].happen(id, what);
      if (messages.empty()) continue;
      if (options_.on_mishap) options_.on_mishap(id, clock::now());
      send(i, std::move(messages));
      ++out_.mishaps;
    }
  }

  const fleet_options& options_;
  zmq::context_t context_;
  std::vector<sim_agent> agents_;
  std::vector<zmq::socket_t> sockets_;
  std::vector<zmq_pollitem_t> items_;
  std::priority_queue<due_message> due_;
  uint64_t order_ = 0;
  std::deque<std::pair<size_t, server_id>> victims_;
  clock::time_point next_mishap_{};
  bool starting_ = true;  // turned over before the first round, which kills
  bool ready_ = false;
  size_t welcomed_ = 0;
  fleet_result out_;
};

}  // namespace

result<fleet_result> run_fleet(const fleet_options& options, const std::atomic<bool>& stop) {
  if (options.agents == 0 || options.agents > agents_max)
    return fail(ec::bad_request, "the number of agents is not between 1 and " + std::to_string(agents_max),
                "run several load generators with different name prefixes");
  try {
    return fleet(options).run(stop);
  } catch (const zmq::error_t& e) {
    return fail(ec::internal, std::string("the simulated agents' sockets: ") + e.what(), "check the endpoint");
  }
}

}  // namespace zedops::load
