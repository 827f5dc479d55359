// Pieces of uploads: a few are requested at once, and arrive in order whatever happens to their answers.
#include "actors/agent/deploy/upload_fetcher.hpp"

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "actors/agent/lanes/cancel_token.hpp"
#include "tests/support/catch.hpp"

using namespace zedops;
using namespace zedops::msg;
using namespace std::chrono_literals;

namespace {

constexpr size_t piece = upload_piece_max;

// Answers are given as the test says, once the fetcher has sent all its simultaneous requests.
struct manager {
  std::string bytes;
  std::vector<fetch_upload> asked;
  std::string taken;
  agent::cancel_token cancel;
  agent::upload_fetcher fetcher{20ms};
  std::function<void(const fetch_upload&)> on_question = [this](const fetch_upload& q) { answer(q, piece); };
  std::vector<std::thread> answering;

  explicit manager(size_t size) {
    bytes.resize(size);
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
    fetcher.send_by([this](fetch_upload q) {
      asked.push_back(q);
      answering.emplace_back([this, q] { on_question(q); });
    });
  }
  manager(const manager&) = delete;
  manager& operator=(const manager&) = delete;

  void answer(const fetch_upload& q, size_t size) { fetcher.answered({q.request, bytes.substr(q.offset, size), {}}); }
  result<void> read(uint64_t from = 0) { return read(from, bytes.size()); }
  result<void> read(uint64_t from, uint64_t to) {
    auto done = fetcher.read(upload_id{"u1"}, from, to, cancel, [this](std::string_view data) -> result<void> {
      taken += data;
      return {};
    });
    for (auto& t : answering) t.join();
    answering.clear();
    return done;
  }
};

}  // namespace

TEST_CASE("upload fetcher: every piece is requested once, and all arrive in order", "[unit][agent]") {
  manager m(9 * piece + 100);
  REQUIRE(m.read());
  CHECK((m.taken == m.bytes));
  CHECK(m.asked.size() == 10);
  m.taken.clear();
  REQUIRE(m.read(3 * piece + 5));
  CHECK((m.taken == m.bytes.substr(3 * piece + 5)));
}

TEST_CASE("upload fetcher: a lost piece, and the rest after a short one, is requested again", "[unit][agent]") {
  manager m(9 * piece);
  std::atomic<int> n = 0;
  m.on_question = [&](const fetch_upload& q) {
    const auto k = n++;
    if (k % 5 == 1) return;  // lost
    m.answer(q, k % 3 == 2 ? piece / 2 + 1 : piece);
  };
  REQUIRE(m.read());
  CHECK((m.taken == m.bytes));
}

TEST_CASE("upload fetcher: on a slow line a late answer to the first request counts", "[unit][agent]") {
  manager m(3 * piece);
  std::mutex mutex;
  std::map<uint64_t, fetch_upload> first;  // by offset; answered when the same piece is requested again
  m.on_question = [&](const fetch_upload& q) {
    std::unique_lock lock(mutex);
    if (!first.try_emplace(q.offset, q).second) m.answer(first.at(q.offset), piece);
  };
  REQUIRE(m.read());
  CHECK((m.taken == m.bytes));
}

TEST_CASE("upload fetcher: a refusal, an upload that is too short and a cancellation end it", "[unit][agent]") {
  manager m(3 * piece);
  CHECK(m.read(0, 4 * piece).error().code == ec::bad_request);
  m.on_question = [&](const fetch_upload& q) {
    m.fetcher.answered({q.request, {}, error{ec::not_found, "the upload is gone", "", {}}});
  };
  CHECK(m.read().error().code == ec::not_found);
  m.on_question = [&](const fetch_upload&) { m.cancel.cancel(); };
  CHECK(m.read().error().code == ec::cancelled);
}
