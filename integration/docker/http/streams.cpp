#include "integration/docker/http/streams.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "integration/docker/json_read.hpp"

namespace zedops::docker {

bool line_splitter::feed(std::string_view bytes, const sink& on_line) {
  auto tell = [&](std::string_view line) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    on_line(line);
  };
  while (!bytes.empty()) {
    auto end = bytes.find('\n');
    auto piece = bytes.substr(0, end);
    if (rest_.size() + piece.size() > max_) {
      if (rule_ == overflow::refuse) return false;
      auto room = max_ - rest_.size();
      rest_.append(piece.substr(0, room));
      on_line(rest_);
      rest_.clear();
      bytes.remove_prefix(room);
      continue;
    }
    if (end == std::string_view::npos) {
      rest_.append(piece);
      return true;
    }
    if (rest_.empty()) {
      tell(piece);
    } else {
      rest_.append(piece);
      tell(rest_);
      rest_.clear();
    }
    bytes.remove_prefix(end + 1);
  }
  return true;
}

void line_splitter::finish(const sink& on_line) {
  if (rest_.empty()) return;
  on_line(rest_);
  rest_.clear();
}

bool log_demux::feed(std::string_view bytes, const sink& on_bytes) {
  while (!bytes.empty()) {
    if (left_ > 0) {
      auto part = bytes.substr(0, static_cast<std::size_t>(std::min<uint64_t>(left_, bytes.size())));
      on_bytes(stream_, part);
      left_ -= part.size();
      bytes.remove_prefix(part.size());
      continue;
    }
    header_[have_++] = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    if (have_ < header_.size()) continue;
    have_ = 0;
    // 0 is the echo of stdin, 3 an error text of the Engine itself: both are for the reader of the log.
    if (header_[0] > 3 || header_[1] != 0 || header_[2] != 0 || header_[3] != 0) return false;
    stream_ = header_[0] >= 2 ? output::err : output::out;
    left_ = uint64_t{header_[4]} << 24 | uint64_t{header_[5]} << 16 | uint64_t{header_[6]} << 8 | header_[7];
  }
  return true;
}

line_splitter::sink log_reader::sink(output stream) {
  return [this, stream](std::string_view line) { on_line_(stream, line); };
}

bool log_reader::pass(output stream, std::string_view bytes) {
  return (stream == output::out ? out_ : err_).feed(bytes, sink(stream));
}

bool log_reader::feed(std::string_view bytes) {
  if (format_ == format::raw) return pass(output::out, bytes);
  bool passed = true;
  return demux_.feed(bytes, [&](output stream, std::string_view part) { passed = pass(stream, part) && passed; }) &&
         passed;
}

void log_reader::finish() {
  out_.finish(sink(output::out));
  err_.finish(sink(output::err));
}

pull_progress::news pull_progress::feed(std::string_view line) {
  auto doc = json::parse_object(line);
  if (!doc) {
    if (failure_.empty()) failure_ = "the Engine's progress messages cannot be read";
    return news::none;
  }
  if (auto detail = json::child(*doc, "errorDetail")) failure_ = json::text(*detail, "message");
  if (failure_.empty()) failure_ = json::text(*doc, "error");
  if (!failure_.empty()) return news::none;

  state_.status = json::text(*doc, "status");
  auto id = json::text(*doc, "id");
  // The tag itself reports with an id too ("Pulling from …"): it is no layer.
  bool is_layer = !id.empty() && state_.status.rfind("Pulling from", 0) != 0;
  if (is_layer && (layers_.size() < layers_max || layers_.count(id))) {
    auto& l = layers_[id];
    uint64_t current = 0, total = 0;
    if (auto detail = json::child(*doc, "progressDetail")) {
      current = json::number(*detail, "current");
      total = json::number(*detail, "total");
    }
    double share = total > 0 ? std::min(1.0, static_cast<double>(current) / static_cast<double>(total)) : 0;
    double part = l.part;
    if (state_.status == "Downloading") {
      l.total = std::max(l.total, total);
      l.current = std::min(std::max(l.current, current), std::max(l.total, current));
      part = 0.7 * share;
    } else if (state_.status == "Verifying Checksum" || state_.status == "Download complete") {
      l.current = l.total;
      part = 0.7;
    } else if (state_.status == "Extracting") {
      l.current = l.total;
      part = 0.7 + 0.3 * share;
    } else if (state_.status == "Pull complete" || state_.status == "Already exists") {
      l.current = l.total;
      part = 1;
    }
    l.part = std::max(l.part, part);
  }
  sum();
  auto percent = static_cast<int>(state_.fraction * 100);
  if (percent == told_percent_ && state_.status == told_status_) return news::none;
  told_percent_ = percent;
  told_status_ = state_.status;
  return news::progress;
}

// Layers of unknown size weigh as much as the average of the known ones.
void pull_progress::sum() {
  uint64_t done = 0, total = 0, sized = 0;
  for (const auto& [id, l] : layers_) {
    done += l.current;
    total += l.total;
    sized += l.total > 0;
  }
  double average = sized > 0 ? static_cast<double>(total) / static_cast<double>(sized) : 1;
  double weight = 0, parts = 0;
  for (const auto& [id, l] : layers_) {
    double w = l.total > 0 ? static_cast<double>(l.total) : average;
    weight += w;
    parts += w * l.part;
  }
  state_.done_bytes = done;
  state_.total_bytes = total;
  if (weight > 0) state_.fraction = std::max(state_.fraction, std::min(1.0, parts / weight));
}

void build_output::feed(std::string_view line) {
  auto doc = json::parse_object(line);
  if (!doc) return;
  if (auto detail = json::child(*doc, "errorDetail")) failure_ = json::text(*detail, "message");
  if (failure_.empty()) failure_ = json::text(*doc, "error");
  if (auto aux = json::child(*doc, "aux"))
    if (auto id = json::text(*aux, "ID"); !id.empty()) image_ = std::move(id);
  const auto pass_on = [this](std::string_view text) {
    if (on_line_) on_line_(output::out, text);
  };
  (void)lines_.feed(json::text(*doc, "stream"), pass_on);
  // Of images that it pulls.
  if (auto status = json::text(*doc, "status"); !status.empty() && !json::child(*doc, "progressDetail"))
    pass_on(json::text(*doc, "id").empty() ? status : json::text(*doc, "id") + ": " + status);
}

void build_output::finish() {
  lines_.finish([this](std::string_view text) {
    if (on_line_) on_line_(output::out, text);
  });
}

}  // namespace zedops::docker
