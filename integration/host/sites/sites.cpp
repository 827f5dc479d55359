#include "integration/host/sites/sites.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "integration/host/files.hpp"
#include "messages/base/names.hpp"

namespace zedops::host {

using namespace msg;

namespace {
constexpr const char* containers_folder = ".containers";
constexpr const char* web_folder = ".web";
constexpr const char* current_link = "current";
constexpr const char* left_note = "left";
constexpr size_t small_file_max = 64 << 10;

error trouble(const std::string& what, int problem) {
  const bool full = problem == ENOSPC || problem == EDQUOT;
  return {full ? ec::store_full : ec::internal,
          what + ": " + errno_text(problem),
          full ? "free some space on that disk, then deploy again" : "look at it on the host; nothing else was changed",
          {}};
}

result<unique_fd> open_folder(const std::string& path) {
  unique_fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return fail(trouble(path, errno));
  return fd;
}

result<void> make_folder(const std::string& path) {
  // The project's server runs as another user: it has to read this, whatever our umask says.
  if (::mkdir(path.c_str(), 0755) == 0 && ::chmod(path.c_str(), 0755) == 0) return {};
  struct stat st {};
  if (errno == EEXIST && ::lstat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode)) return {};
  return fail(trouble("cannot make the folder " + path, errno == EEXIST ? ENOTDIR : errno));
}

bool is_folder(const std::string& path) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode);
}

