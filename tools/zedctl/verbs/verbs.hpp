// What the verbs have in common.
#pragma once
#include <string>
#include <vector>

#include "messages/api/operations.hpp"
#include "tools/zedctl/session.hpp"

namespace zedops::ctl {

inline constexpr uint32_t page_rows = 5'000;     // rows asked for at a time
inline constexpr uint32_t rows_max = 1'000'000;  // of one list; beyond it something is wrong

// Every server that matches, over all pages.
msg::result<msg::server_list> all_servers(session& s, msg::list_servers query);
// By agent and name, or by the named column of the wide table. Errors: bad_request when there is no such column.
msg::result<void> sort_servers(std::vector<msg::server_view>& list, std::string_view column);
std::vector<std::string> sort_columns();
// "did you mean 'pz1'?" into the hint of a not_found error.
msg::error with_guess(session& s, msg::error e, const std::string& name);

table server_table(const session& s);
void add_row(table& t, const msg::server_view& v, const session& s, const look& l);
std::string server_lines(const session& s, const std::vector<msg::server_view>& list);
std::string operation_lines(const session& s, const std::vector<msg::operation_view>& list);

// Several targets, one exit status: 0, the common one, or 8 when some succeeded and some failed.
class tally {
 public:
  void add(int status);
  int status() const;

 private:
  bool any_good_ = false, mixed_ = false;
  int bad_ = 0;
};

// Calls `one` per name; its JSON (when it gives any) is gathered, so that `-o json` prints one object for one name
// and an array for several.
int for_each_name(session& s, const std::vector<std::string>& names,
                  const std::function<msg::result<std::string>(const std::string& name)>& one);

// "12 files, 3.1 MiB in all: /opt/game (12)", what replacing its container loses; empty: nothing, or it is not known
// just now.
std::string layer_text(session& s, const std::string& server);

// One operation on several servers at once: sent, followed on the terminal, reported; returns the exit status. Each
// with the name that the user gave, and the packed body of its request.
struct named_body {
  std::string name;
  std::string body;
};
// With `records` the replies' JSON is appended there instead of being printed.
int perform(session& s, const msg::verb_row& row, const std::vector<named_body>& all,
            std::vector<std::string>* records = nullptr);

// server ls -w: the list, then a line for each change until Ctrl-C.
int watch_servers(session& s, const msg::list_servers& query);

}  // namespace zedops::ctl
