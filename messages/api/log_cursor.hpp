// How far a client has read a server's logs: lines are asked for since the time of the last one seen, so that none is
// shown twice, and none is lost however many there are.
#pragma once
#include <string>
#include <vector>

#include "messages/api/requests.hpp"
#include "messages/api/views.hpp"

namespace zedops::msg {

class log_cursor {
 public:
  log_cursor() = default;
  // From the result of text(). Nothing: it is not a cursor.
  static std::optional<log_cursor> parse(const std::string& text);
  std::string text() const;  // "2024-05-01T12:00:00.000000001Z#2"

  // The lines of an answer that are new.
  std::vector<log_line> take(std::vector<log_line> lines);
  // Sets `since` for the next request, after an answer.
  void go_on(std::string& since, bool cut, bool nothing_new) const;
  bool begun() const { return !last_.empty(); }

 private:
  std::string last_;    // the time of the last line
  size_t of_last_ = 0;  // lines of exactly that time: the next answer has them again
};

}  // namespace zedops::msg
