// The description of the API for machines (OpenAPI 3.1), made from the verb table and the field lists.
#pragma once
#include <string>

namespace zedops::web {

const std::string& openapi();  // JSON

}  // namespace zedops::web
