#include "integration/docker/http/api_version.hpp"

#include <algorithm>
#include <charconv>

namespace zedops::docker {

std::optional<api_version> parse_api_version(std::string_view text) {
  api_version v;
  const char* end = text.data() + text.size();
  auto [dot, first] = std::from_chars(text.data(), end, v.major_part);
  if (first != std::errc{} || dot == end || *dot != '.') return std::nullopt;
  auto [rest, second] = std::from_chars(dot + 1, end, v.minor_part);
  if (second != std::errc{} || rest != end) return std::nullopt;
  return v;
}

std::string to_string(api_version v) { return std::to_string(v.major_part) + "." + std::to_string(v.minor_part); }

msg::result<api_version> negotiate(std::string_view offered) {
  auto theirs = parse_api_version(offered);
  if (!theirs)
    return msg::fail(msg::ec::engine_error, "what answers is not a Docker Engine: it names no API version",
                     "check docker_host: it must be the socket of dockerd");
  if (*theirs < api_oldest)
    return msg::fail(
        msg::ec::engine_error,
        "the Docker Engine speaks API " + to_string(*theirs) + "; at least " + to_string(api_oldest) + " is needed",
        "upgrade Docker Engine to 20.10 or newer");
  return std::min(*theirs, api_newest);
}

}  // namespace zedops::docker
