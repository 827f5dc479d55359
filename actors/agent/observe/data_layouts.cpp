#include "actors/agent/observe/data_layouts.hpp"

#include <charconv>

namespace zedops::agent {

using namespace msg;

namespace {

std::string tree_of(const data_layout& layout) {
  auto root = layout.root;
  while (root.size() > 1 && root.back() == '/') root.pop_back();
  return root + '/' + layout.name;
}

std::optional<unsigned> number_of(std::string_view text) {
  unsigned n = 0;
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (problem != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return n;
}

}  // namespace

result<std::string> path_below(const data_layout& layout, const data_dir& dir) {
  const auto prefix = tree_of(layout) + '/';
  if (!dir.path.starts_with(prefix) || dir.path.size() == prefix.size())
    return fail(ec::bad_request, "directory " + dir.path + " is not below " + prefix,
                "the template must keep all directories of a server in its own tree");
  return dir.path.substr(prefix.size());
}

result<host::check_request> check_request_of(const data_layout& layout, const agent_id& owner, host::sizing sizes) {
  host::check_request out{{layout.root, owner.value}, layout.name, {}, sizes};
  for (const auto& dir : layout.dirs) {
    auto path = path_below(layout, dir);
    if (!path) return fail(std::move(path.error()));
    out.dirs.push_back({std::move(*path), dir.counts_as_data});
  }
  // What the image's own volumes contain is data, too.
  if (!out.dirs.empty()) out.dirs.push_back({std::string(volumes_folder.substr(0, volumes_folder.size() - 1)), true});
  return out;
}

result<host::dirs_request> dirs_request_of(const data_layout& layout, const agent_id& owner) {
  host::dirs_request out{{layout.root, owner.value}, layout.name, {}, {}, {}};
  for (const auto& dir : layout.dirs) {
    auto path = path_below(layout, dir);
    if (!path) return fail(std::move(path.error()));
    out.dirs.push_back(std::move(*path));
  }
  if (layout.owner.empty()) return out;
  const auto colon = layout.owner.find(':');
  auto uid = number_of(std::string_view(layout.owner).substr(0, colon));
  auto gid = colon == std::string::npos ? std::nullopt : number_of(std::string_view(layout.owner).substr(colon + 1));
  if (!uid || !gid)
    return fail(ec::bad_request, "owner of directories is '" + layout.owner + "'", "write it as numbers: uid:gid");
  out.uid = *uid;
  out.gid = *gid;
  return out;
}

data_row row_of(const known_server& server, const host::data_report& report) {
  data_row row;
  row.id = server.id;
  row.name = server.data.name;
  row.state = report.state;
  row.problem = report.error;
  if (report.size) row.bytes = report.size->bytes;
  for (size_t i = 0; i < server.data.dirs.size(); ++i) {
    const auto& dir = server.data.dirs[i];
    const auto state = i < report.dirs.size() ? report.dirs[i].state : data_state::unknown;
    if (i < report.dirs.size() && row.problem.empty()) row.problem = report.dirs[i].error;
    if (dir.name == "bin") {
      row.bin_path = dir.path;
      row.bin = state;
    } else if (dir.name == "data") {
      row.data_path = dir.path;
      row.data = state;
    }
  }
  return row;
}

}  // namespace zedops::agent
