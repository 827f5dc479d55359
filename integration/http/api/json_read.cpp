#include "integration/http/api/json_read.hpp"

#include <unordered_set>

namespace zedops::web {

using namespace msg;

namespace {

using json = nlohmann::ordered_json;

constexpr int depth_max = 32;
// The library searches all fields of an object for each field that it adds.
constexpr size_t fields_max = 4096;

tl::unexpected<error> bad(std::string what, std::string hint) {
  return fail(ec::bad_request, std::move(what), std::move(hint));
}

}  // namespace

result<json> read_object(const std::string& text) {
  std::vector<std::unordered_set<std::string>> keys;
  std::string twice;
  bool deep = false;
  size_t fields = 0;
  const auto watch = [&](int d, json::parse_event_t event, json& now) {
    if (d > depth_max) deep = true;
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end && !keys.empty()) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.empty() && fields <= fields_max) {
      if (auto [key, is_new] = keys.back().insert(now.get<std::string>()); !is_new) twice = *key;
      ++fields;
    }
    return !deep && fields <= fields_max;
  };
  auto j = json::parse(text, watch, false);
  if (deep) return bad("the JSON is nested too deeply", "use at most " + std::to_string(depth_max) + " levels");
  if (fields > fields_max)
    return bad("the JSON has more than " + std::to_string(fields_max) + " fields", "send less at once");
  if (j.is_discarded()) return bad("the body is not valid JSON", "send UTF-8 without a byte order mark");
  if (!twice.empty()) return bad("the field '" + twice.substr(0, 60) + "' appears twice", "leave one out");
  if (!j.is_object()) return bad("the body is not a JSON object", R"(an object looks like {"name": "value"})");
  return j;
}

}  // namespace zedops::web
