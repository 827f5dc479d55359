// Disk faults on demand: this program's own pwrite, writev and fdatasync replace the C library's, for LMDB too.
#pragma once
#include <cstdint>

namespace zedops::store::test {

// From now on writes beyond the first `bytes` of any file fail with ENOSPC; ~0: no limit.
void limit_disk(uint64_t bytes);
// The next `times` writes below the first two pages (LMDB's meta pages) fail with EIO.
void fail_meta_writes(int times);
// The next `times` flushes of a file fail with EIO.
void fail_syncs(int times);
int faults_struck();  // since the last call

struct no_faults {  // at the end of a test, however it ends
  ~no_faults();
};

}  // namespace zedops::store::test