std::string read_small(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string out(small_file_max, '\0');
  file.read(out.data(), static_cast<std::streamsize>(out.size()));
  out.resize(static_cast<size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return out;
}

// Empty as well when it cannot be read.
std::string read_whole(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return std::move(out).str();
}

// Writes all of it or nothing, durably.
result<void> write_small(const std::string& folder, const std::string& name, const std::string& text) {
  auto dir = open_folder(folder);
  if (!dir) return fail(dir.error());
  const auto fresh = name + ".new";
  {
    unique_fd fd(::openat(dir->get(), fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!fd) return fail(trouble(folder + "/" + fresh, errno));
    size_t done = 0;
    while (done < text.size()) {
      const auto n = ::write(fd.get(), text.data() + done, text.size() - done);
      if (n < 0) return fail(trouble(folder + "/" + fresh, errno));
      done += static_cast<size_t>(n);
    }
    if (::fsync(fd.get()) != 0) return fail(trouble(folder + "/" + fresh, errno));
  }
  if (::renameat(dir->get(), fresh.c_str(), dir->get(), name.c_str()) != 0 || ::fsync(dir->get()) != 0)
    return fail(trouble(folder + "/" + name, errno));
  return {};
}

// The number in front of a name; nothing: the name is none of ours.
std::optional<uint32_t> number_in(std::string_view name) {
  const auto n = parse_decimal(name.substr(0, name.find('.')));
  if (!n || *n == 0 || *n > UINT32_MAX) return std::nullopt;
  return static_cast<uint32_t>(*n);
}

std::string link_target(const std::string& path) {
  char target[4096];
  const auto n = ::readlink(path.c_str(), target, sizeof target);
  return n < 0 ? std::string{} : std::string(target, static_cast<size_t>(n));
}

enum class entry { absent, link, other };
entry kind_of(const std::string& path) {
  struct stat st {};
  if (::lstat(path.c_str(), &st) != 0) return entry::absent;
  return S_ISLNK(st.st_mode) ? entry::link : entry::other;
}

constexpr unsigned aside_tries_max = 100;

// What was in the place of a link is kept beside it, under a name that is free.
result<std::string> set_aside(int dir, const std::string& folder, const std::string& from, const std::string& name) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto stem =
      name + ".aside-" + std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
  for (unsigned n = 0; n < aside_tries_max; ++n) {
    const auto aside = n == 0 ? stem : stem + "-" + std::to_string(n);
    const int problem = rename_new(dir, from.c_str(), dir, aside.c_str());
    if (problem == 0) return aside;
    if (problem != EEXIST) return fail(trouble(folder + "/" + name + " stands in the way", problem));
  }
  return fail(trouble(folder + "/" + name + " stands in the way", EEXIST));
}

// Makes `folder/name` a link to `target`, in one step whatever was there. Returns what was wrong before.
result<std::string> set_link(const std::string& folder, const std::string& name, const std::string& target) {
  const auto path = folder + "/" + name, fresh = "." + name + ".new";
  const auto before = kind_of(path);
  if (before == entry::link && link_target(path) == target) return std::string{};
  auto dir = open_folder(folder);
  if (!dir) return fail(dir.error());
  if (kind_of(folder + "/" + fresh) == entry::other)  // an earlier try ended between the two steps below
    if (auto aside = set_aside(dir->get(), folder, fresh, name); !aside) return aside;
  ::unlinkat(dir->get(), fresh.c_str(), 0);
  if (::symlinkat(target.c_str(), dir->get(), fresh.c_str()) != 0) return fail(trouble(folder + "/" + fresh, errno));
  std::string said = before == entry::absent ? "was missing" : "pointed to " + link_target(path);
  if (before == entry::other) {  // the two change places, then what was there is set aside
    if (::renameat2(dir->get(), fresh.c_str(), dir->get(), name.c_str(), RENAME_EXCHANGE) != 0)
      return fail(trouble(path + " stands in the way", errno));
    auto aside = set_aside(dir->get(), folder, fresh, name);
    if (!aside) return aside;
    said = "was not a link: what was in its place is " + *aside + " now";
  } else if (::renameat(dir->get(), fresh.c_str(), dir->get(), name.c_str()) != 0) {
    return fail(trouble(path, errno));
  }
  if (::fsync(dir->get()) != 0) return fail(trouble(folder, errno));
  return said;
}

result<void> drop_link(const std::string& folder, const std::string& name) {
  if (kind_of(folder + "/" + name) != entry::link) return {};
  if (::unlink((folder + "/" + name).c_str()) != 0 && errno != ENOENT) return fail(trouble(folder + "/" + name, errno));
  return {};
}

// The folder's name is free at once, its content is removed after that.
result<void> drop_folder(const std::string& parent, const std::string& name) {
  auto dir = open_folder(parent);
  if (!dir) return errno == ENOENT ? result<void>{} : fail(dir.error());
  auto gone = remove_dir(dir->get(), parent, name);
  if (!gone) return fail(gone.error());
  return {};
}
result<void> drop_tree(const site& s, uint32_t number) {
  const auto name = std::to_string(number);
  ::unlink((s.own_folder() + "/" + name + ".stamp").c_str());  // from now on it is not whole
  const auto trash = ".trash-" + name;
  if (is_folder(s.tree(number))) {
    if (auto ok = drop_folder(s.own_folder(), trash); !ok) return ok;
    if (::rename(s.tree(number).c_str(), (s.own_folder() + "/" + trash).c_str()) != 0)
      return fail(trouble(s.tree(number), errno));
  }
  return drop_folder(s.own_folder(), trash);
}

std::string text_of(const site_wanted& w) {
  std::string out = w.service.value + "\n" + std::to_string(w.number) + "\n";
  for (const auto n : w.served) out += std::to_string(n) + " ";
  return out + "\n";
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> out;
  auto dir = open_folder(folder);
  if (!dir) return out;
  list_dir(dir->get(), [&](const char* name, bool) {
    out.emplace_back(name);
    return true;
  });
  std::ranges::sort(out);
  return out;
}

// Makes both links. Returns what was wrong with them.
result<std::vector<std::string>> make_links(const site& s, uint32_t number) {
  std::vector<std::string> said;
  auto current = set_link(s.folder(), current_link, std::to_string(number));
  if (!current) return fail(current.error());
  if (!current->empty()) said.push_back("current " + *current);
  auto web = set_link(s.root + "/" + s.project + "/" + web_folder, s.service, "../" + s.service + "/" + current_link);
  if (!web) return fail(web.error());
  if (!web->empty()) said.push_back("the link in the web root " + *web);
  return said;
}

}  // namespace

result<void> prepare_site(const site& s) {
  const auto project = s.root + "/" + s.project;
  for (const auto& path : {s.root, project, project + "/" + web_folder, s.folder(), s.own_folder()})
    if (auto ok = make_folder(path); !ok) return ok;
  ::unlink((s.own_folder() + "/" + left_note).c_str());
  return {};
}

result<void> leave_site(const site& s) { return write_small(s.own_folder(), left_note, {}); }

bool is_left(const site& s) { return kind_of(s.own_folder() + "/" + left_note) != entry::absent; }

std::optional<site_stamp> stamp_of(const site& s, uint32_t number) {
  if (!is_folder(s.tree(number))) return std::nullopt;
  std::istringstream text(read_small(s.own_folder() + "/" + std::to_string(number) + ".stamp"));
  site_stamp out;
  if (!(text >> out.source >> out.tree_hash >> out.files >> out.bytes)) return std::nullopt;
  return out;
}

