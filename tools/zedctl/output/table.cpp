#include "tools/zedctl/output/table.hpp"

#include <algorithm>

namespace zedops::ctl {
namespace {

constexpr size_t gap = 2;

}  // namespace

void make_harmless(std::string& text, bool keep_lines) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    if (c == '\n' && keep_lines) continue;
    if (c < 0x20 || c == 0x7f) text[i] = ' ';
    if (c == 0xc2 && next >= 0x80 && next < 0xa0) text[i] = text[i + 1] = ' ';  // the C1 control characters, in UTF-8
  }
}

table::table(std::vector<std::string_view> headers) : headers_(std::move(headers)), widths_(headers_.size()) {
  for (size_t i = 0; i < headers_.size(); ++i) widths_[i] = headers_[i].size();
}

void table::add(std::vector<phrase> row) {
  row.resize(headers_.size());
  for (size_t i = 0; i < row.size(); ++i) {
    make_harmless(row[i].text);
    widths_[i] = std::max(widths_[i], columns_of(row[i].text));
    cells_.push_back(std::move(row[i]));
  }
}

void table::append(std::string& line, std::string_view text, style how, size_t column,
                   const table_options& options) const {
  line += options.colour ? painted(text, how, true) : std::string(text);
  if (column + 1 < headers_.size()) line.append(widths_[column] - columns_of(text) + gap, ' ');
}

std::string table::render(const table_options& options) {
  std::string out;
  size_t line_width = 0;
  for (size_t w : widths_) line_width += w + gap;
  out.reserve((rows() + 1) * (line_width + 4));
  bool narrow = options.width > 0 && line_width - gap > options.width;
  auto write = [&](auto cell_of) {
    size_t start = out.size(), left = options.width;
    for (size_t i = 0; i < headers_.size(); ++i) {
      auto [text, how] = cell_of(i);
      if (!narrow) {
        append(out, text, how, i, options);
        continue;
      }
      auto shown = cut(text, left);
      append(out, shown, how, i, options);
      left -= std::min(left, std::max(columns_of(shown), widths_[i]) + gap);
      if (left == 0) break;
    }
    while (out.size() > start && out.back() == ' ') out.pop_back();
    out += '\n';
  };
  if (options.headers && !continued_)
    write([&](size_t i) { return std::pair<std::string_view, style>(headers_[i], style::strong); });
  for (size_t r = 0; r < rows(); ++r)
    write([&](size_t i) {
      const auto& cell = cells_[r * headers_.size() + i];
      return std::pair<std::string_view, style>(cell.text.empty() ? "-" : std::string_view(cell.text), cell.how);
    });
  return out;
}

void table::next() {
  cells_.clear();
  continued_ = true;
}

void sheet::add(std::string_view label, std::string value, style how) {
  if (value.empty()) return;
  make_harmless(value);
  rows_.push_back({std::string(label) + ':', std::move(value), how});
}

void sheet::section(std::string_view title, std::string text) {
  if (!text.empty()) sections_.emplace_back(title, std::move(text));
}

std::string sheet::render(bool colour) const {
  size_t width = 0;
  for (const auto& r : rows_) width = std::max(width, columns_of(r.label));
  std::string out;
  for (const auto& r : rows_) {
    out += painted(r.label, style::strong, colour);
    out.append(width - columns_of(r.label) + gap, ' ');
    out += painted(r.value, r.how, colour) + '\n';
  }
  for (const auto& [title, text] : sections_) {
    out += '\n' + painted(title, style::strong, colour) + '\n';
    size_t at = 0;
    while (at < text.size()) {
      auto end = std::min(text.find('\n', at), text.size());
      out += "  " + text.substr(at, end - at) + '\n';
      at = end + 1;
    }
  }
  return out;
}

}  // namespace zedops::ctl
