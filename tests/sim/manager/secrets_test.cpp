// What a template marks as secret leaves the manager only towards its agents.
#include "tests/sim/manager/stage.hpp"

using namespace zedops;
using namespace zedops::sim;

TEST_CASE_METHOD(stage, "secrets: no answer and no event ever carries one, only the record and the container do",
                 "[sim][manager]") {
  const std::vector<std::string> secrets = {"secret-of-pz1", "hunter2"};
  const auto id = running("pz1").id.value;
  edit_server edit;
  edit.server = "pz1";
  edit.config = {{"ADMIN_PASSWORD", "hunter2"}, {"MAX_PLAYERS", "8"}};
  REQUIRE(operate("edit", edit, {.dry_run = true}).has_value());
  REQUIRE(finish("edit", edit).has_value());
  REQUIRE(finish("rebuild", rebuild_server{"pz1"}).has_value());
  CHECK(server("pz1").env.at("ADMIN_PASSWORD") == "hunter2");

  const auto shown = ask<server_view>("server.get", get_server{"pz1"});
  REQUIRE(shown.has_value());
  CHECK(shown->config ==
        std::map<std::string, std::string>{
            {"ADMIN_PASSWORD", "***"}, {"MAX_PLAYERS", "8"}, {"RCON_PASSWORD", "***"}, {"SERVER_NAME", "pz1"}});
  REQUIRE(ask<server_view>("server.get", get_server{"pz1", wall.now()}).has_value());
  REQUIRE(ask<server_list>("server.ls", list_servers{}).has_value());
  REQUIRE(ask<explanation>("server.explain", explain_server{"pz1"}).has_value());
  REQUIRE(ask<event_page>("server.history", server_history{"pz1", 5'000, 0}).has_value());
  REQUIRE(ask<event_page>("event.replay", replay_events{}).has_value());
  REQUIRE(ask<operation_list>("op.ls", list_operations{}).has_value());
  REQUIRE(finish("purge", purge_server{"pz1", true, false, true}).has_value());
  REQUIRE(ask<event_page>("server.history", server_history{id, 5'000, 0}).has_value());
  advance(1s);

  size_t answers = 0;
  for (const auto& [request, r] : clients.requests)
    for (const auto& reply : r.replies)
      for (const auto& secret : secrets) {
        INFO(r.verb);
        CHECK(reply.body.find(secret) == std::string::npos);
        ++answers;
      }
  CHECK(answers > 20);
  REQUIRE(events.items.size() == audit.last_seq());
  for (const auto& e : events.items)
    for (const auto& secret : secrets) CHECK(e.body.find(secret) == std::string::npos);
}

TEST_CASE_METHOD(stage, "secrets: a masked value that was read cannot be written back", "[sim][manager]") {
  running("pz1");
  edit_server edit;
  edit.server = "pz1";
  edit.config = ask<server_view>("server.get", get_server{"pz1"})->config;
  edit.config["MAX_PLAYERS"] = "8";
  const auto refused = finish("edit", edit);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == ec::bad_request);
  CHECK(refused.error().message.find("RCON_PASSWORD") != std::string::npos);
  CHECK(server("pz1").env.at("RCON_PASSWORD") == "secret-of-pz1");
  edit.config.erase("RCON_PASSWORD");
  REQUIRE(finish("edit", edit).has_value());
  CHECK(server("pz1").env.at("RCON_PASSWORD") == "secret-of-pz1");
}
