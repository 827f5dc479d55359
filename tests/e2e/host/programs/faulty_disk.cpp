// A disk that fails, for whole processes: preloaded, it replaces the C library's fdatasync. While the file that
// ZEDOPS_FAULT names exists, every flush fails with EIO; one that says "once" is removed by the first.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

extern "C" int fdatasync(int fd) {
  if (const char* path = std::getenv("ZEDOPS_FAULT")) {
    const int fault = ::open(path, O_RDONLY | O_CLOEXEC);
    if (fault >= 0) {
      char word[4] = {};
      const auto n = ::read(fault, word, sizeof word);
      ::close(fault);
      if (n == 4 && std::memcmp(word, "once", 4) == 0) ::unlink(path);
      errno = EIO;
      return -1;
    }
  }
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}