result<void> place_tree(const site& s, uint32_t number, const site_stamp& stamp) {
  if (auto there = stamp_of(s, number); there && there->source == stamp.source) return {};
  if (is_folder(s.new_tree(number))) {
    if (auto ok = drop_tree(s, number); !ok) return ok;
    if (::rename(s.new_tree(number).c_str(), s.tree(number).c_str()) != 0) return fail(trouble(s.tree(number), errno));
  }
  auto folder = open_folder(s.folder());
  if (!folder) return fail(folder.error());
  if (::fsync(folder->get()) != 0) return fail(trouble(s.folder(), errno));
  return write_small(s.own_folder(), std::to_string(number) + ".stamp",
                     fmt::format("{}\n{}\n{}\n{}\n", stamp.source, stamp.tree_hash, stamp.files, stamp.bytes));
}

result<void> drop_unfinished(const site& s, uint32_t number) {
  for (const auto* end : {".archive", ".archive.part", ".archive.of", ".archive.of.new", ".context", ".output",
                          ".output.of", ".output.of.new", ".image.of", ".image.of.new"})
    ::unlink((s.own_folder() + "/" + std::to_string(number) + end).c_str());
  if (auto ok = drop_folder(s.own_folder(), std::to_string(number) + ".git"); !ok) return ok;
  return drop_tree_on_its_way(s, number);
}

result<void> drop_tree_on_its_way(const site& s, uint32_t number) {
  return drop_folder(s.own_folder(), std::to_string(number) + ".tree");
}

result<void> note(const site& s, uint32_t number, const std::string& what, const std::string& text) {
  return write_small(s.own_folder(), std::to_string(number) + "." + what + ".of", text);
}

std::string noted(const site& s, uint32_t number, const std::string& what) {
  return read_small(s.own_folder() + "/" + std::to_string(number) + "." + what + ".of");
}

std::vector<uint32_t> deployments_of(const site& s) {
  std::set<uint32_t> out;
  for (const auto& name : names_in(s.own_folder()))
    if (const auto n = number_in(name)) out.insert(*n);
  return {out.begin(), out.end()};
}

result<void> prune_site(const site& s, const std::vector<uint32_t>& keep) {
  const auto served = wanted_of(s).value_or(site_wanted{}).number;  // until another is, whatever `keep` says
  const auto kept = [&](uint32_t n) { return n == served || std::ranges::find(keep, n) != keep.end(); };
  for (const auto& name : names_in(s.own_folder())) {
    if (name.starts_with(".trash-")) {
      if (auto ok = drop_folder(s.own_folder(), name); !ok) return ok;
    } else if (const auto n = number_in(name); n && !kept(*n)) {
      if (auto ok = drop_unfinished(s, *n); !ok) return ok;
      if (auto ok = drop_tree(s, *n); !ok) return ok;
      ::unlink(s.log(*n).c_str());
      if (name.ends_with(".of") || name.ends_with(".of.new")) ::unlink((s.own_folder() + "/" + name).c_str());
    }
  }
  for (const auto& name : names_in(s.folder()))  // a tree that never got its stamp
    if (const auto n = number_in(name); n && name == std::to_string(*n) && !kept(*n))
      if (auto ok = drop_tree(s, *n); !ok) return ok;
  return {};
}

result<site_wanted> wanted_of(const site& s) {
  std::istringstream text(read_small(s.own_folder() + "/wanted"));
  site_wanted out;
  if (!(text >> out.service.value >> out.number))
    return fail(ec::not_found, s.folder() + " has no deployment to serve", "deploy to it");
  for (uint32_t n = 0; text >> n;) out.served.push_back(n);
  return out;
}

result<switched> switch_site(const site& s, const service_id& id, uint32_t number, bool going_back,
                             const std::string& source) {
  const auto stamp = number == 0 ? std::nullopt : stamp_of(s, number);
  if (number != 0 && (!stamp || (!source.empty() && stamp->source != source)))
    return fail(ec::no_data, "the files of #" + std::to_string(number) + " do not exist any more", "deploy again");
  site_wanted w = wanted_of(s).value_or(site_wanted{});
  if (going_back) std::erase(w.served, w.number);
  w.service = id;
  w.number = number;
  std::erase(w.served, number);
  if (number != 0) w.served.push_back(number);
  // What is wanted is durable before it is visible: a repair of the links meanwhile makes the same ones.
  if (auto ok = write_small(s.own_folder(), "wanted", text_of(w)); !ok) return fail(ok.error());
  ::unlink((s.own_folder() + "/" + left_note).c_str());
  switched out;
  out.previous = link_target(s.folder() + "/" + current_link);
  if (number == 0) {
    auto web = drop_link(s.root + "/" + s.project + "/" + web_folder, s.service);
    auto current = drop_link(s.folder(), current_link);
    if (!web || !current) return fail(web ? current.error() : web.error());
    return out;
  }
  auto made = make_links(s, number);
  if (!made) return fail(made.error());
  for (auto& said : *made)
    if (said.find("was not a link") != said.npos) out.repairs.push_back(std::move(said));
  return out;
}

