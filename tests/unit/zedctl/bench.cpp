#include "tests/unit/zedctl/bench.hpp"

#include <stdlib.h>

namespace zedops::ctl::test {
namespace {

class scripted_events final : public event_source {
 public:
  explicit scripted_events(bench& b) : b_(b) {}
  msg::result<std::optional<event_item>> next(milliseconds wait) override {
    if (b_.stream.empty()) {
      b_.move(wait);
      return std::nullopt;
    }
    auto item = std::move(b_.stream.front());
    b_.stream.pop_front();
    if (!item) return msg::fail(item.error());
    return std::optional<event_item>(std::move(*item));
  }

 private:
  bench& b_;
};

class scripted_manager final : public transport {
 public:
  explicit scripted_manager(bench& b) : b_(b) {}

  msg::result<std::string> post(const std::string& verb, std::string body, bus::send_options options) override {
    if (b_.with.posts_that_fail > 0) {
      --b_.with.posts_that_fail;
      return msg::fail(msg::ec::agent_unreachable, "no manager answers", "start it");
    }
    auto id = std::to_string(++last_);
    auto o = msg::unpack_map<msg::request_options>(options.options);
    b_.requests.push_back(
        {verb, std::move(body), options.idempotency_key, o ? *o : msg::request_options{}, options.deadline});
    auto found = b_.manager.find(verb);
    // A copy: an answer may change the script.
    auto script = found == b_.manager.end() ? std::function<answers(const seen_request&)>{} : found->second;
    if (script)
      for (auto& frame : script(seen_request(b_.requests.back()))) b_.waiting.push_back({frame.kind, id, frame.body});
    return id;
  }

  msg::result<std::optional<bus::reply>> receive(milliseconds wait) override {
    if (b_.with.break_next_receive) {
      b_.with.break_next_receive = false;
      b_.waiting.clear();
      return msg::fail(msg::ec::agent_unreachable, "the connection broke", "repeat it");
    }
    if (b_.waiting.empty()) {
      b_.move(wait);
      return std::nullopt;
    }
    auto reply = std::move(b_.waiting.front());
    b_.waiting.pop_front();
    return std::optional<bus::reply>(std::move(reply));
  }

  msg::result<std::unique_ptr<event_source>> events(const event_query& query) override {
    b_.queries.push_back(query);
    return std::make_unique<scripted_events>(b_);
  }

 private:
  bench& b_;
  int last_ = 0;
};

}  // namespace

bench::bench() {
  setenv("TZ", "UTC", 1);
  auto pattern = (std::filesystem::temp_directory_path() / "zedctl.XXXXXX").string();
  home = mkdtemp(pattern.data());
  w.env = {{"HOME", home.string()},
           {"XDG_CONFIG_HOME", (home / "config").string()},
           {"USER", "ann"},
           {"XDG_RUNTIME_DIR", "/run/user/7"}};
  w.now = [this] { return noon + clock; };
  w.ticks = [this] { return clock; };
  w.pause = [this](milliseconds time) { move(time); };
  w.interrupted = [this] { return ctrl_c; };
  w.random_key = [n = std::make_shared<int>(0)] { return "key-" + std::to_string(++*n); };
  w.connect = [this](const endpoints& where) -> msg::result<std::unique_ptr<transport>> {
    ++connections;
    if (refuse_connection)
      return msg::fail(msg::ec::agent_unreachable, "no manager answers at " + where.clients, "start it");
    return std::make_unique<scripted_manager>(*this);
  };
  says("status", msg::manager_status{});
}

bench::~bench() {
  std::error_code ignored;
  std::filesystem::remove_all(home, ignored);
}

void bench::move(milliseconds by) {
  constexpr milliseconds clock_max = 48h;  // a tool that waits for ever is a failure, not a hanging test
  clock += by;
  if (clock > clock_max) throw std::runtime_error("the tool waits for ever");
  if (on_wait) on_wait(clock);
}

int bench::run(std::vector<std::string> arguments) { return ctl::run(w, arguments); }

std::vector<seen_request> bench::asked(const std::string& verb) const {
  std::vector<seen_request> found;
  for (const auto& r : requests)
    if (r.verb == verb) found.push_back(r);
  return found;
}

msg::server_view pz1() {
  msg::server_view v;
  v.id = {"s1aaaaaaaaaaaaa"};
  v.name = "pz1";
  v.agent = "host1";
  v.agent_id = {"a1aaaaaaaaaaaaa"};
  v.agent_status = msg::agent_status::online;
  v.status = msg::server_status::running;
  v.data_state = msg::data_state::present;
  v.data_exists = true;
  v.data_bytes = 4'509'715'661;
  v.container_id = "4f2a9c1d7b3e5f60718293a4b5c6d7e8";
  v.container_state = msg::container_state::running;
  v.template_name = "project-zomboid";
  v.image = "steam-zomboid";
  v.image_tag = "41.78";
  v.config = {{"MAX_PLAYERS", "16"}};
  v.game_port = 16261;
  v.udp_port = 16262;
  v.rcon_port = 27015;
  v.ports = {{msg::port_role::game, msg::protocol::udp, 16261},
             {msg::port_role::udp, msg::protocol::udp, 16262},
             {msg::port_role::rcon, msg::protocol::tcp, 27015}};
  v.server_data_path = "/var/lib/zedops/servers";
  v.health = msg::health_state::healthy;
  v.created_at = noon - 76h;
  v.updated_at = noon - 2h;
  v.observed_at = noon - 2min;
  v.revision = 7;
  v.actions = {"stop", "restart", "rebuild"};
  return v;
}

msg::operation_view operation(msg::op_kind kind, msg::op_status status, std::string step, uint32_t progress) {
  msg::operation_view op;
  op.id = {"o1aaaaaaaaaaaaa"};
  op.kind = kind;
  op.target = {"s1aaaaaaaaaaaaa"};
  op.target_name = "pz1";
  op.actor = "ann";
  op.status = status;
  op.step = std::move(step);
  op.progress = progress;
  op.started_at = noon;
  if (msg::ended(status)) op.ended_at = noon + 12s;
  return op;
}

msg::operation_reply succeeded(msg::op_kind kind, const msg::server_view& server) {
  msg::operation_reply r;
  r.operation = operation(kind, msg::op_status::succeeded);
  r.operation.target_name = server.name;
  r.server = server;
  return r;
}

}  // namespace zedops::ctl::test
