#include "integration/docker/refusal.hpp"

#include "integration/docker/http/api_version.hpp"
#include "tests/support/catch.hpp"

using namespace zedops;
using namespace zedops::docker;

TEST_CASE("refusal: each known text of the Engine has its own code, and every one a remedy", "[unit][docker]") {
  struct row {
    int status;
    const char* text;
    msg::ec code;
  };
  for (auto& r : {
           row{404, "No such container: x", msg::ec::not_found},
           row{404, "No such image: x:1", msg::ec::not_found},
           row{409,
               "Conflict. The container name \"/x\" is already in use by container \"abcdef0123456789\". You have to "
               "remove (or rename) that container to be able to reuse that name.",
               msg::ec::already_exists},
           row{409, "removal of container x is already in progress", msg::ec::busy},
           row{409, "You cannot remove a running container x. Stop the container before", msg::ec::wrong_state},
           row{500,
               "driver failed programming external connectivity: Bind for 0.0.0.0:80 failed: port is already allocated",
               msg::ec::port_conflict},
           row{500, "listen tcp4 0.0.0.0:80: bind: address already in use", msg::ec::port_conflict},
           row{400, "No command specified", msg::ec::bad_request},
           row{400, "client version 1.24 is too old. Minimum supported API version is 1.44", msg::ec::engine_error},
           row{500, "something new", msg::ec::engine_error},
           row{503, "", msg::ec::engine_error},
       }) {
    auto e = refusal("cannot do it", r.status, r.text);
    INFO(r.text);
    CHECK(e.code == r.code);
    CHECK(e.message.find(r.text) != std::string::npos);
    CHECK(e.message.find(std::to_string(r.status)) != std::string::npos);
    CHECK_FALSE(e.hint.empty());
    CHECK(http_status_of(e) == r.status);
  }
}

TEST_CASE("refusal: an option that the Engine rejects names the flag to correct", "[unit][docker]") {
  const auto hint = [](std::string_view text) { return refusal("cannot create container x", 400, text).hint; };
  const auto names = [&](std::string_view text, const char* flag) {
    return hint(text).find(flag) != std::string::npos;
  };
  CHECK(names("Minimum memory limit allowed is 6MB", "--memory"));
  CHECK(names("Range of CPUs is from 0.01 to 2.00", "--cpus"));
  CHECK(names("unknown log opt 'x' for json-file log driver", "--log-opt"));
  CHECK(names("No command specified", "--entrypoint"));
  CHECK(names("invalid reference format", "--image"));
  CHECK(names("invalid mount config for type \"bind\": field Target must not be empty", "--bind"));
  CHECK(names("invalid published port", "--port"));
  CHECK_FALSE(names("this is not supported here", "--"));
}

TEST_CASE("refusal: an absent Engine has done nothing, one that hung up may have done it", "[unit][docker][fc-61]") {
  const auto gone = no_engine("unix:///run/docker.sock", "Connection refused");
  CHECK(gone.code == msg::ec::engine_error);
  CHECK(gone.message == "no Docker Engine at unix:///run/docker.sock: Connection refused");
  CHECK(gone.hint.find("systemctl start docker") != std::string::npos);
  CHECK(http_status_of(gone) == 0);
  const auto lost = engine_hung_up("unix:///run/docker.sock", "POST /x", "it closed the connection");
  CHECK(lost.code == msg::ec::engine_error);
  CHECK(lost.message.find("was lost during POST /x") != std::string::npos);
  CHECK(lost.hint.find("may or may not have happened") != std::string::npos);
  CHECK(http_status_of(lost) == 0);
}

TEST_CASE("refusal: a taken name comes with its holder", "[unit][docker][fc-64]") {
  auto text = "Conflict. The container name \"/x\" is already in use by container \"abcdef0123456789\". You";
  CHECK(name_holder(text) == "abcdef0123456789");
  CHECK(refusal("cannot create container x", 409, text).hint.find("abcdef012345") != std::string::npos);
  CHECK(name_holder("something else").empty());
}

TEST_CASE("refusal: every failed pull is pull_failed and keeps the Engine's message", "[unit][docker]") {
  for (auto text : {"manifest for x:1 not found: manifest unknown", "connection refused", "unauthorized", "??"}) {
    auto e = pull_refusal("x:1", 500, text);
    CHECK(e.code == msg::ec::pull_failed);
    CHECK(e.message.find(text) != std::string::npos);
    CHECK_FALSE(e.hint.empty());
  }
}

TEST_CASE("api version: compares as numbers and speaks the older of both", "[unit][docker]") {
  CHECK(*parse_api_version("1.9") < *parse_api_version("1.41"));
  CHECK(*negotiate("1.41") == api_version{1, 41});
  CHECK(*negotiate("1.45") == api_version{1, 45});
  CHECK(*negotiate("1.99") == api_newest);
  CHECK(*negotiate("2.0") == api_newest);
  for (auto bad : {"", "1", "1.", ".4", "1.41x", "a.b", "1.-1", "1.99999999", "1.40", "0.1"})
    CHECK_FALSE(negotiate(bad));
}
