#include "tools/zedctl/output/json_text.hpp"

#include <nlohmann/json.hpp>

namespace zedops::ctl {

using json = nlohmann::ordered_json;

namespace {
std::string dumped(const json& j, int indent) { return j.dump(indent, ' ', false, json::error_handler_t::replace); }
}  // namespace

std::string error_json(const msg::error& e, const std::string& target) {
  json body = {{"code", name_of(e.code)}, {"message", e.message}, {"hint", e.hint}, {"operation", e.operation}};
  if (!target.empty()) body["target"] = target;
  return dumped({{"error", std::move(body)}}, -1);
}

std::string array_json(const std::vector<std::string>& records) {
  json list = json::array();
  for (const auto& text : records) list.push_back(json::parse(text, nullptr, false));
  return dumped(list, 2);
}

std::string object_json(const std::vector<json_field>& fields, int indent) {
  json out = json::object();
  for (const auto& f : fields) out[f.name] = f.literal ? json::parse(f.text, nullptr, false) : json(f.text);
  return dumped(out, indent);
}

}  // namespace zedops::ctl
