// Sources from git, by the git of this host: one commit, without its history. The git configuration of the host and its
// users is ignored, only the usual transports are allowed, and no question is asked at a terminal.
#pragma once
#include <functional>
#include <string>

#include "messages/base/error.hpp"

namespace zedops::host {

struct git_request {
  std::string url;
  std::string revision;       // a commit, a branch, a tag; empty: the default branch of the repository
  std::string folder;         // for its work; made anew, whatever an earlier attempt has left there
  std::string archive;        // file that the commit's files are written to, as a tar
  std::string ssh_key{};      // file; empty: those of this user
  std::string credentials{};  // file of lines https://USER:TOKEN@HOST, only read; empty: none
  std::function<void(uint32_t percent, std::string_view line)> progress;
  std::function<bool()> cancelled;
};

// Returns the commit. Errors: not_found (no such repository or revision), bad_request, cancelled, internal, forbidden
// (a file with secrets is missing, or others may read it).
msg::result<std::string> fetch_commit(const git_request& r);

}  // namespace zedops::host
