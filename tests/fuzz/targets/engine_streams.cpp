// Streams of an Engine: [which][size of pieces][bytes]. Where a stream is cut does not change its content.
#include "integration/docker/engine_json.hpp"
#include "integration/docker/http/streams.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace zedops;
using namespace zedops::docker;

namespace {

struct texts {
  std::string out, err;
  bool understood = true;
  friend bool operator==(const texts&, const texts&) = default;
};

texts demultiplex(std::string_view bytes, size_t piece) {
  texts t;
  log_demux demux;
  t.understood = fuzz::in_pieces(bytes, piece, [&](std::string_view part) {
    return demux.feed(part, [&](output o, std::string_view s) { (o == output::out ? t.out : t.err) += s; });
  });
  return t;
}

void log(std::string_view bytes, size_t piece, log_reader::format format) {
  log_reader reader(format, [](output, std::string_view line) { FUZZ_CHECK(line.size() <= line_max); });
  (void)fuzz::in_pieces(bytes, piece, [&](std::string_view part) { return reader.feed(part); });
  reader.finish();
}

std::string lines_of(std::string_view bytes, size_t piece) {
  std::string all;
  line_splitter splitter(64, line_splitter::overflow::refuse);
  const auto sink = [&](std::string_view line) { all.append(line) += '\n'; };
  if (!fuzz::in_pieces(bytes, piece, [&](std::string_view part) { return splitter.feed(part, sink); }))
    return "refused";
  splitter.finish(sink);
  return all;
}

void pull(std::string_view bytes, size_t piece) {
  pull_progress progress;
  double before = 0;
  line_splitter splitter(json_line_max, line_splitter::overflow::refuse);
  (void)fuzz::in_pieces(bytes, piece, [&](std::string_view part) {
    return splitter.feed(part, [&](std::string_view line) {
      (void)progress.feed(line);
      const auto now = progress.state().fraction;
      FUZZ_CHECK(now >= before && now <= 1.0);
      before = now;
    });
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::input in(data, size);
  const auto which = in.byte() % 5;
  const size_t piece = in.byte();
  const auto bytes = in.rest();
  switch (which) {
    case 0: FUZZ_CHECK(demultiplex(bytes, piece) == demultiplex(bytes, 0)); break;
    case 1: log(bytes, piece, log_reader::format::frames); break;
    case 2: log(bytes, piece, log_reader::format::raw); break;
    case 3: FUZZ_CHECK(lines_of(bytes, piece) == lines_of(bytes, 0)); break;
    default: pull(bytes, piece);
  }
  return 0;
}
