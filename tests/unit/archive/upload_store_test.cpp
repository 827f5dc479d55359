// Uploads: resumed after a crash of either end, verified before they count, and kept while something needs them.
#include "persistence/upload_store.hpp"

#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "messages/base/sha256.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

using namespace zedops;
using namespace zedops::msg;
namespace fs = std::filesystem;

namespace {

struct a_store {
  test::temp_dir dir;
  std::unique_ptr<store::upload_store> s;
  std::string text = std::string(3'000'000, 'x');
  time_point now{std::chrono::hours(1'000)};

  a_store() { open(); }
  void open() {
    auto r = store::upload_store::open((dir.path() / "uploads").string());
    REQUIRE(r.has_value());
    s = std::move(*r);
  }
  std::string hash() const {
    sha256 h;
    h.add(text);
    return h.hex();
  }
  upload_view begin() {
    auto v = s->begin({"site.tar.gz", text.size(), hash(), {}}, now);
    REQUIRE(v.has_value());
    return *v;
  }
  upload_view send(const std::string& id, uint64_t from, size_t bytes) {
    auto v = s->add(id, from, text.substr(from, bytes), now);
    REQUIRE(v.has_value());
    return *v;
  }
};

}  // namespace

TEST_CASE_METHOD(a_store, "uploads: sent in pieces with a crash in between, and safe to repeat", "[persistence]") {
  const auto id = begin().id.value;
  send(id, 0, 1 << 20);
  open();
  auto v = begin();
  CHECK(v.id.value == id);
  CHECK(v.received == 1 << 20);
  CHECK(s->end(id).error().code == ec::wrong_state);
  CHECK(s->read(id, 0, 10).error().code == ec::not_found);
  send(id, 0, 1 << 20);  // repeated
  send(id, 1 << 20, 1 << 20);
  CHECK(send(id, 2 << 20, 1 << 20).received == text.size());
  auto done = s->end(id);
  REQUIRE(done.has_value());
  CHECK(done->state == upload_state::complete);
  open();
  CHECK(begin().state == upload_state::complete);
  CHECK(s->end(id)->state == upload_state::complete);
  CHECK(send(id, 0, 10).received == text.size());
  CHECK(*s->read(id, 2'999'990, 100) == std::string(10, 'x'));
}

TEST_CASE_METHOD(a_store, "uploads: a piece that overlaps does not change what has arrived", "[persistence][hostile]") {
  const auto id = begin().id.value;
  send(id, 0, 1 << 20);
  auto other = text.substr(1 << 19, 1 << 20);
  other[5] = 'y';
  REQUIRE(s->add(id, 1 << 19, other, now).has_value());
  for (uint64_t at = 3 << 19; at < text.size(); at += 1 << 20) send(id, at, 1 << 20);
  REQUIRE(s->end(id).has_value());
  CHECK(*s->read(id, 0, text.size()) == text);
}

TEST_CASE_METHOD(a_store, "uploads: gaps, excess, other bytes and other hashes are refused, with how to go on",
                 "[persistence][hostile]") {
  const auto id = begin().id.value;
  auto gap = s->add(id, 5, "x", now);
  REQUIRE_FALSE(gap.has_value());
  CHECK(gap.error().hint == "go on from byte 0");
  CHECK(s->add(id, 0, std::string(upload_chunk_max + 1, 'x'), now).error().code == ec::too_large);
  CHECK(s->add("nothing", 0, "x", now).error().code == ec::not_found);
  CHECK(s->add("../../etc/passwd", 0, "x", now).error().code == ec::not_found);
  CHECK(s->begin({"x", 0, hash(), {}}, now).error().code == ec::bad_request);
  CHECK(s->begin({"x", 1, "nohash", {}}, now).error().code == ec::bad_request);
  CHECK(s->begin({"x", store::upload_bytes_max + 1, hash(), {}}, now).error().code == ec::too_large);
  CHECK(s->begin({"a\nb", 1, hash(), {}}, now).error().code == ec::bad_request);
  text[7] = 'y';  // other bytes than announced
  for (uint64_t at = 0; at < text.size(); at += 1 << 20) send(id, at, 1 << 20);
  CHECK(s->end(id).error().code == ec::bad_request);
  CHECK(s->find(id)->received == 0);
  text[7] = 'x';
  for (uint64_t at = 0; at < text.size(); at += 1 << 20) send(id, at, 1 << 20);
  CHECK(s->end(id).has_value());
}

TEST_CASE_METHOD(a_store, "uploads: one that is not needed is removed after a day, and its space is freed",
                 "[persistence]") {
  const auto id = begin().id;
  send(id.value, 0, 100);
  const auto needs = [&](bool yes) { return [yes](const upload_id&) { return yes; }; };
  s->collect(now + std::chrono::hours(23), needs(false));
  CHECK(s->find(id.value));
  s->collect(now + std::chrono::hours(25), needs(true));
  CHECK(s->find(id.value));
  s->collect(now + std::chrono::hours(48), needs(false));
  CHECK(s->find(id.value));  // it was needed a day ago
  s->collect(now + std::chrono::hours(50), needs(false));
  CHECK_FALSE(s->find(id.value));
  CHECK(fs::is_empty(dir.path() / "uploads"));
  CHECK(s->remove(id.value).error().code == ec::not_found);
}

TEST_CASE_METHOD(a_store, "uploads: one that is begun again or continued is kept for another day, also after a restart",
                 "[persistence]") {
  const auto nobody = [](const upload_id&) { return false; };
  const auto began = now;
  const auto id = begin().id.value;
  now = began + std::chrono::hours(20);
  SECTION("begun again") { begin(); }
  SECTION("continued") { send(id, 0, 100); }
  open();
  s->collect(began + std::chrono::hours(43), nobody);
  CHECK(s->find(id));
  s->collect(began + std::chrono::hours(45), nobody);
  CHECK_FALSE(s->find(id));
}

TEST_CASE_METHOD(a_store, "uploads: one begun with a key is resumed by it, and its hash is known at the end",
                 "[persistence]") {
  const auto by_key = [&](const std::string& key) { return s->begin({"site.tar.gz", text.size(), {}, key}, now); };
  const auto id = by_key("this file")->id.value;
  CHECK(by_key("another")->id.value != id);
  CHECK(id != begin().id.value);
  send(id, 0, 1 << 20);
  open();
  CHECK(by_key("this file")->received == 1 << 20);
  send(id, 1 << 20, 1 << 20);
  send(id, 2 << 20, 1 << 20);
  CHECK(s->end(id)->sha256 == hash());
  CHECK(s->end(id)->sha256 == hash());  // repeated
  open();
  const auto again = by_key("this file");
  REQUIRE(again.has_value());
  CHECK(again->state == upload_state::complete);
  CHECK(again->sha256 == hash());
  CHECK(by_key("").error().code == ec::bad_request);
  CHECK(by_key(std::string(201, 'k')).error().code == ec::bad_request);
}

TEST_CASE_METHOD(a_store, "uploads: what could not be written does not count for the hash", "[persistence]") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const auto id = s->begin({"site.tar.gz", text.size(), {}, "key"}, now)->id.value;
  send(id, 0, 1 << 20);
  const rlimit full{(1 << 20) + 1000, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &full) == 0);
  const bool refused = !s->add(id, 1 << 20, std::string(1 << 20, 'y'), now);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, handler);
  CHECK(refused);
  send(id, 1 << 20, 1 << 20);
  send(id, 2 << 20, 1 << 20);
  CHECK(s->end(id)->sha256 == hash());
}

