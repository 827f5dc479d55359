// The screens of describe, history and explain, from what the manager answered. Pure.
#pragma once
#include <string>
#include <vector>

#include "messages/api/views.hpp"
#include "tools/zedctl/output/table.hpp"

namespace zedops::ctl {

// One screen: state and since when, why, ports, paths, health, operation, what can be done now, the last events
// (newest first in `history`).
std::string describe_text(const msg::server_view& v, const std::vector<msg::event>& history, const look& l,
                          const std::string& layer = {});  // files that only its container holds
// `data_trouble`: why nothing can be said about its data root; empty: it is fine.
std::string describe_text(const msg::agent_view& a, const std::string& data_trouble, const look& l);
std::string describe_text(const msg::operation_view& op, const look& l);

// TIME TYPE WHAT WHY BY
table history_table();
void add_row(table& t, const msg::event& e, const look& l);

// Why a server is as it is: a summary, what led here and what comes next; `refs`: operations and containers, too.
std::string explain_text(const msg::explanation& e, const look& l, bool refs);

}  // namespace zedops::ctl