site_state repair_site(const site& s) {
  site_state out;
  const auto w = wanted_of(s);
  if (!w || w->number == 0) return out;
  uint32_t serve = stamp_of(s, w->number) ? w->number : 0;
  for (auto n = w->served.rbegin(); serve == 0 && n != w->served.rend(); ++n)
    if (stamp_of(s, *n)) serve = *n;
  if (serve == 0) {
    out.health = service_health::unhealthy;
    out.reason = "the files of #" + std::to_string(w->number) + " are gone, and there are none of an earlier one";
    return out;
  }
  auto made = make_links(s, serve);
  if (!made) {
    out.health = service_health::unhealthy;
    out.reason = made.error().message;
    return out;
  }
  out.repairs = std::move(*made);
  out.health = serve == w->number ? service_health::healthy : service_health::degraded;
  if (serve != w->number)
    out.reason = "the files of #" + std::to_string(w->number) + " are gone: #" + std::to_string(serve) + " is served";
  return out;
}

result<void> remove_site(const site& s) {
  const auto project = s.root + "/" + s.project;
  if (auto ok = drop_link(project + "/" + web_folder, s.service); !ok) return ok;
  ::unlink((s.own_folder() + "/wanted").c_str());
  return drop_folder(project, s.service);
}

namespace {
std::string text_of(const project_place& p) { return p.id.value + "\n" + std::to_string(p.port) + "\n"; }
}  // namespace

bool is_remembered(const std::string& root, const project_place& p) {
  return read_small(root + "/" + p.name + "/.server") == text_of(p);
}

result<void> remember_project(const std::string& root, const project_place& p) {
  const auto folder = root + "/" + p.name;
  const auto text = text_of(p);
  if (is_remembered(root, p)) return {};
  for (const auto& path : {root, folder, folder + "/" + web_folder})
    if (auto ok = make_folder(path); !ok) return ok;
  return write_small(folder, ".server", text);
}

std::vector<project_place> projects_below(const std::string& root) {
  std::vector<project_place> out;
  for (const auto& name : names_in(root)) {
    project_place p;
    p.name = name;
    std::istringstream text(read_small(root + "/" + name + "/.server"));
    if (name[0] != '.' && text >> p.id.value >> p.port) out.push_back(std::move(p));
  }
  return out;
}

result<void> forget_project(const std::string& root, const std::string& name) {
  const auto folder = root + "/" + name;
  ::unlink((folder + "/.server").c_str());
  ::rmdir((folder + "/" + web_folder).c_str());
  if (::rmdir(folder.c_str()) != 0 && errno != ENOENT && errno != ENOTEMPTY) return fail(trouble(folder, errno));
  return {};
}

result<void> remember_container(const std::string& root, const std::string& id, const std::string& what) {
  const auto folder = root + "/" + containers_folder;
  if (read_whole(folder + "/" + id) == what) return {};
  for (const auto& path : {root, folder})
    if (auto ok = make_folder(path); !ok) return ok;
  if (::chmod(folder.c_str(), 0700) != 0) return fail(trouble(folder, errno));
  return write_small(folder, id, what);
}

result<void> forget_container(const std::string& root, const std::string& id) {
  const auto folder = root + "/" + containers_folder;
  if (::unlink((folder + "/" + id).c_str()) != 0 && errno != ENOENT) return fail(trouble(folder + "/" + id, errno));
  return {};
}

std::vector<std::string> containers_below(const std::string& root) {
  std::vector<std::string> out;
  for (const auto& id : names_in(root + "/" + containers_folder))
    if (!id.ends_with(".new")) out.push_back(id);
  return out;
}

std::string remembered_container(const std::string& root, const std::string& id) {
  return read_whole(root + "/" + containers_folder + "/" + id);
}

std::vector<site> sites_below(const std::string& root) {
  std::vector<site> out;
  for (const auto& project : names_in(root))
    if (project[0] != '.')
      for (const auto& service : names_in(root + "/" + project))
        if (service[0] != '.' && is_folder(root + "/" + project + "/" + service + "/.zedops"))
          out.push_back({root, project, service});
  return out;
}

}  // namespace zedops::host
