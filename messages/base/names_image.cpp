// Image references, after the grammar of the distribution project: [domain/]path[:tag][@digest].
#include <fmt/format.h>

#include <algorithm>

#include "messages/base/names.hpp"

namespace zedops::msg {
namespace {

constexpr bool is_lower_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
constexpr bool is_alnum(char c) { return is_lower_alnum(c) || (c >= 'A' && c <= 'Z'); }

tl::unexpected<error> bad_image(std::string_view text, std::string_view why) {
  return fail(ec::bad_request, fmt::format("image '{}': {}", text.substr(0, image_name_bytes_max), why),
              "write it as [registry/]repository[:tag], e.g. ghcr.io/owner/zomboid:latest");
}

// Lower-case letters and digits, joined by one dot, one or two underscores, or hyphens.
bool is_path_part(std::string_view part) {
  if (part.empty() || !is_lower_alnum(part.front()) || !is_lower_alnum(part.back())) return false;
  for (size_t i = 0; i < part.size();) {
    if (is_lower_alnum(part[i])) {
      ++i;
      continue;
    }
    size_t run = i;
    while (part[run] == part[i]) ++run;  // ends at the latest at the last character, a letter or digit
    if (part[i] != '-' && part[i] != '_' && part[i] != '.') return false;
    if (!is_lower_alnum(part[run])) return false;
    if ((part[i] == '.' && run - i > 1) || (part[i] == '_' && run - i > 2)) return false;
    i = run;
  }
  return true;
}

bool is_domain(std::string_view part) {
  auto colon = part.find(':');
  auto host = part.substr(0, colon);
  if (host.empty() || !is_alnum(host.front()) || !is_alnum(host.back())) return false;
  if (!std::all_of(host.begin(), host.end(), [](char c) { return is_alnum(c) || c == '-' || c == '.'; })) return false;
  if (host.find("..") != host.npos) return false;
  if (colon == part.npos) return true;
  auto port = part.substr(colon + 1);
  return !port.empty() && port.size() <= 5 &&
         std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool looks_like_domain(std::string_view part) { return part.find_first_of(".:") != part.npos || part == "localhost"; }

}  // namespace

bool is_image_digest(std::string_view digest) {
  if (!digest.starts_with("sha256:") || digest.size() != 7 + 64) return false;
  return std::all_of(digest.begin() + 7, digest.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

result<void> check_image_repository(std::string_view repository) {
  if (repository.empty()) return bad_image(repository, "it is empty");
  if (repository.size() > image_name_bytes_max)
    return bad_image(repository, fmt::format("it is longer than {} bytes", image_name_bytes_max));
  auto rest = repository;
  if (auto slash = rest.find('/'); slash != rest.npos && looks_like_domain(rest.substr(0, slash))) {
    if (!is_domain(rest.substr(0, slash))) return bad_image(repository, "its registry is not host[:port]");
    rest.remove_prefix(slash + 1);
  }
  for (size_t from = 0; from <= rest.size();) {
    auto to = std::min(rest.find('/', from), rest.size());
    if (!is_path_part(rest.substr(from, to - from)))
      return bad_image(repository,
                       "each part of the repository is lower-case letters and digits, joined by '.', '_', '__' or '-'");
    from = to + 1;
  }
  return {};
}

result<void> check_image_tag(std::string_view tag) {
  auto first = [](char c) { return is_alnum(c) || c == '_'; };
  auto any = [&](char c) { return first(c) || c == '.' || c == '-'; };
  if (!tag.empty() && tag.size() <= image_tag_bytes_max && first(tag.front()) &&
      std::all_of(tag.begin(), tag.end(), any))
    return {};
  return fail(ec::bad_request,
              fmt::format("image tag '{}' breaks the rule: a letter, digit or underscore first, then letters, digits, "
                          "underscores, dots or hyphens, 1-{} characters",
                          tag.substr(0, image_tag_bytes_max), image_tag_bytes_max),
              "use 'latest' or a version such as '41.78.16'");
}

result<image_ref> parse_image_ref(std::string_view text) {
  image_ref ref;
  auto rest = text;
  if (auto at = rest.find('@'); at != rest.npos) {
    ref.digest = rest.substr(at + 1);
    if (!is_image_digest(ref.digest)) return bad_image(text, "its digest is not sha256: and 64 hexadecimal digits");
    rest = rest.substr(0, at);
  }
  // A colon before the last slash belongs to the registry's port.
  auto slash = rest.rfind('/');
  if (auto colon = rest.find(':', slash == rest.npos ? 0 : slash); colon != rest.npos) {
    ref.tag = rest.substr(colon + 1);
    if (auto ok = check_image_tag(ref.tag); !ok) return fail(ok.error());
    rest = rest.substr(0, colon);
  }
  if (auto ok = check_image_repository(rest); !ok) return fail(ok.error());
  ref.repository = rest;
  return ref;
}

}  // namespace zedops::msg
