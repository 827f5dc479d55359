// THE layout of static services on a host's disk, and every step that changes it. Blocking; for worker threads.
//
//   {root}/{project}/                     what the project's server sees, read-only
//     .server                             its id and port
//     .web/{service}                      its web root: a link to ../{service}/current
//     {service}/current                   a link to the number of the deployment that is served
//     {service}/{number}/                 the files of a deployment: whole, or not there
//     {service}/.zedops/                  ours alone:
//       wanted                            which one is to be served, and which were before
//       left                              the manager does not know its service; see leave_site
//       {number}.stamp                    the deployment's files are whole, and what they are
//       {number}.archive[.part]           its source, in transfer; {number}.git: where git fetches it
//       {number}.output                   what a build has made of its source, as an archive
//       {number}.context                  what a build is made of, while it is built
//       {number}.{what}.of                of which source the archive, output or image of this number is
//       {number}.log                      what its phases wrote
//       {number}.tree                     its files, while they are unpacked; .trash-*: while they are removed
//
// Links are replaced by renaming, so that a reader always finds one. Anything else in the place of a link is set aside,
// and kept. Every step may be cut short anywhere and done again.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "messages/base/error.hpp"
#include "messages/records/deploy.hpp"

namespace zedops::host {

// Of a project or a service: it is a folder, a part of a host name and of a path. Lower-case letter first, then
// lower-case letters, digits, dash and underscore, 32 in all.
struct site {
  std::string root;
  std::string project;
  std::string service;

  std::string folder() const { return root + "/" + project + "/" + service; }
  std::string own_folder() const { return folder() + "/.zedops"; }
  std::string tree(uint32_t number) const { return folder() + "/" + std::to_string(number); }
  std::string new_tree(uint32_t number) const { return own_folder() + "/" + std::to_string(number) + ".tree"; }
  std::string archive(uint32_t number) const { return own_folder() + "/" + std::to_string(number) + ".archive"; }
  std::string output(uint32_t number) const { return own_folder() + "/" + std::to_string(number) + ".output"; }
  std::string context(uint32_t number) const { return own_folder() + "/" + std::to_string(number) + ".context"; }
  std::string log(uint32_t number) const { return own_folder() + "/" + std::to_string(number) + ".log"; }
  std::string repository(uint32_t number) const { return own_folder() + "/" + std::to_string(number) + ".git"; }
};

// What makes the files of a deployment whole: written last.
struct site_stamp {
  std::string source;  // SHA-256 of the archive, or the commit
  std::string tree_hash;
  uint64_t files = 0;
  uint64_t bytes = 0;
};

// What is to be served, by the last command to this host.
struct site_wanted {
  msg::service_id service;
  uint32_t number = 0;           // zero: nothing
  std::vector<uint32_t> served;  // that were switched to, oldest first
};

msg::result<void> prepare_site(const site& s);
std::optional<site_stamp> stamp_of(const site& s, uint32_t number);  // nothing: incomplete, or absent
// The new tree, complete and durable, becomes the deployment's; it replaces one of another source.
msg::result<void> place_tree(const site& s, uint32_t number, const site_stamp& stamp);
// Removes whatever is left of a deployment that failed.
msg::result<void> drop_unfinished(const site& s, uint32_t number);
// Removes files of a deployment that were being unpacked.
msg::result<void> drop_tree_on_its_way(const site& s, uint32_t number);
// Numbers of which something is on this host.
std::vector<uint32_t> deployments_of(const site& s);
// Notes what a part of a deployment was made from, durably. Dropped with what is unfinished. Empty: nothing was noted.
msg::result<void> note(const site& s, uint32_t number, const std::string& what, const std::string& text);
std::string noted(const site& s, uint32_t number, const std::string& what);
// Removes all deployments but these, and but the one that is served.
msg::result<void> prune_site(const site& s, const std::vector<uint32_t>& keep);
msg::result<site_wanted> wanted_of(const site& s);

struct switched {
  std::string previous;              // what `current` led to; empty: nothing
  std::vector<std::string> repairs;  // what stood in the way, and where it is now
};
// `going_back`: the one that was served last has failed. Number zero removes the link. `source`: what the deployment
// has to be made from; empty: whatever it is. Errors: no_data (its files are missing).
msg::result<switched> switch_site(const site& s, const msg::service_id& id, uint32_t number, bool going_back,
                                  const std::string& source = {});

struct site_state {
  msg::service_health health = msg::service_health::unknown;
  std::string reason;
  std::vector<std::string> repairs;  // what was repaired
};
// Makes the links as they should be. If what is to be served is gone, the newest one that was served before and is
// whole takes its place.
site_state repair_site(const site& s);

// Removes all of the service, links first.
msg::result<void> remove_site(const site& s);

// What builds of a service keep from one to the next.
//   {root}/.cache/{service id}
std::string cache_folder(const std::string& root, const std::string& service_id);
msg::result<void> drop_cache(const std::string& root, const std::string& service_id);
inline constexpr uint64_t cache_bytes_max = 2ULL << 30;
// Removes it as a whole if it is larger: nobody but its tools knows which part of it is worth something. Returns
// whether it was removed.
msg::result<bool> limit_cache(const std::string& root, const std::string& service_id,
                              uint64_t bytes_max = cache_bytes_max);

// Marks it as one whose service the manager does not know. The files stay: a manager that was restored from an old
// backup does not know what was made since, and these may be the only copy. But the project's server does not run
// because of them. The next deployment or switch removes the mark.
msg::result<void> leave_site(const site& s);
bool is_left(const site& s);

// The project's server on this host, written down before it is made: if it is removed by hand it can be made again.
struct project_place {
  msg::project_id id;
  std::string name;
  uint16_t port = 0;
};
msg::result<void> remember_project(const std::string& root, const project_place& p);
std::vector<project_place> projects_below(const std::string& root);
bool is_remembered(const std::string& root, const project_place& p);
// Removes its folder too, if no service is left in it.
msg::result<void> forget_project(const std::string& root, const std::string& name);

// Containers of container services, by the last command to this host; beside the files, where no file server looks.
//   {root}/.containers/{service id}     readable to us alone
msg::result<void> remember_container(const std::string& root, const std::string& service_id, const std::string& what);
msg::result<void> forget_container(const std::string& root, const std::string& service_id);
std::vector<std::string> containers_below(const std::string& root);                        // ids of services
std::string remembered_container(const std::string& root, const std::string& service_id);  // empty: there is none

// Limit of what the phases of a deployment write; further lines are dropped.
inline constexpr uint64_t log_bytes_max = 4 << 20;

// Every service that this root has; damaged folders are left out.
std::vector<site> sites_below(const std::string& root);

}  // namespace zedops::host
