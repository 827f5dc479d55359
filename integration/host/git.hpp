// Sources from git, by the git of this host: one commit, without its history. No configuration of the host's or its
// users' counts, no transport but the usual ones, nothing is asked of a terminal.
#pragma once
#include <functional>
#include <string>

#include "messages/base/error.hpp"

namespace zedops::host {

struct git_request {
  std::string url;
  std::string revision;       // a commit, a branch, a tag; empty: what the repository has as its default
  std::string folder;         // for its work; made anew, whatever an earlier try has left there
  std::string archive;        // file that the commit's files are written to, as a tar
  std::string ssh_key{};      // file; empty: those of this user
  std::string credentials{};  // file of lines https://USER:TOKEN@HOST, only read; empty: none
  std::function<void(uint32_t percent, std::string_view line)> progress;
  std::function<bool()> cancelled;
};

// The commit that it was. Errors: not_found (no such repository or revision), bad_request, cancelled, internal,
// forbidden (a file with secrets is not there, or others may read it).
msg::result<std::string> fetch_commit(const git_request& r);

}  // namespace zedops::host
