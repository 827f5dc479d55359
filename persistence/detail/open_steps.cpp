#include "persistence/detail/open_steps.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "persistence/detail/guard.hpp"

namespace zedops::store::detail {

using msg::ec;
using msg::fail;

namespace {

// A start that never completed its first store has left nothing worth keeping.
result<file_facts> clear_unfinished(const std::filesystem::path& file, file_facts facts) {
  if (facts.look == file_look::sound || facts.look == file_look::absent || facts.look == file_look::unreadable)
    return facts;
  std::error_code error;
  std::filesystem::remove(file, error);
  if (error) return fail(io_error(error.value(), file.string()));
  return file_facts{};
}

result<opening> walk_before_open(const lmdb_options& options, const file_facts& facts) {
  const auto file = options.dir / data_file;
  auto report = verify_in_child(options.dir, file_kind::directory, options.check_deadline);
  if (!report) return fail(std::move(report).error());
  const bool is_short = facts.look == file_look::short_file;
  if (!report->structure.empty())
    return fail(damaged_file_error(file, is_short ? "it is cut off (" + std::to_string(facts.file_bytes) + " of " +
                                                        std::to_string(facts.needed_bytes) + " bytes are left)"
                                                  : report->structure));
  // Every record was there: LMDB had given numbers to pages at the end that it never needed. With the missing pages in
  // place no later access can fall behind the end of the file (SIGBUS).
  if (is_short && !report->complete)
    return fail(ec::timeout, "the store file is shorter than its header says, and checking its records took too long",
                "run zedctl store verify, then start again");
  if (is_short && options.mode == access::read_write &&
      ::truncate(file.c_str(), static_cast<off_t>(facts.needed_bytes)))
    return fail(io_error(errno, file.string()));
  return opening{report->complete ? opened_as::verified : opened_as::partly_verified, report->damaged};
}

}  // namespace

result<opening> check_before_open(const lmdb_options& options, dir_lock& lock) {
  const auto file = options.dir / data_file;
  auto facts = look_at(file);
  const bool writing = options.mode == access::read_write;
  const last_run before = writing ? lock.found() : last_run::clean;
  if (before == last_run::creating || before == last_run::none) {
    auto cleared = clear_unfinished(file, facts);
    if (!cleared) return fail(std::move(cleared).error());
    facts = *cleared;
    if (auto ok = lock.say_creating(); !ok) return fail(std::move(ok).error());
    return opening{opened_as::created, 0};
  }
  if (facts.look == file_look::absent)
    return writing ? fail(ec::internal, "the store file " + file.string() + " is missing",
                          "restore a backup with zedctl store restore, or remove " +
                              (options.dir / lock_file).string() + " to begin with an empty store")
                   : fail(ec::not_found, "there is no store in " + options.dir.string(), "check the data directory");
  if (facts.look == file_look::unreadable) return fail(io_error(facts.number, file.string()));
  if (facts.look == file_look::empty || facts.look == file_look::damaged)
    return fail(damaged_file_error(file, facts.reason));
  const bool crashed = before == last_run::crashed;
  if (writing)
    if (auto ok = lock.say_open(); !ok) return fail(std::move(ok).error());
  if (facts.look == file_look::short_file || options.check == guard::always ||
      (crashed && options.check == guard::after_crash))
    return walk_before_open(options, facts);
  return opening{opened_as::clean, 0};
}

void fit_file(const std::filesystem::path& file) {
  const auto facts = look_at(file);
  if (facts.look != file_look::short_file && facts.look != file_look::sound) return;
  if (::truncate(file.c_str(), static_cast<off_t>(facts.needed_bytes))) return;  // the next start looks more closely
}

result<std::vector<const migration*>> plan_migration(uint32_t found, const lmdb_options& options) {
  const std::string ours = std::to_string(options.schema), theirs = std::to_string(found);
  if (found > options.schema)
    return fail(ec::wrong_state, "the store has schema " + theirs + ", this program knows schemas up to " + ours,
                "start the newer program that wrote it, or restore a backup from before the upgrade");
  std::vector<const migration*> plan;
  for (uint32_t from = found; from < options.schema && options.mode == access::read_write; ++from) {
    const auto step = std::ranges::find(options.migrations, from, &migration::from);
    if (step == options.migrations.end())
      return fail(
          ec::wrong_state,
          "the store has schema " + theirs + ", and there is no way from " + std::to_string(from) + " to " + ours,
          "start a version in between first, which migrates the store");
    plan.push_back(&*step);
  }
  return plan;
}

result<void> run_step(const migration& step, writer& w) {
  const std::string where = "migration of the store from schema " + std::to_string(step.from) + " (" + step.what + ")";
  constexpr const char* hint = "nothing was changed: the previous version still reads the store";
  try {
    auto done = step.run(w);
    if (!done) return fail(done.error().code, where + ": " + done.error().message, hint);
    return {};
  } catch (const std::exception& e) {
    return fail(ec::internal, where + ": " + e.what(), hint);
  }
}

result<void> sync_path(const std::filesystem::path& path) {
  const fd_owner fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get())) return fail(io_error(errno, path.string()));
  return {};
}

result<verify_report> write_backup(const std::filesystem::path& file, std::chrono::milliseconds deadline,
                                   function_ref<result<void>(int fd)> copy) {
  std::error_code error;
  if (std::filesystem::exists(file, error))
    return fail(ec::already_exists, file.string() + " exists already", "give the backup another name");
  auto part = file;
  part += ".part";
  const auto give_up = [&](msg::error e) {
    std::filesystem::remove(part, error);
    return fail(std::move(e));
  };
  {
    const fd_owner fd(::open(part.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd) return fail(io_error(errno, part.string()));
    if (auto ok = copy(fd.get()); !ok) return give_up(std::move(ok).error());
    if (::fsync(fd.get())) return give_up(io_error(errno, part.string()));
  }
  auto report = verify_in_child(part, file_kind::single_file, deadline);
  if (!report) return give_up(std::move(report).error());
  if (!report->structure.empty()) return give_up(damaged_file_error(part, report->structure));
  std::filesystem::rename(part, file, error);
  if (error) return give_up(io_error(error.value(), file.string()));
  if (auto ok = sync_path(file.has_parent_path() ? file.parent_path() : "."); !ok) return fail(std::move(ok).error());
  return report;
}

}  // namespace zedops::store::detail
