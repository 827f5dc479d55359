// Between the Engine's JSON and our records. Pure; anything malformed is an error value, never an exception.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "integration/docker/engine.hpp"
#include "integration/docker/http/api_version.hpp"

namespace zedops::docker::json {

// Body of POST /containers/create. Before api_multi_network it names the first network alone.
std::string create_body(const msg::container_spec& spec, api_version version);
std::string network_body(const std::string& name, const labels& labels);
std::string connect_body(const std::string& container);
// {"label":["a=b","c"],"type":["container"]}; keys without values are left out.
std::string filters(const labels& labels, const std::vector<std::string>& types = {});

std::string object(const labels& labels);  // {"a":"b"}

msg::result<engine_info> parse_version(std::string_view body);
// Adds os and hostname from GET /info.
msg::result<engine_info> parse_info(engine_info info, std::string_view body);
msg::result<std::vector<container_summary>> parse_list(std::string_view body);
msg::result<container_details> parse_details(std::string_view body);
msg::result<created_container> parse_created(std::string_view body);
msg::result<std::string> parse_id(std::string_view body);
msg::result<image_info> parse_image(std::string_view body);
msg::result<std::vector<volume_info>> parse_volumes(std::string_view body);
// Of the answers to .../changes and .../json?size=1.
msg::result<container_layer> parse_layer(std::string_view changes, std::string_view details);
msg::result<volume_info> parse_volume(std::string_view body);
msg::result<network_info> parse_network(std::string_view body);
msg::result<container_stats> parse_stats(std::string_view body);
msg::result<event> parse_event(std::string_view line);

// {"message":"…"} of a refusal; the body itself when it is something else.
std::string refusal_text(std::string_view body);

}  // namespace zedops::docker::json
