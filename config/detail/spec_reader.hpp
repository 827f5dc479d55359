// The part of a template that says what its servers' containers are like: the defaults of their specs.
#pragma once
#include "config/detail/toml_reader.hpp"
#include "messages/records/spec.hpp"

namespace zedops::config::detail {

void read_spec(table_reader& r, msg::server_spec& out);
void read_stop_rules(table_reader& r, msg::server_spec& out);  // of the table [stop]
void read_locked(table_reader& r, std::vector<std::string>& out);

}  // namespace zedops::config::detail
