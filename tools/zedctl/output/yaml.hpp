// JSON text as YAML that every YAML 1.1 and 1.2 reader takes for the same value.
#pragma once
#include <string>
#include <string_view>

namespace zedops::ctl {

// `json` is valid JSON, made by messages/codec.
std::string yaml_from_json(std::string_view json);

// A string as a YAML scalar, quoted when it could be read as anything else ("no", "1e3", "12:30:00", "", " x").
std::string yaml_scalar(std::string_view text);

}  // namespace zedops::ctl
