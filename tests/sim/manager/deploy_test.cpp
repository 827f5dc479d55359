// Projects, services and deployments through the real shells: doors, journal, registry, host, in virtual time.
#include <algorithm>

#include "actors/manager/doors/gateway.hpp"
#include "actors/manager/doors/refusal_log.hpp"
#include "messages/api/deploy_requests.hpp"
#include "messages/api/deploy_views.hpp"
#include "messages/base/sha256.hpp"
#include "tests/sim/manager/stage.hpp"
#include "tests/support/temp_dir.hpp"

using namespace zedops;
using namespace zedops::sim;

namespace {

struct uploads_on_disk {  // outlives the manager
  test::temp_dir dir;
  std::unique_ptr<store::upload_store> uploads = std::move(*store::upload_store::open(dir.path().string()));
};

create_service a_service(const std::string& name, const std::string& agent = "alpha") {
  create_service c;
  c.project = "shop";
  c.name = name;
  c.agent = agent;
  return c;
}

// A host "alpha", a project with a service on it, and an upload that is complete.
struct shop : uploads_on_disk, world {
  std::string upload;

  shop() : world(1) {
    audit.enabled = false;  // the auditor checks servers and agents only
    start();
    add_host("alpha");
    REQUIRE(until(
        [&] { return records().agent_named("alpha") && records().agent_online(records().agent_named("alpha")->id); }));
    REQUIRE(ask<deploy_reply>("project.create", create_project{"shop", "all we sell", ""}).has_value());
    REQUIRE(ask<deploy_reply>("service.create", a_service("web")).has_value());
    upload = sent("the site");
  }
  void start() {
    boot();
    manager->world().uploads = uploads.get();
    settle();
  }
  std::string sent(const std::string& text) {
    sha256 hash;
    hash.add(text);
    auto v = ask<upload_view>("upload.begin", begin_upload{"site.tar.gz", text.size(), hash.hex(), {}});
    REQUIRE(v.has_value());
    REQUIRE(ask<upload_view>("upload.chunk", upload_chunk{v->id.value, 0, text}).has_value());
    REQUIRE(ask<upload_view>("upload.end", end_upload{v->id.value})->state == upload_state::complete);
    return v->id.value;
  }
  result<deploy_reply> deploy(call_options o = {.wait = true}) {
    return ask<deploy_reply>("deployment.create", deploy_service{"shop/web", upload, {}, {}, {}, {}}, o);
  }
  std::shared_ptr<const service> web() { return *records().resolve_service("shop/web"); }
  const deployment& newest() { return web()->deployments.back(); }
  bool ended() { return !web()->op.has_value(); }
  template <class T>
  static std::string code(const result<T>& r) {
    return r ? "ok" : std::string(name_of(r.error().code));
  }
};

}  // namespace

TEST_CASE_METHOD(shop, "deploy: a request shows in every view, in events, history and metrics",
                 "[sim][manager][acc-77]") {
  auto done = deploy();
  REQUIRE(done.has_value());
  REQUIRE(done->deployment);
  CHECK(done->deployment->status == deploy_status::success);
  CHECK(done->operation.status == op_status::succeeded);
  CHECK(done->service->current == 1);
  auto project = ask<project_view>("project.get", get_project{"shop"});
  REQUIRE(project.has_value());
  CHECK(project->health == service_health::healthy);
  CHECK(project->services == std::vector<std::string>{"web"});
  CHECK(project->last_deployed_at);
  for (const auto& name : {std::string("shop/web"), std::string("shop/web#1"), done->deployment->id.value}) {
    auto d = ask<deployment_view>("deployment.get", get_deployment{name});
    REQUIRE(d.has_value());
    CHECK(d->phases.size() == 8);
    CHECK(d->current);
  }
  CHECK(code(ask<deployment_view>("deployment.get", get_deployment{"shop/web#2"})) == "not_found");
  CHECK(code(ask<deployment_view>("deployment.get", get_deployment{"nothing"})) == "not_found");
  CHECK(ask<deployment_list>("deployment.ls", list_deployments{"", "success"})->deployments.size() == 1);
  CHECK(code(ask<deployment_list>("deployment.ls", list_deployments{"", "nonsense"})) == "bad_request");
  auto past = ask<event_page>("service.history", service_history{"shop/web"});
  REQUIRE(past.has_value());
  CHECK(past->events.size() > 10);
  auto figures = ask<metrics_reply>("metrics", get_metrics{});
  CHECK(figures->text.find("zedops_services{health=\"healthy\"} 1") != std::string::npos);
  CHECK(figures->text.find("zedops_operations_total{kind=\"deploy\",status=\"succeeded\"} 1") != std::string::npos);
}

