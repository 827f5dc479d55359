#include "persistence/detail/mapped_pages.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

namespace zedops::store::detail {

void release_mapped_pages(const std::filesystem::path& file) {
  struct stat s {};
  if (::stat(file.c_str(), &s) != 0) return;
  // LMDB does not tell where its map is; the kernel does, by device and inode.
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long long from = 0, to = 0, inode = 0;
    unsigned major_number = 0, minor_number = 0;
    char may[5] = {};
    if (std::sscanf(line.c_str(), "%llx-%llx %4s %*x %x:%x %llu", &from, &to, may, &major_number, &minor_number,
                    &inode) != 6)
      continue;
    const bool shared = may[3] == 's';  // a private mapping could hold changes of its own
    if (!shared || inode != s.st_ino || major_number != major(s.st_dev) || minor_number != minor(s.st_dev)) continue;
    (void)::madvise(reinterpret_cast<void*>(static_cast<uintptr_t>(from)), static_cast<size_t>(to - from),
                    MADV_DONTNEED);
  }
}

}  // namespace zedops::store::detail