TEST_CASE_METHOD(a_store, "uploads: without a hash, what arrived before a reboot does not count", "[persistence]") {
  const auto id = s->begin({"site.tar.gz", text.size(), {}, "key"}, now)->id.value;
  send(id, 0, 1 << 20);
  const auto about = dir.path() / "uploads" / (id + ".about");
  std::string lines, line;
  {
    std::ifstream in(about);
    for (int n = 0; n < 4 && std::getline(in, line); ++n) lines += line + "\n";
  }
  std::ofstream(about) << lines << "another-boot\n";
  open();
  CHECK(s->find(id)->received == 0);
  for (uint64_t at = 0; at < text.size(); at += 1 << 20) send(id, at, 1 << 20);
  CHECK(s->end(id)->sha256 == hash());
}

TEST_CASE_METHOD(a_store, "uploads: pieces of several that arrive faster than they are hashed are hashed in order",
                 "[persistence]") {
  for (size_t i = 0; i < text.size(); i += 7) text[i] = static_cast<char>(i >> 8);
  const auto one = s->begin({"one", text.size(), {}, "k1"}, now).value().id.value;
  const auto gone = s->begin({"gone", text.size(), {}, "k2"}, now).value().id.value;
  const auto two = s->begin({"two", text.size(), {}, "k3"}, now).value().id.value;
  constexpr size_t piece = 100'000;
  for (size_t at = 0; at < text.size(); at += piece)
    for (const auto& id : {one, gone, two}) send(id, at, piece);
  CHECK(s->remove(gone).has_value());  // while its last pieces may still be hashed
  CHECK(s->end(one).value().sha256 == hash());
  CHECK(s->end(two).value().sha256 == hash());
}
