// Sends an archive to the manager, in pieces; interrupted anywhere, it continues from where it was.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <filesystem>
#include <fstream>
#include <functional>

#include "messages/base/names.hpp"
#include "messages/base/sha256.hpp"
#include "messages/wire/codec.hpp"
#include "tools/zedctl/output/progress.hpp"
#include "tools/zedctl/verbs/verbs_deploy.hpp"

namespace zedops::ctl {

namespace {

constexpr uint64_t hashed_first_max = 16 << 20;  // hashing a larger file first would delay it noticeably
constexpr msg::duration pieces_time_max{600'000};
constexpr size_t pieces_min = 16;  // together under that limit: 0.25 Mbit/s are enough
constexpr size_t pieces_max = 64;  // once they have proved to be fast
constexpr std::chrono::seconds fast{10};
constexpr size_t pieces_at_once = 4;  // in flight, so that none waits for the answer to another

// Other contents make another text, which is known without reading the file.
std::string identity_of(const std::string& file) {
  struct stat st {};
  char host[HOST_NAME_MAX + 1] = {};
  if (::stat(file.c_str(), &st) != 0 || ::gethostname(host, HOST_NAME_MAX) != 0) return {};
  const auto time = [](const timespec& t) { return fmt::format("{}.{:09}", t.tv_sec, t.tv_nsec); };
  return fmt::format("{}:{}:{}:{}:{}", host, st.st_dev, st.st_ino, time(st.st_mtim), time(st.st_ctim));
}

// Begins the upload, or finds what has arrived of it. A file that does not last is known by its hash only.
msg::result<msg::upload_view> begin(session& s, msg::begin_upload& what, const std::string& file, bool lasts) {
  if (lasts && what.bytes > hashed_first_max) {
    what.key = identity_of(file);
    auto begun = s.ask<msg::upload_view>("upload.begin", what);
    if (begun || begun.error().code != msg::ec::bad_request) return begun;
    what.key.clear();  // a manager of the previous release needs the hash
  }
  auto hash = msg::sha256_of_file(file);
  if (!hash) return msg::fail(hash.error());
  what.sha256 = *hash;
  return s.ask<msg::upload_view>("upload.begin", what);
}

// Sends the next pieces of a file; returns what the manager has then. `told` is called with its size after each piece.
msg::result<msg::upload_view> send_pieces(session& s, std::ifstream& in, const std::string& file,
                                          const msg::upload_view& at, size_t pieces,
                                          const std::function<void(uint64_t)>& told) {
  std::vector<exchange> all;
  std::string buffer;  // of one piece after the other
  bool shorter = false;
  for (auto offset = at.received; all.size() < pieces && offset < at.bytes;) {
    const auto size = std::min<uint64_t>(msg::upload_chunk_max, at.bytes - offset);
    exchange x;
    x.name = at.name;
    x.verb = "upload.chunk";
    x.expect = answer::patient;  // on a slow line a piece takes long
    x.make_body = [&in, &shorter, &buffer, id = at.id.value, offset, size] {
      msg::upload_chunk c{id, offset, std::move(buffer)};
      c.data.resize(size);
      in.clear();
      in.seekg(static_cast<std::streamoff>(offset));
      in.read(c.data.data(), static_cast<std::streamsize>(size));
      shorter = shorter || in.gcount() != static_cast<std::streamsize>(size);
      auto body = msg::pack_map(c);
      buffer = std::move(c.data);
      return body;
    };
    x.options = s.packed_options(false);
    offset += size;
    all.push_back(std::move(x));
  }
  exchange_listener listener;
  listener.ended = [&](size_t n) {
    if (auto now = all[n].outcome->and_then(msg::unpack_map<msg::upload_view>)) told(now->received);
  };
  const auto end = s.run(all, listener, s.flags().timeout.value_or(pieces_time_max), pieces_at_once);
  if (shorter)
    return msg::fail(msg::ec::wrong_state, file + " became shorter while it was uploaded",
                     "deploy it again while nothing writes to it");
  if (end == ending::interrupted) return msg::fail(msg::ec::cancelled, "interrupted");
  if (end == ending::timed_out)
    return msg::fail(msg::ec::timeout, "the manager did not receive the pieces of " + at.name + " in time",
                     "run the same command again: it continues where it stopped");
  msg::upload_view last = at;
  for (auto& x : all) {
    auto now = x.outcome->and_then(msg::unpack_map<msg::upload_view>);
    if (!now) return now;
    last = std::move(*now);
  }
  return last;
}

}  // namespace

msg::result<std::string> send_upload(session& s, const std::string& file, const std::string& called, bool lasts) {
  std::error_code problem;
  const auto size = std::filesystem::file_size(file, problem);
  if (problem)
    return msg::fail(msg::ec::not_found, file + ": " + problem.message(),
                     "name an archive: tar, tar.gz, tar.zst or zip");
  msg::begin_upload what{called, size, {}, {}};
  auto at = begin(s, what, file, lasts);
  if (!at) return msg::fail(at.error());
  std::ifstream in(file, std::ios::binary);
  auto& w = s.outside();
  progress_options how{w.err_tty, s.colour_err(), !w.err_tty && (s.machine() || s.flags().quiet), w.width};
  progress_view view(w.err, how, w.ticks);
  msg::operation_view shown;
  shown.status = msg::op_status::running;
  shown.step = "uploading";
  size_t pieces = pieces_min;
  while (at->state != msg::upload_state::complete && at->received < size) {
    const auto before = at->received;
    const auto begun = std::chrono::steady_clock::now();
    auto sent = send_pieces(s, in, file, *at, pieces, [&](uint64_t received) {
      shown.progress = static_cast<uint32_t>(received * 100 / size);
      shown.note = msg::format_bytes(received) + " of " + msg::format_bytes(size);
      view.update(called, shown);
    });
    // Pieces were lost with a connection, or another client uploads the same: the manager says what it has received.
    if (!sent && sent.error().code == msg::ec::bad_request) sent = s.ask<msg::upload_view>("upload.begin", what);
    if (sent && sent->received <= before && sent->state != msg::upload_state::complete)
      return msg::fail(msg::ec::internal, "the upload of " + called + " makes no progress",
                       "run the same command again");
    if (!sent) return msg::fail(sent.error());
    at = std::move(sent);
    pieces = std::chrono::steady_clock::now() - begun < fast ? std::min(2 * pieces, pieces_max) : pieces_min;
  }
  if (!what.key.empty() && identity_of(file) != what.key)
    return msg::fail(msg::ec::wrong_state, file + " was changed while it was uploaded",
                     "deploy it again while nothing writes to it");
  if (at->state != msg::upload_state::complete)
    at = s.ask<msg::upload_view>("upload.end", msg::end_upload{at->id.value}, patient_read_max);
  if (!at) return msg::fail(at.error());
  return at->id.value;
}

}  // namespace zedops::ctl
