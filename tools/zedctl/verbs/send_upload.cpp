// An archive on its way to the manager, in pieces; cut short anywhere it goes on from where it was.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "messages/base/names.hpp"
#include "messages/base/sha256.hpp"
#include "messages/wire/codec.hpp"
#include "tools/zedctl/output/progress.hpp"
#include "tools/zedctl/verbs/verbs_deploy.hpp"

namespace zedops::ctl {

namespace {

constexpr msg::duration pieces_time_max{120'000};
constexpr size_t pieces_at_once = 4;  // on their way together, so that none waits for the answer to another

// The next pieces of a file; what the manager has then.
msg::result<msg::upload_view> send_pieces(session& s, std::ifstream& in, const std::string& file,
                                          const msg::upload_view& at) {
  std::vector<exchange> all;
  in.clear();
  in.seekg(static_cast<std::streamoff>(at.received));
  for (auto offset = at.received; all.size() < pieces_at_once && offset < at.bytes;) {
    std::string piece(msg::upload_chunk_max, '\0');
    in.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    piece.resize(static_cast<size_t>(std::max<std::streamsize>(in.gcount(), 0)));
    if (piece.empty())
      return msg::fail(msg::ec::bad_request, file + " became shorter while it was sent",
                       "send it when nobody writes to it");
    exchange x;
    x.name = at.name;
    x.verb = "upload.chunk";
    x.body = msg::pack_map(msg::upload_chunk{at.id.value, offset, piece});
    x.options = s.packed_options(false);
    offset += piece.size();
    all.push_back(std::move(x));
  }
  const auto end = s.run(all, {}, s.flags().timeout.value_or(pieces_time_max));
  if (end == ending::interrupted) return msg::fail(msg::ec::cancelled, "interrupted");
  if (end == ending::timed_out)
    return msg::fail(msg::ec::timeout, "the manager did not take a piece of " + at.name + " in time",
                     "the same command goes on where it ended");
  msg::upload_view last = at;
  for (auto& x : all) {
    auto now = x.outcome->and_then(msg::unpack_map<msg::upload_view>);
    if (!now) return now;
    last = std::move(*now);
  }
  return last;
}

}  // namespace

msg::result<std::string> send_upload(session& s, const std::string& file, const std::string& called) {
  std::error_code problem;
  const auto size = std::filesystem::file_size(file, problem);
  if (problem)
    return msg::fail(msg::ec::not_found, file + ": " + problem.message(),
                     "name an archive: tar, tar.gz, tar.zst or zip");
  auto hash = msg::sha256_of_file(file);
  if (!hash) return msg::fail(hash.error());
  auto at = s.ask<msg::upload_view>("upload.begin", msg::begin_upload{called, size, *hash});
  if (!at) return msg::fail(at.error());
  std::ifstream in(file, std::ios::binary);
  auto& w = s.outside();
  progress_options how{w.err_tty, s.colour_err(), !w.err_tty && (s.machine() || s.flags().quiet), w.width};
  progress_view view(w.err, how, w.ticks);
  msg::operation_view shown;
  shown.status = msg::op_status::running;
  shown.step = "uploading";
  while (at->state != msg::upload_state::complete && at->received < size) {
    const auto before = at->received;
    auto sent = send_pieces(s, in, file, *at);
    // What came between was lost with a connection, or another end sends the same: what is there is the manager's word.
    if (!sent && sent.error().code == msg::ec::bad_request)
      sent = s.ask<msg::upload_view>("upload.begin", msg::begin_upload{called, size, *hash});
    if (sent && sent->received <= before && sent->state != msg::upload_state::complete)
      return msg::fail(msg::ec::internal, "the manager takes no more of " + called, "send it again");
    if (!sent) return msg::fail(sent.error());
    at = std::move(sent);
    shown.progress = static_cast<uint32_t>(at->received * 100 / size);
    shown.note = msg::format_bytes(at->received) + " of " + msg::format_bytes(size);
    view.update(called, shown);
  }
  if (at->state != msg::upload_state::complete)
    at = s.ask<msg::upload_view>("upload.end", msg::end_upload{at->id.value}, patient_read_max);
  if (!at) return msg::fail(at.error());
  return at->id.value;
}

}  // namespace zedops::ctl
