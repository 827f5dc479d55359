// Tables without borders: a line of capitals, columns as wide as their widest cell, two blanks between.
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "tools/zedctl/output/format.hpp"

namespace zedops::ctl {

struct table_options {
  bool headers = true;
  bool colour = false;
  size_t width = 0;  // columns of the terminal; zero: nothing is cut
};

// Foreign text must not move the cursor, colour the screen or rename the window: control characters become blanks.
void make_harmless(std::string& text, bool keep_lines = false);

class table {
 public:
  explicit table(std::vector<std::string_view> headers);
  void reserve(size_t rows) { cells_.reserve(rows * headers_.size()); }
  // Missing cells are empty; control characters are replaced, so that no text can move the cursor.
  void add(std::vector<phrase> row);
  bool empty() const { return cells_.empty(); }
  size_t rows() const { return cells_.size() / headers_.size(); }
  // Widths only grow: rows that are rendered later line up with the earlier ones as far as they can.
  std::string render(const table_options& options);
  // Forgets the rows, keeps the widths and leaves out the headers from now on.
  void next();

 private:
  void append(std::string& line, std::string_view text, style how, size_t column, const table_options& options) const;

  std::vector<std::string_view> headers_;
  std::vector<phrase> cells_;
  std::vector<size_t> widths_;
  bool continued_ = false;
};

// "NAME:   value" lines of a describe screen, values aligned. Rows with an empty value are left out.
class sheet {
 public:
  void add(std::string_view label, std::string value, style how = style::plain);
  void section(std::string_view title, std::string text);  // below the rows, indented
  std::string render(bool colour) const;

 private:
  struct row {
    std::string label, value;
    style how;
  };
  std::vector<row> rows_;
  std::vector<std::pair<std::string, std::string>> sections_;
};

}  // namespace zedops::ctl
