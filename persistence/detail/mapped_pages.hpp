// The pages of a mapped file count as memory of the process once they were read, although the system can take them
// back at any time. After a scan of everything this tells the system that it may.
#pragma once
#include <filesystem>

namespace zedops::store::detail {

// The caller keeps the mapping in place meanwhile. Nothing is lost: the pages are those of the file, unchanged.
void release_mapped_pages(const std::filesystem::path& file);

}  // namespace zedops::store::detail
