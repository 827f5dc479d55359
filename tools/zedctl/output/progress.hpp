// Operations in progress: bars that are redrawn on a terminal, one line per change of step elsewhere.
#pragma once
#include <chrono>
#include <functional>
#include <iosfwd>
#include <string>
#include <unordered_map>
#include <vector>

#include "messages/api/views.hpp"

namespace zedops::ctl {

struct progress_options {
  bool bars = false;  // the stream is a terminal
  bool colour = false;
  bool silent = false;
  std::function<size_t()> width = [] { return size_t{80}; };  // columns of the terminal as it is now
};

class progress_view {
 public:
  progress_view(std::ostream& err, progress_options options, std::function<std::chrono::milliseconds()> ticks);
  ~progress_view() { clear(); }
  progress_view(const progress_view&) = delete;
  progress_view& operator=(const progress_view&) = delete;

  void update(const std::string& name, const msg::operation_view& op);
  // Bars show the time taken: redraws them once a second.
  void tick();
  // Takes the bars away, so that something else can be written.
  void clear();

 private:
  struct row {
    std::string name;
    std::string step;        // last one printed
    msg::operation_view op;  // as last reported
    std::chrono::milliseconds since{};
  };
  row& row_of(const std::string& name);
  std::string bar_line(const row& r) const;
  void draw();

  static constexpr size_t rows_max = 12;  // bars drawn at a time; the rest is counted

  std::ostream& err_;
  progress_options options_;
  std::function<std::chrono::milliseconds()> ticks_;
  std::vector<row> rows_;
  std::unordered_map<std::string, size_t> places_;  // of rows, by name: there may be tens of thousands
  std::vector<size_t> drawn_;  // columns of each line
  std::chrono::milliseconds drawn_at_{};
};

}  // namespace zedops::ctl
