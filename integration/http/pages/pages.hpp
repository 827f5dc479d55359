// The files of the page, as they are built into the program.
#pragma once
#include <string_view>
#include <vector>

#include "integration/http/transport/message.hpp"

namespace zedops::web {

struct page_file {
  std::string_view path;  // "assets/index-4f3a.js"
  std::string_view content;
};
const std::vector<page_file>& built_in_pages();  // generated from integration/web/dist

// Every path outside the API: a file of the page, or the page itself, which has paths of its own.
response page_response(const request& r);

// Adds the security headers of every answer, of the page and of the API.
void add_safety(response& r);

}  // namespace zedops::web
