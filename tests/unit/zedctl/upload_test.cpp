// Uploading an archive: pieces in order, a few at once, and lost ones again after a broken connection.
#include <algorithm>
#include <fstream>

#include "messages/base/sha256.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/zedctl/bench.hpp"

using namespace zedops;
using namespace zedops::ctl::test;
using Catch::Matchers::Contains;

namespace {

// A manager that accepts pieces as the real one does.
struct receiving : bench {
  std::string sent, received;
  size_t most_at_once = 0, pieces = 0;
  size_t breaks_at = 0;  // the connection, after this piece
  std::string file = (home / "site.tar").string();

  explicit receiving(size_t bytes) {
    sent.resize(bytes);
    for (size_t i = 0; i < bytes; ++i) sent[i] = static_cast<char>(i * 7 + i / 251);
    std::ofstream(file, std::ios::binary) << sent;
    says("service.get", msg::service_view{});
    manager["upload.begin"] = [this](const seen_request&) { return answers{result_of(view())}; };
    manager["upload.chunk"] = [this](const seen_request& r) {
      most_at_once = std::max(most_at_once, waiting.size() + 1);
      if (++pieces == breaks_at) with.break_next_receive = true;
      const auto c = msg::unpack_map<msg::upload_chunk>(r.body).value();
      if (c.offset > received.size()) return answers{error_of(msg::ec::bad_request, "the piece does not follow")};
      if (c.offset == received.size()) received += c.data;
      return answers{result_of(view())};
    };
    manager["upload.end"] = [this](const seen_request&) {
      auto v = view();
      v.state = msg::upload_state::complete;
      return answers{result_of(v)};
    };
    refuses("deployment.create", msg::ec::busy, "not now");
  }
  msg::upload_view view() const {
    msg::upload_view v;
    v.id.value = "u1";
    v.bytes = sent.size();
    v.received = received.size();
    v.state = msg::upload_state::receiving;
    return v;
  }
  void deploy() { run({"deploy", "shop/web", "--archive", file}); }
};

}  // namespace

TEST_CASE("upload: pieces are sent in order, a few at once, and the deployment names the upload", "[unit][zedctl]") {
  receiving m(21 * msg::upload_chunk_max + 100);
  m.deploy();
  CHECK((m.received == m.sent));
  CHECK(m.pieces == 22);
  CHECK(m.most_at_once == 4);
  CHECK(m.body<msg::deploy_service>("deployment.create").upload == "u1");
}

TEST_CASE("upload: a small archive is known by its hash, and a large one by its file until all is sent",
          "[unit][zedctl]") {
  receiving small(100);
  small.deploy();
  CHECK(small.body<msg::begin_upload>("upload.begin").sha256 == msg::sha256_of_file(small.file).value());
  receiving large(17 * msg::upload_chunk_max);
  large.deploy();
  const auto first = large.body<msg::begin_upload>("upload.begin");
  CHECK(first.sha256.empty());
  CHECK(first.key.size() > 20);
  std::ofstream(large.file, std::ios::app) << "more";
  large.sent += "more";
  large.deploy();
  const auto begun = large.asked("upload.begin");
  REQUIRE(begun.size() == 2);
  CHECK(msg::unpack_map<msg::begin_upload>(begun[1].body).value().key != first.key);
}

TEST_CASE("upload: a manager of the previous release is told the hash of a large archive, too", "[unit][zedctl]") {
  receiving m(17 * msg::upload_chunk_max);
  m.manager["upload.begin"] = [&](const seen_request& r) {
    if (msg::unpack_map<msg::begin_upload>(r.body).value().sha256.empty())
      return answers{error_of(msg::ec::bad_request, "sha256 is not a hash")};
    return answers{result_of(m.view())};
  };
  m.deploy();
  CHECK((m.received == m.sent));
  CHECK(m.asked("deployment.create").size() == 1);
}

TEST_CASE("upload: a large archive that is changed meanwhile is not deployed", "[unit][zedctl]") {
  receiving m(17 * msg::upload_chunk_max);
  m.manager["upload.begin"] = [&](const seen_request&) {
    std::ofstream(m.file, std::ios::in | std::ios::out).write("other", 5);
    return answers{result_of(m.view())};
  };
  m.deploy();
  CHECK(m.asked("upload.end").empty());
  CHECK(m.asked("deployment.create").empty());
  CHECK_THAT(m.err.str(), Contains("was changed while it was uploaded"));
}

TEST_CASE("upload: pieces that a broken connection lost are sent again, until all have arrived", "[unit][zedctl]") {
  for (const size_t n : {1U, 2U, 4U, 5U, 6U}) {  // of six pieces, four at once
    receiving m(6 * msg::upload_chunk_max);
    m.breaks_at = n;
    m.deploy();
    CHECK((m.received == m.sent));
    CHECK(m.asked("deployment.create").size() == 1);
  }
}

TEST_CASE("upload: a file that becomes shorter is not deployed", "[unit][zedctl]") {
  receiving m(9 * msg::upload_chunk_max);
  m.manager["upload.begin"] = [&](const seen_request&) {
    std::filesystem::resize_file(m.file, msg::upload_chunk_max + 7);
    return answers{result_of(m.view())};
  };
  m.deploy();
  CHECK(m.asked("deployment.create").empty());
  CHECK_THAT(m.err.str(), Contains("became shorter"));
}
