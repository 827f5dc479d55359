#include "tools/zedctl/output/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "messages/base/names.hpp"
#include "tools/zedctl/output/format.hpp"

namespace zedops::ctl {
namespace {

constexpr size_t bar_columns = 20;

std::string words(std::string_view step) {
  std::string out(step);
  std::ranges::replace(out, '_', ' ');
  return out;
}

std::string step_of(const msg::operation_view& op) {
  return words(op.step.empty() || msg::ended(op.status) ? name_of(op.status) : std::string_view(op.step));
}

std::string bar(uint32_t percent) {
  size_t full = std::min<size_t>(percent, 100) * bar_columns / 100;
  std::string out(full, '=');
  if (full < bar_columns) out += '>';
  out.resize(bar_columns, ' ');
  return '[' + out + ']';
}

}  // namespace

progress_view::progress_view(std::ostream& err, progress_options options,
                             std::function<std::chrono::milliseconds()> ticks)
    : err_(err), options_(std::move(options)), ticks_(std::move(ticks)) {}

progress_view::row& progress_view::row_of(const std::string& name) {
  const auto [place, is_new] = places_.try_emplace(name, rows_.size());
  if (is_new) rows_.push_back(row{name, {}, {}, ticks_()});
  return rows_[place->second];
}

std::string progress_view::bar_line(const row& r) const {
  const auto& op = r.op;
  auto line = fmt::format("{}  {}", r.name, step_of(op));
  if (op.progress > 0 && !msg::ended(op.status)) line += fmt::format("  {} {:3}%", bar(op.progress), op.progress);
  if (!op.note.empty()) line += "  " + op.note;
  line += "  " + msg::format_age(ticks_() - r.since);
  return line;
}

void progress_view::update(const std::string& name, const msg::operation_view& op) {
  if (options_.silent) return;
  auto& r = row_of(name);
  auto step = step_of(op);
  if (options_.bars) {
    r.op = op;
    draw();
    return;
  }
  if (step == r.step) return;
  r.step = step;
  err_ << name << ": " << step;
  if (!op.note.empty()) err_ << " (" << op.note << ')';
  err_ << '\n' << std::flush;
}

void progress_view::draw() {
  clear();
  const size_t shown = std::min(rows_.size(), rows_max), width = std::max<size_t>(options_.width(), 2) - 1;
  for (size_t i = 0; i < shown; ++i) {
    auto text = bar_line(rows_[i]);
    for (char& c : text)
      if (static_cast<unsigned char>(c) < 0x20) c = ' ';
    text = cut(text, width);
    drawn_.push_back(columns_of(text));
    err_ << painted(text, style::busy, options_.colour) << '\n';
  }
  if (rows_.size() > shown) {
    err_ << "  and " << rows_.size() - shown << " more\n";
    drawn_.push_back(0);
  }
  err_.flush();
  drawn_at_ = ticks_();
}

void progress_view::tick() {
  constexpr std::chrono::milliseconds redraw_after{1'000};
  if (!drawn_.empty() && ticks_() - drawn_at_ >= redraw_after) draw();
}

void progress_view::clear() {
  if (drawn_.empty()) return;
  size_t lines = 0;  // on the screen: a terminal that was made narrower has wrapped them
  const size_t width = std::max<size_t>(options_.width(), 1);
  for (auto columns : drawn_) lines += std::max<size_t>((columns + width - 1) / width, 1);
  err_ << "\x1b[" << lines << "A\r\x1b[J" << std::flush;
  drawn_.clear();
}

}  // namespace zedops::ctl
