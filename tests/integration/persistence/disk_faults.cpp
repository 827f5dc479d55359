#include "tests/integration/persistence/disk_faults.hpp"

#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace {

constexpr uint64_t two_pages = 8192;
std::atomic<uint64_t> disk_bytes{~uint64_t{0}};
std::atomic<int> meta_faults{0}, sync_faults{0}, struck{0};

bool take(std::atomic<int>& left) {
  int n = left;
  while (n > 0)
    if (left.compare_exchange_weak(n, n - 1)) return ++struck, true;
  return false;
}

// True: the write must fail, errno says why.
bool refuse(uint64_t at, uint64_t bytes) {
  if (at < two_pages && take(meta_faults)) return errno = EIO, true;
  if (at + bytes > disk_bytes) return ++struck, errno = ENOSPC, true;
  return false;
}

}  // namespace

extern "C" ssize_t pwrite(int fd, const void* data, size_t bytes, off_t at) {
  if (refuse(static_cast<uint64_t>(at), bytes)) return -1;
  return syscall(SYS_pwrite64, fd, data, bytes, at);
}

extern "C" ssize_t writev(int fd, const iovec* parts, int count) {
  uint64_t bytes = 0;
  for (int i = 0; i < count; ++i) bytes += parts[i].iov_len;
  const off_t at = lseek(fd, 0, SEEK_CUR);
  if (at >= 0 && refuse(static_cast<uint64_t>(at), bytes)) return -1;
  return syscall(SYS_writev, fd, parts, count);
}

extern "C" int fdatasync(int fd) {
  if (take(sync_faults)) return errno = EIO, -1;
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}

namespace zedops::store::test {

void limit_disk(uint64_t bytes) { disk_bytes = bytes; }
void fail_meta_writes(int times) { meta_faults = times; }
void fail_syncs(int times) { sync_faults = times; }
int faults_struck() { return struck.exchange(0); }

no_faults::~no_faults() {
  limit_disk(~uint64_t{0});
  fail_meta_writes(0);
  fail_syncs(0);
}

}  // namespace zedops::store::test
