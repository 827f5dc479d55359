// The phase pulling_source: the archive of a deployment comes to this host, from the manager or from a repository.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "actors/agent/deploy/deploy_job.hpp"
#include "actors/agent/jobs/command_job.hpp"
#include "integration/host/files.hpp"
#include "integration/host/git.hpp"
#include "messages/base/names.hpp"
#include "messages/base/sha256.hpp"

namespace zedops::agent {

using namespace msg;
using host::unique_fd;

namespace {

constexpr const char* made_archive = "archive";  // its note says from which commit it is

error disk(const std::string& what, int problem) {
  const bool full = problem == ENOSPC || problem == EDQUOT;
  return {full ? ec::store_full : ec::internal,
          what + ": " + host::errno_text(problem),
          full ? "free some space on that disk, then deploy again" : "check that disk",
          {}};
}

}  // namespace

result<void> deploy_job::pull_source() {
  ZEDOPS_TRY(host::prepare_site(site_));
  ZEDOPS_TRY(drop_leftovers());
  if (plan_.source.kind == source_kind::image) return pull_image();
  const auto stamp = host::stamp_of(site_, plan_.number);
  const bool have_tree = stamp && !identity_of(plan_.source).empty() && stamp->source == identity_of(plan_.source);
  if (plan_.source.kind == source_kind::git) return have_tree ? prove_commit(stamp->source) : fetch_repository();
  if (!have_tree && !has_archive()) {
    if (auto ok = fetch_archive(); !ok) {
      if (ok.error().code == ec::cancelled) (void)host::drop_unfinished(site_, plan_.number);
      return ok;
    }
  }
  prove("sha256", plan_.source.sha256);
  prove("archive_bytes", std::to_string(plan_.source.bytes));
  return {};
}

// One deployment of a service runs at a time: what others have left unfinished belongs to deployments that failed.
// The newest one before this keeps its log, for people, and its image, from which a build takes unchanged steps; failed
// ones before it keep nothing. All newer than the newest in `keep` have failed. Older ones are left to a later phase:
// they may have worked, and until the manager has recorded that one is removed, a rollback may lead to it.
result<void> deploy_job::drop_leftovers() {
  uint32_t worked = 0, last = 0;  // the newest before this one
  for (const auto n : plan_.keep)
    if (n < plan_.number) worked = std::max(worked, n);
  for (const auto n : host::deployments_of(site_)) {
    if (n != plan_.number) ZEDOPS_TRY(host::drop_unfinished(site_, n));
    if (n < plan_.number) last = std::max(last, n);
  }
  return prune([&](uint32_t n) { return n > worked && n < last; });
}

// Whether the archive on this host is this deployment's: a manager whose store was restored reuses numbers, so that the
// number alone proves nothing.
bool deploy_job::has_archive() const {
  const auto& s = plan_.source;
  const auto file = site_.archive(plan_.number);
  if (::access(file.c_str(), F_OK) != 0) return false;
  if (s.kind == source_kind::git)
    return !s.commit.empty() && host::noted(site_, plan_.number, made_archive) == s.commit;
  const auto hash = sha256_of_file(file);
  return hash && *hash == s.sha256;
}

result<void> deploy_job::prove_commit(const std::string& commit) {
  prove("commit", commit);
  return {};
}

// Fetches the commit that is recorded, if this is a repetition. Its files become an archive like any other.
result<void> deploy_job::fetch_repository() {
  const auto& s = plan_.source;
  if (has_archive()) return prove_commit(s.commit);
  host::git_request r;
  r.url = s.url;
  r.revision = s.commit.empty() ? s.revision : s.commit;
  r.folder = site_.repository(plan_.number);
  r.archive = site_.archive(plan_.number) + ".part";
  r.ssh_key = env_.sites->git_ssh_key;
  r.credentials = env_.sites->git_credentials;
  r.cancelled = [this] { return cancel_.cancelled(); };
  r.progress = [this](uint32_t percent, std::string_view line) {
    write(line);
    tell(percent, std::string(line.substr(0, 200)));
  };
  auto commit = host::fetch_commit(r);
  if (!commit) {
    (void)host::drop_unfinished(site_, plan_.number);
    return fail(commit.error());
  }
  effect("repository_fetched");
  // In this order: at no time is there an archive with the note of another.
  ::unlink(site_.archive(plan_.number).c_str());
  ZEDOPS_TRY(host::note(site_, plan_.number, made_archive, *commit));
  if (::rename(r.archive.c_str(), site_.archive(plan_.number).c_str()) != 0) return fail(disk(r.archive, errno));
  return prove_commit(*commit);
}

result<void> deploy_job::fetch_archive() {
  if (plan_.source.kind == source_kind::git) return fetch_repository();
  const auto part = site_.archive(plan_.number) + ".part";
  for (const bool again : {false, true}) {
    auto whole = fetch_rest(part);
    if (!whole) return fail(whole.error());
    if (*whole) break;
    // What was written before the host lost power may be missing: once, the transfer starts from the beginning.
    ::unlink(part.c_str());
    if (again)
      return fail(ec::bad_request, "the source that arrived here is not the one that was uploaded: its hash differs",
                  "deploy again; if it happens again, check that disk");
  }
  effect("archive_fetched");
  if (::rename(part.c_str(), site_.archive(plan_.number).c_str()) != 0) return fail(disk(part, errno));
  return {};
}

// Goes on where it ended. Says whether the hash of all of it is right.
result<bool> deploy_job::fetch_rest(const std::string& part) {
  unique_fd fd(::open(part.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return fail(disk(part, errno));
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return fail(disk(part, errno));
  auto have = static_cast<uint64_t>(st.st_size);
  if (have > plan_.source.bytes) {
    if (::ftruncate(fd.get(), 0) != 0) return fail(disk(part, errno));
    have = 0;
  }
  const bool resumed = have > 0;
  sha256 hash;  // of what arrives now
  const auto take = [&](std::string_view piece) -> result<void> {
    for (size_t n = 0; n < piece.size();) {
      const auto w = ::write(fd.get(), piece.data() + n, piece.size() - n);
      if (w < 0) return fail(disk(part, errno));
      n += static_cast<size_t>(w);
    }
    // The disk begins to write now, not at the end; fsync reports what fails.
    (void)::sync_file_range(fd.get(), static_cast<off_t>(have), static_cast<off_t>(piece.size()),
                            SYNC_FILE_RANGE_WRITE);
    hash.add(piece);
    have += piece.size();
    tell_bytes(have, plan_.source.bytes, format_bytes(have) + " of " + format_bytes(plan_.source.bytes));
    return {};
  };
  ZEDOPS_TRY(env_.sites->uploads.read(plan_.source.upload, have, plan_.source.bytes, cancel_, take));
  if (::fsync(fd.get()) != 0) return fail(disk(part, errno));
  if (!resumed) return hash.hex() == plan_.source.sha256;
  auto whole = sha256_of_file(part);
  if (!whole) return fail(whole.error());
  return *whole == plan_.source.sha256;
}

}  // namespace zedops::agent