TEST_CASE_METHOD(shop, "deploy: an endlessly nested body is refused", "[sim][manager][hostile]") {
  for (const auto& row : operation_table) {
    INFO(row.verb);
    const auto request = send_bytes(std::string(row.verb), std::string(50'000, '\x91'), {.key = std::string(row.verb)});
    REQUIRE(until([&] { return answered(request); }));
    CHECK(code(answer<deploy_reply>(request)) == "bad_request");
  }
}

TEST_CASE_METHOD(shop, "deploy: an operator of one host deploys there what they uploaded, and sees the operation's end",
                 "[sim][manager]") {
  const auto at_host = [&](role as, agent_id host) {
    return std::make_shared<const principal>(
        principal{"key:eve", authentication::key, "192.0.2.7", {{as, std::move(host), {}}}});
  };
  const auto eve = at_host(role::operator_, web()->agent), other = at_host(role::operator_, {"a-elsewhere"}),
             looks = at_host(role::viewer, web()->agent);
  const std::string text = "what eve has built";
  sha256 hash;
  hash.add(text);
  const begin_upload begins{"eve.tar.gz", text.size(), hash.hex(), {}};
  CHECK(code(ask<upload_view>("upload.begin", begins, {.by = looks})) == "forbidden");
  auto v = ask<upload_view>("upload.begin", begins, {.by = eve});
  REQUIRE(v.has_value());
  REQUIRE(ask<upload_view>("upload.chunk", upload_chunk{v->id.value, 0, text}, {.by = eve}).has_value());
  REQUIRE(ask<upload_view>("upload.end", end_upload{v->id.value}, {.by = eve}).has_value());
  const deploy_service what{"shop/web", v->id.value, {}, {}, {}, {}};
  CHECK(code(ask<deploy_reply>("deployment.create", what, {.by = other})) == "forbidden");
  CHECK(code(ask<deploy_reply>("deployment.create", what, {.by = looks})) == "forbidden");
  auto done = ask<deploy_reply>("deployment.create", what, {.wait = true, .by = eve});
  REQUIRE(done.has_value());
  REQUIRE(ended());
  const auto id = done->operation.id.value;
  CHECK(ask<operation_view>("op.get", get_operation{id}, {.by = eve})->status == op_status::succeeded);
  CHECK(ask<operation_view>("op.get", get_operation{id}, {.by = looks}).has_value());
  CHECK(code(ask<operation_view>("op.get", get_operation{id}, {.by = other})) == "forbidden");
}

TEST_CASE_METHOD(shop, "deploy: the same key is the same deployment, a dry run is none", "[sim][manager]") {
  auto plan = deploy({.dry_run = true});
  REQUIRE(plan.has_value());
  CHECK(plan->plan.size() > 1);
  CHECK(web()->deployments.empty());
  auto one = deploy({.key = "k1", .wait = true});
  auto two = deploy({.key = "k1", .wait = true});
  REQUIRE((one && two));
  CHECK(one->operation.id == two->operation.id);
  CHECK(web()->deployments.size() == 1);
  auto made = ask<deploy_reply>("project.create", create_project{"other", "", ""}, {.key = "k2"});
  auto again = ask<deploy_reply>("project.create", create_project{"other", "", ""}, {.key = "k2"});
  REQUIRE((made && again));
  CHECK(made->operation.id == again->operation.id);
}

TEST_CASE_METHOD(shop, "deploy: the deployment ends wherever the manager dies", "[sim][manager][acc-82]") {
  size_t crashed = 0;
  for (uint64_t n = 1; n < 140; n += 3) {
    const auto before = web()->deployed;
    crash_after_jobs = n;
    const auto request = send("deployment.create", deploy_service{"shop/web", upload, {}, {}, {}, {}},
                              {.key = "k" + std::to_string(n), .wait = true});
    until([&] { return !manager || answered(request); }, 60s);
    if (!manager) ++crashed, start();
    crash_after_jobs = 0;
    INFO(n);
    // Repeated under its key, as any client does: it is done once.
    auto r = deploy({.key = "k" + std::to_string(n), .wait = true});
    REQUIRE(r.has_value());
    REQUIRE(until([&] { return ended(); }, 120s));
    CHECK(web()->deployed == before + 1);
    CHECK(newest().status == deploy_status::success);
    CHECK(newest().phases.size() == 8);
    CHECK(web()->current == newest().number);
  }
  CHECK(crashed > 10);
}

TEST_CASE_METHOD(shop, "deploy: it goes on after its agent died between any two effects", "[sim][manager][acc-82]") {
  for (int n = 0; n < 5; ++n) {
    const auto request = send("deployment.create", deploy_service{"shop/web", upload, {}, {}, {}, {}}, {.wait = true});
    REQUIRE(until([&] { return !ended(); }));
    for (int step = 0; step < n; ++step)
      until([&, phase = newest().phase] { return ended() || newest().phase != phase; });
    at("alpha").crash();
    advance(10s);
    at("alpha").start();
    REQUIRE(until([&] { return answered(request); }, 300s));
    CHECK(newest().status == deploy_status::success);
  }
}

TEST_CASE_METHOD(shop, "uploads: only pieces bypass the limit of large requests, and only a limited number at once",
                 "[sim][manager][hostile]") {
  // Any other large request waits its turn: four times as much as is admitted at once is too much.
  std::vector<std::string> begun;
  for (int n = 0; n < 4; ++n)
    begun.push_back(send("upload.begin", begin_upload{std::string(1 << 20, 'x'), 1, std::string(64, 'a'), {}}));
  REQUIRE(until([&] { return answered(begun.back()) && answered(begun.front()); }, 60s));
  CHECK(code(answer<upload_view>(begun.front())) == "bad_request");
  CHECK(code(answer<upload_view>(begun.back())) == "rate_limited");
  // And so does a chunk above the size limit.
  const auto huge = send("upload.chunk", upload_chunk{upload, 0, std::string(3 << 20, 'x')});
  REQUIRE(until([&] { return answered(huge); }, 60s));
  CHECK_FALSE(answer<upload_view>(huge).has_value());
  std::vector<std::string> pieces;
  for (size_t n = 0; n < manager::pieces_open_max + 10; ++n)
    pieces.push_back(send("upload.chunk", upload_chunk{upload, 0, "the"}));
  REQUIRE(until([&] { return std::ranges::all_of(pieces, [&](const auto& p) { return answered(p); }); }));
  CHECK(std::ranges::count_if(pieces, [&](const auto& p) { return code(answer<upload_view>(p)) == "rate_limited"; }) ==
        10);
  CHECK(ask<upload_view>("upload.chunk", upload_chunk{upload, 0, "the"}).has_value());
}

TEST_CASE_METHOD(shop, "projects: one in use is not removed, names are unique, and rights apply", "[sim][manager]") {
  CHECK(code(ask<deploy_reply>("project.rm", remove_project{"shop"})) == "wrong_state");
  CHECK(code(ask<deploy_reply>("project.create", create_project{"shop", "", ""})) == "already_exists");
  CHECK(code(ask<deploy_reply>("service.create", a_service("web"))) == "already_exists");
  CHECK(code(ask<deploy_reply>("service.create", a_service("api", "nobody"))) == "not_found");
  CHECK(code(ask<deploy_reply>("service.create", a_service("Bad Name"))) == "invalid_name");
  auto port = a_service("api");
  port.port = 9999;
  CHECK(code(ask<deploy_reply>("service.create", port)) == "bad_request");  // its project has another port there
  port.port = 0;
  REQUIRE(ask<deploy_reply>("service.create", port).has_value());
  CHECK((*records().resolve_service("shop/api"))->port == web()->port);
  CHECK(code(ask<deploy_reply>("deployment.create", deploy_service{"shop/web", "u-none", {}, {}, {}, {}})) ==
        "not_found");
  const auto viewer =
      std::make_shared<const principal>(principal{"key:eve", authentication::key, "", {{role::viewer, {}, {}}}});
  CHECK(code(ask<deploy_reply>("deployment.create", deploy_service{"shop/web", upload, {}, {}, {}, {}},
                               {.by = viewer})) == "forbidden");
  CHECK(ask<project_list>("project.ls", list_projects{}, {.by = viewer})->projects.size() == 1);
  const auto elsewhere = std::make_shared<const principal>(
      principal{"key:eve", authentication::key, "", {{role::operator_, agent_id{"a-other"}, {}}}});
  CHECK(ask<service_list>("service.ls", list_services{}, {.by = elsewhere})->services.empty());
  CHECK(code(ask<deploy_reply>("deployment.create", deploy_service{"shop/web", upload, {}, {}, {}, {}},
                               {.by = elsewhere})) == "forbidden");
  for (const auto* name : {"shop/web", "shop/api"})
    REQUIRE(ask<deploy_reply>("service.rm", remove_service{name}, {.wait = true}).has_value());
  REQUIRE(ask<deploy_reply>("project.rm", remove_project{"shop"}).has_value());
  CHECK(ask<project_list>("project.ls", list_projects{})->projects.empty());
  REQUIRE(ask<deploy_reply>("project.create", create_project{"shop", "", ""}).has_value());
}

TEST_CASE_METHOD(shop, "projects: a service that is created while its project is removed finds it, or is refused",
                 "[sim][manager]") {
  REQUIRE(ask<deploy_reply>("service.rm", remove_service{"shop/web"}, {.wait = true}).has_value());
  const auto going = send("project.rm", remove_project{"shop"});
  const auto coming = send("service.create", a_service("api"));
  REQUIRE(until([&] { return answered(going) && answered(coming); }));
  CHECK(answer<deploy_reply>(going).has_value());
  CHECK(code(answer<deploy_reply>(coming)) == "busy");
  REQUIRE(ask<deploy_reply>("project.create", create_project{"shop", "", ""}).has_value());
  const auto first = send("service.create", a_service("api"));
  const auto second = send("project.rm", remove_project{"shop"});
  REQUIRE(until([&] { return answered(first) && answered(second); }));
  CHECK(answer<deploy_reply>(first).has_value());
  CHECK_FALSE(answer<deploy_reply>(second).has_value());
}

TEST_CASE_METHOD(shop, "projects: services that are created at once are served at one port", "[sim][manager]") {
  REQUIRE(ask<deploy_reply>("project.create", create_project{"other", "", ""}).has_value());
  std::vector<std::string> requests;
  for (const auto* name : {"one", "two", "three"}) {
    auto c = a_service(name);
    c.project = "other";
    requests.push_back(send("service.create", c));
  }
  REQUIRE(until([&] { return std::ranges::all_of(requests, [&](const auto& r) { return answered(r); }); }));
  for (const auto& r : requests) CHECK(code(answer<deploy_reply>(r)) == "ok");
  const auto port = (*records().resolve_project("other"))->ports.at(web()->agent.value);
  CHECK(port != web()->port);
  for (const auto* name : {"other/one", "other/two", "other/three"})
    CHECK((*records().resolve_service(name))->port == port);
}

TEST_CASE_METHOD(shop, "services: a repeated request is answered also when the refusal of the first is not recorded",
                 "[sim][manager]") {
  REQUIRE(ask<deploy_reply>("project.create", create_project{"other", "", ""}).has_value());
  commit_takes = [] { return 500ms; };
  const auto create = [&](const char* name, uint16_t port, const char* key) {
    auto c = a_service(name);
    c.project = "other";
    c.port = port;
    return send("service.create", c, {.key = key});
  };
  const auto first = create("one", 9'100, "");
  std::vector<std::string> others;  // the project gets one port on a host: it refuses another
  for (uint32_t i = 0; i < manager::refusal_log::recorded_max; ++i) others.push_back(create("two", 9'101, ""));
  for (int i = 0; i < 3; ++i) others.push_back(create("two", 9'101, "k"));
  const auto done = [&](const auto& r) { return answered(r); };
  REQUIRE(until([&] { return done(first) && std::ranges::all_of(others, done); }));
  CHECK(code(answer<deploy_reply>(first)) == "ok");
  for (const auto& r : others) CHECK_FALSE(answer<deploy_reply>(r).has_value());
}

TEST_CASE_METHOD(
    shop, "services: a host name belongs to the service that serves it, and one that would take it back is refused",
    "[sim][manager]") {
  const auto routed = [](const char* host) {
    service_settings s;
    s.route = route_kind::caddy;
    s.hosts = {host};
    return s;
  };
  const auto edit = [&](const char* host) {
    return ask<deploy_reply>("service.edit", edit_service{"shop/web", {}, {}, routed(host), {}}).has_value();
  };
  auto other = a_service("other");
  other.settings = routed("a.example.org");
  REQUIRE(edit("a.example.org"));
  REQUIRE(deploy().has_value());
  REQUIRE(edit("b.example.org"));
  CHECK(code(ask<deploy_reply>("service.create", other)) == "already_exists");  // visitors still come to shop/web by it
  REQUIRE(deploy().has_value());
  REQUIRE(ask<deploy_reply>("service.create", other).has_value());
  for (const uint32_t to : {0U, 1U})
    CHECK(code(ask<deploy_reply>("service.rollback", rollback_service{"shop/web", to})) == "already_exists");
  CHECK(web()->current == 2);
  other.name = "third";
  other.settings = routed("b.example.org");
  CHECK(code(ask<deploy_reply>("service.create", other)) == "already_exists");
}

TEST_CASE_METHOD(shop, "services: a preview runs on its original's host only, so secrets reach no other host",
                 "[sim][manager][hostile]") {
  add_host("beta");
  REQUIRE(until([&] { return records().agent_named("beta") != nullptr; }));
  auto api = a_service("api");
  api.type = service_kind::container;
  api.settings.container_port = 3000;
  api.settings.env["KEY"] = "secret";
  REQUIRE(ask<deploy_reply>("service.create", api).has_value());
  auto preview = a_service("pr-1", "beta");
  preview.preview_of = "api";
  CHECK(code(ask<deploy_reply>("service.create", preview)) == "bad_request");
  preview.agent = "alpha";
  REQUIRE(ask<deploy_reply>("service.create", preview).has_value());
  preview.name = "pr-2";
  preview.agent.clear();
  REQUIRE(ask<deploy_reply>("service.create", preview).has_value());
  CHECK((*records().resolve_service("shop/pr-2"))->settings.env.at("KEY") == "secret");
}

TEST_CASE_METHOD(shop,
                 "deploy: the image of a deployment can be deployed again by digest, whatever its tag means by now",
                 "[sim][manager]") {
  auto api = a_service("api");
  api.type = service_kind::container;
  api.settings.container_port = 3000;
  REQUIRE(ask<deploy_reply>("service.create", api).has_value());
  const auto digest = "sha256:" + std::string(64, 'a');
  deploy_service what{"shop/api", {}, {}, {}, {}, {}};
  what.image = "registry.example.org/api:1";
  for (const auto& bad : {std::string("sha256:a"), std::string("latest"), std::string(71, 'a')}) {
    what.digest = bad;
    CHECK(code(ask<deploy_reply>("deployment.create", what)) == "bad_request");
  }
  what.digest = digest;
  REQUIRE(ask<deploy_reply>("deployment.create", what, {.wait = true}).has_value());
  CHECK((*records().resolve_service("shop/api"))->deployments.back().source.digest == digest);
  deploy_service site{"shop/web", upload, {}, {}, {}, {}};
  site.digest = digest;
  CHECK(code(ask<deploy_reply>("deployment.create", site)) == "bad_request");
}

TEST_CASE_METHOD(shop, "uploads: an upload is needed until its deployment has ended, then it may be removed",
                 "[sim][manager]") {
  const auto needed = [&] { return ask<upload_list>("upload.ls", list_uploads{})->uploads.at(0).needed; };
  at("alpha").crash();
  REQUIRE(deploy({}).has_value());
  CHECK(needed());
  CHECK(code(ask<upload_list>("upload.rm", remove_upload{upload})) == "wrong_state");
  at("alpha").start();
  REQUIRE(until([&] { return ended(); }, 120s));
  CHECK(web()->current == 1);
  CHECK_FALSE(needed());
  CHECK(code(ask<upload_list>("upload.rm", remove_upload{upload})) == "ok");
  CHECK(code(deploy()) == "not_found");
}

TEST_CASE_METHOD(shop, "services: with a damaged record no container of any host is treated as a stray",
                 "[sim][manager]") {
  const auto told = std::make_shared<std::vector<bool>>();
  net.on_send = [told, audited = net.on_send](const std::string& wire, const to_agent& what) {
    if (audited) audited(wire, what);
    if (const auto* q = std::get_if<sync_query>(&what)) told->push_back(q->tells_services);
  };
  REQUIRE(until([&] { return !told->empty(); }, 120s));
  CHECK(told->back());
  const auto id = web()->id.value;
  crash_manager();
  REQUIRE(db.damage(store::table::services, id));
  start();
  told->clear();
  REQUIRE(until([&] { return !told->empty(); }, 120s));
  CHECK_FALSE(told->back());
  CHECK(code(ask<stray_list>("stray.rm", remove_stray{"alpha", "zedops-shop.web-1"})) == "wrong_state");
}

TEST_CASE_METHOD(shop, "services: those of a given-up host stop waiting, and can be removed at once",
                 "[sim][manager]") {
  at("alpha").crash();
  REQUIRE(until([&] { return !is_connected(records().agent_named("alpha")->status); }));
  REQUIRE(deploy({}).has_value());
  REQUIRE_FALSE(ended());
  REQUIRE(ask<forget_reply>("agent.forget", forget_agent{"alpha", true, "alpha"}).has_value());
  REQUIRE(until([&] { return ended(); }));
  CHECK(newest().failure->code == ec::agent_unreachable);
  CHECK(code(deploy()) == "wrong_state");
  REQUIRE(ask<deploy_reply>("service.rm", remove_service{"shop/web"}).has_value());
  CHECK(records().services().empty());
}

TEST_CASE_METHOD(shop,
                 "services: a clock that leaps past their lifetime removes none until it has run evenly for a while",
                 "[sim][manager][acc-62][fc-62]") {
  manager->world().rules.change([](auto& p) { p.clock_trust = 10min; });
  REQUIRE(ask<deploy_reply>("service.edit", edit_service{"shop/web", {}, {}, {}, {}, 7 * 24h}).has_value());
  wall.set_by(100 * 24h);
  advance(9min);
  CHECK_FALSE(records().services().empty());
  SECTION("the clock is corrected, and it stays") {
    wall.set_by(-100 * 24h);
    advance(2h);
    CHECK_FALSE(records().services().empty());
  }
  SECTION("the new time is right, and it goes late") {
    CHECK(until([&] { return records().services().empty(); }, 5min));
  }
}
