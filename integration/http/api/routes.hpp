// Which request of REST is which verb: one route for each row of the verb table, by rule.
#pragma once
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "integration/http/transport/message.hpp"
#include "messages/api/operations.hpp"

namespace zedops::web {

struct route {
  size_t row = 0;  // of msg::verb_table
  std::string method;
  std::string path;  // "/api/servers/{id}/start"
  std::vector<std::string> segments;
};

// In the order of the table; verbs that HTTP does not offer have none.
const std::vector<route>& routes();

struct matched {
  const route* to = nullptr;
  std::string item;  // in the place of {id}; empty: the route has none
};
struct no_route {};
struct other_methods {
  std::string allow;  // "GET, POST"
};
std::variant<matched, no_route, other_methods> match(const std::string& method,
                                                     const std::vector<std::string>& segments);

}  // namespace zedops::web
