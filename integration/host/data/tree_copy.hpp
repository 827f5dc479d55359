// Private to this folder: copying a tree and comparing it with its original. Both walk in order of names, so that the
// hashes of one meet the files of the other.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "integration/host/data/data_move.hpp"
#include "integration/host/files.hpp"

namespace zedops::host {

struct copied_tree {
  copy_size size;
  std::vector<std::array<uint64_t, 2>> hashes;  // of regular files, in order of the walk; a hard link's only once
};

// Copies the content of directory `from` into the empty directory `to`, and the metadata of `from` itself.
msg::result<copied_tree> copy_content(int from, int to, const copy_progress& progress);
// The first difference is the error. Reads `to` from the disk, as far as the kernel can be asked to.
msg::result<void> compare_content(int from, int to, const copied_tree& copied, const copy_progress& progress);

// Entries of a directory in order of their names. Returns 0 or errno.
int sorted_names(int dir, std::vector<std::string>& names);
// An error "path/in/tree: why", with its remedy.
tl::unexpected<msg::error> copy_trouble(const std::string& path, const std::string& why);
tl::unexpected<msg::error> copy_trouble(const std::string& path, int error);

}  // namespace zedops::host
