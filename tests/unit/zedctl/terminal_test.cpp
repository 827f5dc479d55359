// What depends on a terminal: the width of characters, bars that are redrawn.
#include "tests/support/catch.hpp"
#include "tests/unit/zedctl/bench.hpp"
#include "tools/zedctl/output/format.hpp"
#include "tools/zedctl/output/progress.hpp"

using namespace zedops;
using namespace zedops::ctl;
using namespace zedops::ctl::test;
using Catch::Matchers::Contains;
using msg::op_kind;

TEST_CASE("cut: never in the middle of a character", "[unit][zedctl]") {
  CHECK(cut("abc", 3) == "abc");
  CHECK(cut("abcd", 3) == "ab…");
  CHECK(cut("●●●●", 3) == "●●…");
  CHECK(columns_of("● running") == 9);
  CHECK(columns_of("日本") == 4);  // two columns each
  CHECK(columns_of("e\u0301") == 1);
  CHECK(columns_of("\xff\xfe") == 2);  // no UTF-8
  CHECK(cut("日本語", 6) == "日本語");
  CHECK(cut("日本語", 5) == "日本…");
  CHECK(cut("日本語", 4) == "日…");
}

TEST_CASE("progress: the clock beside a bar goes on without new progress", "[unit][zedctl]") {
  std::ostringstream err;
  milliseconds clock{0};
  progress_view view(err, {.bars = true}, [&] { return clock; });
  view.update("pz1", operation(op_kind::stop, msg::op_status::running, "saving"));
  clock = 500ms;
  view.tick();
  CHECK(err.str() == "pz1  saving  0s\n");
  clock = 7s;
  view.tick();
  CHECK_THAT(err.str(), Contains("pz1  saving  7s\n"));
}

TEST_CASE("progress: when a terminal was made narrower, all lines of the wrapped bars are removed", "[unit][zedctl]") {
  std::ostringstream err;
  unsigned width = 80;
  progress_view view(err, {.bars = true, .width = [&] { return width; }}, [] { return 0ms; });
  auto op = operation(op_kind::stop, msg::op_status::running, "saving");
  op.note = std::string(100, 'x');
  view.update("pz1", op);
  width = 30;  // 79 columns are three lines now
  view.clear();
  CHECK(err.str().ends_with("\x1b[3A\r\x1b[J"));
  view.update("pz1", op);
  view.clear();
  CHECK(err.str().ends_with("\x1b[1A\r\x1b[J"));
}

TEST_CASE("progress: many operations do not fill the screen", "[unit][zedctl]") {
  std::ostringstream err;
  {
    progress_view view(err, {.bars = true}, [] { return 0ms; });
    for (int i = 0; i < 30; ++i)
      view.update("pz" + std::to_string(i), operation(op_kind::stop, msg::op_status::running, "saving"));
  }
  CHECK_THAT(err.str(), Contains("and 18 more"));
}
