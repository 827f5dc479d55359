#include <algorithm>

#include "messages/base/names.hpp"

namespace zedops::msg {

namespace {

constexpr size_t url_bytes_max = 500, revision_bytes_max = 200;

bool printable(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}
auto bad(std::string message, std::string hint) { return fail(ec::bad_request, std::move(message), std::move(hint)); }
constexpr const char* usual = "write it as https://host/owner/repository.git, ssh://git@host/path or git@host:path";

}  // namespace

result<void> check_git_url(std::string_view url) {
  if (url.empty() || url.size() > url_bytes_max || url.front() == '-' || !printable(url))
    return bad("this is not the address of a Git repository", usual);
  const auto scheme = url.find("://");
  if (scheme == url.npos) {  // user@host:path
    const auto at = url.find('@'), colon = url.find(':');
    if (at != url.npos && colon != url.npos && at > 0 && at < colon && url.find("::") == url.npos && url.find('/') > at)
      return {};
    return bad("this is not the address of a Git repository on another host", usual);
  }
  const auto how = url.substr(0, scheme);
  if (how != "https" && how != "http" && how != "git" && how != "ssh")
    return bad("repositories cannot be fetched by '" + std::string(how.substr(0, 20)) + "'", usual);
  const auto rest = url.substr(scheme + 3);
  const auto host = rest.substr(0, rest.find('/'));
  const auto user = host.substr(0, host.rfind('@') == host.npos ? 0 : host.rfind('@'));
  if (user.find(':') != user.npos || (how != "ssh" && !user.empty()))
    return bad("everyone who can see the deployment would see the password or token in this address",
               "leave it out; use the host's own SSH key or a credential helper of its git instead");
  if (host.empty() || host.front() == '-') return bad("this address names no host", usual);
  return {};
}

result<void> check_git_revision(std::string_view revision) {
  const bool good = revision.size() <= revision_bytes_max && printable(revision) &&
                    (revision.empty() || revision.front() != '-') && revision.find("..") == revision.npos &&
                    revision.find_first_of("~^:?*[\\ ") == revision.npos;
  if (good) return {};
  return bad("this cannot be a branch, tag or commit", "use e.g. main, v1.2 or the 40 digits of a commit");
}

result<void> check_source_folder(std::string_view folder) {
  const auto rest = folder;
  bool good = folder.size() <= path_bytes_max && !folder.starts_with('/');
  for (auto left = rest; good && !left.empty();) {
    const auto slash = left.find('/');
    const auto part = left.substr(0, slash);
    good = !part.empty() && part != "." && part != ".." &&
           std::ranges::all_of(part, [](unsigned char c) { return c >= 0x20 && c != 0x7f; });
    left.remove_prefix(slash == left.npos ? left.size() : slash + 1);
    if (slash != folder.npos && slash != left.npos && left.empty()) break;
  }
  if (good && !folder.ends_with('/')) return {};
  if (folder.empty()) return {};
  return bad("this is not a folder within a source", "write it like docs/public: no '..', no slash at either end");
}

}  // namespace zedops::msg
