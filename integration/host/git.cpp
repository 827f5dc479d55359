#include "integration/host/git.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>

#include "integration/host/child.hpp"
#include "integration/host/files.hpp"

namespace zedops::host {

using namespace msg;

namespace {

constexpr size_t words_max = 5;  // last lines that an error keeps

std::string first_line(const std::string& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

// "Receiving objects:  42% (42/100)"
std::optional<uint32_t> percent_in(std::string_view line) {
  const auto sign = line.find('%');
  if (sign == line.npos || sign == 0) return std::nullopt;
  auto from = sign;
  while (from > 0 && line[from - 1] >= '0' && line[from - 1] <= '9') --from;
  uint32_t n = 0;
  if (std::from_chars(line.data() + from, line.data() + sign, n).ec != std::errc{}) return std::nullopt;
  return n;
}

// Its name becomes part of a shell command: git calls its helpers, and ssh, by a shell.
result<void> check_secret(const std::string& file) {
  if (file.empty()) return {};
  struct stat st {};
  if (file.find('\'') != file.npos)
    return fail(ec::bad_request, "a quote in the name of the file " + file, "give the file another name");
  if (::stat(file.c_str(), &st) != 0 || !S_ISREG(st.st_mode))
    return fail(ec::forbidden, "the file " + file + " cannot be read",
                "the agent's settings git_ssh_key and git_credentials name it");
  if ((st.st_mode & 077) != 0)
    return fail(ec::forbidden, "others may read the secrets in " + file, "chmod 600 " + file);
  return {};
}

// A helper that only reads the file: git has helpers erase what a server rejects, and the file belongs to the operator.
std::string reader(const std::string& credentials) {
  return "!f() { test \"$1\" != get || git credential-store --file='" + credentials + "' get; }; f";
}

class repository {
 public:
  explicit repository(const git_request& r) : r_(r), output_(r.folder + "/output") {}

  result<std::string> fetch() {
    for (const auto& file : {r_.ssh_key, r_.credentials})
      if (auto ok = check_secret(file); !ok) return fail(ok.error());
    if (auto ok = new_folder(); !ok) return fail(ok.error());
    if (auto ok = good({"init", "-q", "-b", "none"}); !ok) return fail(ok.error());
    if (auto ok = keep_all(); !ok) return fail(ok.error());
    if (auto ok = fetched(); !ok) return fail(ok.error());
    if (auto ok = good({"rev-parse", "--verify", "-q", "FETCH_HEAD^{commit}"}); !ok) return fail(ok.error());
    const auto commit = first_line(output_);
    if (auto ok = permitted(commit); !ok) return fail(ok.error());
    if (auto ok = good({"archive", "--format=tar", "-o", r_.archive, commit}); !ok) return fail(ok.error());
    return commit;
  }

 private:
  // Starts from scratch: a git that was killed leaves locks that make the next one fail.
  result<void> new_folder() {
    const std::filesystem::path path(r_.folder);
    const auto parent = path.parent_path().string();
    const unique_fd dir(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!dir) return disk(parent);
    if (auto gone = remove_dir(dir.get(), parent, path.filename().string()); !gone) return fail(gone.error());
    if (::mkdirat(dir.get(), path.filename().c_str(), 0700) != 0) return disk(r_.folder);
    return {};
  }

  // Files that a repository leaves out of its archives are deployed all the same, every file as it was committed.
  result<void> keep_all() {
    const auto info = r_.folder + "/.git/info", file = info + "/attributes";
    if (::mkdir(info.c_str(), 0700) != 0 && errno != EEXIST) return disk(info);
    std::ofstream out(file);
    out << "* -export-ignore -export-subst\n";
    if (!out.flush()) return disk(file);
    return {};
  }

  static tl::unexpected<error> disk(const std::string& path) {
    return fail(ec::internal, path + ": " + errno_text(errno), "check that disk");
  }

  result<void> fetched() {
    auto exit = run({"fetch", "--progress", "--depth", "1", "--no-tags", "--no-recurse-submodules", "--", r_.url,
                     r_.revision.empty() ? "HEAD" : r_.revision});
    if (!exit) return fail(exit.error());
    if (*exit == 0) return {};
    const auto said = words();
    const bool absent = said.find("not found") != said.npos || said.find("couldn't find remote ref") != said.npos ||
                        said.find("not exported") != said.npos || said.find("does not exist") != said.npos ||
                        said.find("unadvertised object") != said.npos;
    return fail(
        absent ? ec::not_found : ec::pull_failed,
        "git could not fetch " + (r_.revision.empty() ? std::string("it") : "'" + r_.revision + "'") + ": " + said,
        absent ? "does it still exist? A force-push may have dropped the commit"
               : "try it on the host: git ls-remote " + r_.url);
  }

  // Refuses a commit of which something would be missing on the host.
  result<void> permitted(const std::string& commit) {
    if (auto ok = good({"ls-tree", "-r", "--full-tree", commit}); !ok) return ok;
    std::ifstream tree(output_);
    for (std::string line; std::getline(tree, line);)
      if (line.starts_with("160000 "))
        return fail(ec::bad_request,
                    "the source has a submodule: " + line.substr(line.find('\t') + 1) + "; submodules are not fetched",
                    "put what is to be deployed into the repository itself, or deploy a folder");
    // In one go, for all folders: a repository may have any number of such files. Exit 0: found, 1: not.
    auto exit = run({"grep", "-q", "-a", "-F", "-e", "filter=lfs", commit, "--", ":(glob)**/.gitattributes"});
    if (!exit) return fail(exit.error());
    if (*exit > 1) return fail(ec::internal, "git grep failed: " + words(), "check the disk and git on this host");
    if (*exit == 0)
      return fail(ec::bad_request, "the source keeps files in Git LFS, which are not fetched",
                  "deploy a folder or an archive that contains them");
    return {};
  }

  result<void> good(std::vector<std::string> words_of) {
    const auto what = words_of.front();
    auto exit = run(std::move(words_of));
    if (!exit) return fail(exit.error());
    if (*exit == 0) return {};
    return fail(ec::internal, "git " + what + " failed: " + words(), "check the disk and git on this host");
  }

  result<int> run(std::vector<std::string> arguments) {
    last_.clear();
    child_request c;
    c.argv = {"git", "-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0"};
    if (!r_.credentials.empty()) c.argv.insert(c.argv.end(), {"-c", "credential.helper=" + reader(r_.credentials)});
    const auto key = r_.ssh_key.empty() ? std::string{} : " -o IdentitiesOnly=yes -i '" + r_.ssh_key + "'";
    c.argv.insert(c.argv.end(), arguments.begin(), arguments.end());
    const char* path = std::getenv("PATH");
    const char* home = std::getenv("HOME");  // of the agent's user: where its keys for ssh are
    c.environment = {std::string("PATH=") + (path ? path : "/usr/bin:/bin"),
                     std::string("HOME=") + (home ? home : "/nonexistent"),
                     "GIT_TERMINAL_PROMPT=0",
                     "GIT_CONFIG_NOSYSTEM=1",
                     "GIT_CONFIG_GLOBAL=/dev/null",
                     "GIT_ALLOW_PROTOCOL=https:http:git:ssh",
                     "GIT_SSH_COMMAND=ssh -o BatchMode=yes" + key,
                     "LC_ALL=C"};
    c.folder = r_.folder;
    c.output = output_;
    c.cancelled = r_.cancelled;
    c.said = [this](std::string_view line) {
      const auto percent = percent_in(line);
      if (r_.progress) r_.progress(percent.value_or(0), line);
      if (percent) return;
      last_.emplace_back(line);
      if (last_.size() > words_max) last_.pop_front();
    };
    return run_child(c);
  }
  std::string words() const {
    std::string out;
    for (const auto& line : last_) out += (out.empty() ? "" : "; ") + line;
    return out.empty() ? "git gave no reason" : out;
  }

  const git_request& r_;
  const std::string output_;  // of the last command
  std::deque<std::string> last_;
};

}  // namespace

result<std::string> fetch_commit(const git_request& r) { return repository(r).fetch(); }

}  // namespace zedops::host
