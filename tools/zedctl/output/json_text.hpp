// The few JSON texts that are not one record of messages/: errors on stderr, several records at once.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "messages/base/error.hpp"

namespace zedops::ctl {

// {"error":{"code":…,"message":…,"hint":…,"operation":…}}, one line; with "target" when one of several failed.
std::string error_json(const msg::error& e, const std::string& target);

// Records, each a JSON text, as one indented array.
std::string array_json(const std::vector<std::string>& records);

// Pairs of strings as an indented object, or as one line of text with indent -1.
struct json_field {
  std::string name;
  std::string text;
  bool literal = false;  // `text` is JSON already
};
std::string object_json(const std::vector<json_field>& fields, int indent = 2);

}  // namespace zedops::ctl
