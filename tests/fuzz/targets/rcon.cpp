// Bytes of an RCON console: [size of pieces][stream]. Cut anywhere they give the same packets, and the same end.
#include "integration/rcon/rcon_packet.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace zedops;
using namespace zedops::rcon;

namespace {

std::string read_all(std::string_view bytes, size_t piece) {
  std::string all;
  packet_reader reader;
  const bool spoken = fuzz::in_pieces(bytes, piece, [&](std::string_view part) {
    reader.feed(part);
    for (;;) {
      auto next = reader.next();
      if (!next) return false;
      if (!*next) return true;
      const auto& p = **next;
      FUZZ_CHECK(p.body.size() <= packet_bytes_max);
      all += std::to_string(p.id) + ' ' + std::to_string(p.type) + ' ' + p.body + '\n';
    }
  });
  return spoken ? all : all + "?";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::input in(data, size);
  const size_t piece = in.byte();
  FUZZ_CHECK(read_all(in.rest(), piece) == read_all(in.rest(), 0));
  auto body = in.rest().substr(0, 4096);
  while (body.ends_with('\0')) body.remove_suffix(1);  // any number of zeros at the end of a text are terminators
  packet_reader reader;
  reader.feed(encode(7, packet_type::command, body));
  const auto p = reader.next();
  FUZZ_CHECK(p && *p && (*p)->id == 7 && (*p)->body == body);
  return 0;
}
