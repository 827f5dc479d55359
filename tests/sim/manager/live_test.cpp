// Events over HTTP: the door's own thread beside a manager in virtual time. While one of them works, the other is held.
#include "tools/manager/web/live.hpp"

#include <future>

#include "messages/base/cursor.hpp"
#include "tests/sim/manager/stage.hpp"
#include "tests/support/temp_dir.hpp"

using namespace zedops;
using namespace zedops::sim;

namespace {

// A reader of an event stream.
struct listener final : web::exchange {
  web::request question;
  std::string heard;  // read only while the door's thread is held
  bool refused = false;

  const web::request& asked() const override { return question; }
  void respond(web::response) override { refused = true; }
  void when_gone(std::function<void()>) override {}
  void begin_stream(web::response, std::function<void()>) override {}
  void write(std::shared_ptr<const std::string> piece) override { heard += *piece; }
  size_t waiting_bytes() const override { return 0; }
  void end_stream() override {}
  size_t times(const std::string& what) const {
    size_t n = 0;
    for (auto at = heard.find(what); at != std::string::npos; at = heard.find(what, at + 1)) ++n;
    return n;
  }
};

struct web_side {  // outlives the manager
  test::temp_dir dir;
  bus::account_book book{dir.path() / "accounts"};
  app::calls calls;
  std::unique_ptr<app::callers> known;
  std::unique_ptr<app::live> live;
  std::unique_ptr<web::server> door = std::move(*web::server::start({}, [](std::shared_ptr<web::exchange>) {}));
};

struct listening : web_side, stage {
  listening() {
    known = std::make_unique<app::callers>(book, manager->world().records, "zedops");
    live = std::make_unique<app::live>(manager->world(), *known, calls);
    calls.open(manager->node());
    live->open(manager->node(), *door);
  }
  ~listening() {
    door->stop();
    live->forget_all();
    calls.forget_all();
  }
  // Waits until the door's thread has done everything posted so far.
  void served() {
    std::promise<void> done;
    door->post([&] { done.set_value(); });
    done.get_future().wait();
  }
  template <class F>
  void while_held(F f) {
    std::promise<void> go;
    door->post([held = go.get_future().share()] { held.wait(); });
    f();
    go.set_value();
    served();
  }
  void turn() {
    for (int i = 0; i < 5; ++i) while_held([&] { settle(); });
  }
  std::shared_ptr<listener> listen(web::pairs query, std::shared_ptr<const principal> who) {
    auto e = std::make_shared<listener>();
    e->question.method = "GET";
    e->question.segments = {"api", "events"};
    e->question.query = std::move(query);
    door->post([this, e, who] { live->begin(e, {who, {}, false}); });
    served();
    return e;
  }
  std::string here() { return to_text(cursor{manager->world().history.epoch(), manager->world().last_seq.load()}); }
  std::vector<event> events_since(const std::string& place, const std::string& subject) {
    auto page = ask<event_page>("event.replay", replay_events{place, subject, {}, 1'000});
    REQUIRE(page.has_value());
    return page->events;
  }
  static std::string id_line(const event& e) { return "id: " + cursor_text(e) + '\n'; }
};

std::shared_ptr<const principal> everybody() { return std::make_shared<const principal>(local_principal()); }

}  // namespace

TEST_CASE_METHOD(listening, "live: an event that happens while a page of history is read is delivered once",
                 "[sim][manager][hostile]") {
  const auto pz1 = running("pz1");
  const auto since = here();
  running("pz2");  // not the subject that is listened for
  const auto e = listen({{"subject", "server." + pz1.id.value}, {"since", since}}, everybody());
  while_held([&] { settle(); });  // the hub has said where its events begin: the page is asked for
  while_held([&] {
    // It is handled before the page is; at that time the feed has what was committed after the page was read.
    live->reply({live.get(), "1", {}}, rt::answer::item, "no event");
    settle();
    REQUIRE(finish("stop", stop_server{"pz1"}).has_value());
  });
  turn();
  while_held([&] {
    const auto expected = events_since(since, "server." + pz1.id.value);
    CHECK(expected.size() > 1);
    for (const auto& x : expected) CHECK(e->times(id_line(x)) == 1);
  });
}

TEST_CASE_METHOD(listening, "calls: when a caller hangs up all its waits end, also one that has not arrived yet",
                 "[sim][manager][hostile]") {
  running("pz1");
  at("alpha").crash();
  REQUIRE(until([&] { return agent_status("alpha") == agent_status::unreachable; }));
  const auto op = operate("stop", stop_server{"pz1"});  // kept until its agent is back
  REQUIRE(op.has_value());
  const auto ann = std::make_shared<const principal>(
      principal{"token:ann", authentication::token, "192.0.2.7", {{role::viewer, {}, {}}}});
  std::vector<std::string> codes;
  const auto wait = [&](const std::shared_ptr<const principal>& by) {
    return calls.ask({by, "op.wait", pack_map(wait_operation{op->operation.id.value})}, [&](rt::answer kind,
                                                                                            const std::string& body) {
      codes.push_back(kind == rt::answer::error ? code(result<int>(fail(*unpack_map<error>(body)))) : "ok");
    });
  };
  const auto waiting = [&] { return manager->world().load.clients_waiting.load(); };
  std::vector<std::string> open;
  for (int i = 0; i < 50; ++i) open.push_back(wait(ann));
  settle();
  CHECK(waiting() == 50);
  for (const auto& one : open) calls.forget(one);
  settle();
  CHECK(waiting() == 0);
  const auto early = wait(ann);
  calls.forget(early);  // before the manager has seen it
  settle();
  REQUIRE(until([&] { return waiting() == 0; }));
  advance(2min);
  CHECK(waiting() == 0);
  CHECK(codes.empty());
}

TEST_CASE_METHOD(listening, "calls: the waits of one caller are limited, and others are not affected",
                 "[sim][manager]") {
  size_t refused = 0;
  const auto wait = [&](const std::string& id) {
    const auto by = std::make_shared<const principal>(local_principal(id));
    return calls.ask({by, "op.wait", pack_map(wait_operation{"o-none"})}, [&](rt::answer, const std::string& body) {
      const auto e = unpack_map<error>(body);
      refused += e && e->code == ec::rate_limited;
    });
  };
  for (size_t i = 0; i < app::calls::waits_max; ++i) (void)wait("uid:1");
  CHECK(refused == 0);
  (void)wait("uid:1");
  CHECK(refused == 1);
  (void)wait("uid:2");
  CHECK(refused == 1);
  settle();  // all of them are answered: there is no such operation
  (void)wait("uid:1");
  CHECK(refused == 1);
  settle();
}

TEST_CASE_METHOD(listening, "live: a role on one host gets the events of the services on that host only",
                 "[sim][manager]") {
  add_host("beta");
  REQUIRE(until([&] { return in_sync("beta"); }));
  audit.enabled = false;  // it judges servers and agents
  const auto on = [&](const std::string& host) {
    return std::make_shared<const principal>(principal{
        "key:" + host, authentication::key, "192.0.2.7", {{role::viewer, records().agent_named(host)->id, {}}}});
  };
  const auto since = here();
  const auto alphas = listen({}, on("alpha")), betas = listen({}, on("beta"));
  while_held([&] {
    settle();
    REQUIRE(ask<deploy_reply>("project.create", create_project{"shop", "", ""}).has_value());
    create_service c;
    c.project = "shop";
    c.name = "web";
    c.agent = "alpha";
    REQUIRE(ask<deploy_reply>("service.create", c).has_value());
  });
  turn();
  while_held([&] {
    const auto web = *records().resolve_service("shop/web");
    const auto of_service = events_since(since, "service." + web->id.value);
    CHECK_FALSE(of_service.empty());
    for (const auto& x : of_service) {
      CHECK(alphas->times(id_line(x)) == 1);
      CHECK(betas->times(id_line(x)) == 0);
    }
    size_t operations = 0;
    for (const auto& x : events_since(since, "operation.")) {
      const auto op = manager->world().history.operation({x.subject.substr(x.subject.find('.') + 1)});
      const bool his = op && *op && (*op)->target.value == web->id.value;
      operations += his;
      CHECK(alphas->times(id_line(x)) == (his ? 1 : 0));
      CHECK(betas->times(id_line(x)) == 0);
    }
    CHECK(operations > 0);
  });
}

TEST_CASE_METHOD(listening, "live: where an event belongs is looked up once, when it arrives", "[sim][manager]") {
  running("pz1");
  audit.enabled = false;  // it does not allow for the damage below
  const auto on_alpha = std::make_shared<const principal>(
      principal{"key:ann", authentication::key, "192.0.2.7", {{role::viewer, records().agent_named("alpha")->id, {}}}});
  const auto first = listen({}, on_alpha);
  turn();
  const auto since = here();
  std::string stop;
  while_held([&] {
    const auto done = finish("stop", stop_server{"pz1"});
    REQUIRE(done.has_value());
    stop = done->operation.id.value;
  });
  turn();
  std::vector<event> expected;
  while_held([&] {
    expected = events_since(since, "operation." + stop);
    REQUIRE(db.damage(store::table::operations, stop));  // looked up again, it would not be found
  });
  CHECK(expected.size() > 1);
  const auto second = listen({{"since", since}}, on_alpha);
  turn();
  while_held([&] {
    for (const auto& x : expected) {
      CHECK(first->times(id_line(x)) == 1);
      CHECK(second->times(id_line(x)) == 1);
    }
  });
}
