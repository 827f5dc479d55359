// zedctl: the composition root. Everything else is in the library, where tests reach it.
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <random>
#include <thread>

#include "tools/zedctl/world.hpp"

extern char** environ;

namespace {

using namespace zedops;

std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "it is set in a signal handler");

void on_interrupt(int) { interrupted = true; }

// The first Ctrl-C stops the watching, the second ends the program.
void watch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  signal(SIGPIPE, SIG_DFL);  // `zedctl ps | head` ends quietly
}

// `zedctl event watch | head -1`: the next write would end it, but there may be none for hours.
bool reader_gone() {
  pollfd out{STDOUT_FILENO, 0, 0};
  return ::poll(&out, 1, 0) > 0 && (out.revents & POLLERR) != 0;
}

unsigned terminal_width(int fd) {
  winsize size{};
  return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::map<std::string, std::string> environment() {
  std::map<std::string, std::string> out;
  for (char** at = environ; *at; ++at) {
    std::string_view entry = *at;
    auto equals = entry.find('=');
    if (equals != std::string_view::npos) out.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return out;
}

std::string random_key() {
  std::random_device entropy;
  std::string out;
  for (int i = 0; i < 32; ++i) out += "0123456789abcdef"[entropy() % 16];
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  // Freed pieces of an upload stay in the heap: returned to the kernel, each would be faulted in again page by page.
  ::mallopt(M_MMAP_THRESHOLD, 32 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 64 << 20);
  std::ios::sync_with_stdio(false);
  watch_interrupts();
  ctl::world w{std::cout, std::cerr, std::cin};
  w.in_tty = isatty(STDIN_FILENO);
  w.out_tty = isatty(STDOUT_FILENO);
  w.err_tty = isatty(STDERR_FILENO);
  w.width = [fd = w.out_tty ? STDOUT_FILENO : STDERR_FILENO] { return terminal_width(fd); };
  w.root = geteuid() == 0;
  w.env = environment();
  w.now = [] { return std::chrono::time_point_cast<msg::duration>(std::chrono::system_clock::now()); };
  w.ticks = [] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch());
  };
  w.pause = [](std::chrono::milliseconds time) { std::this_thread::sleep_for(time); };
  w.interrupted = [] { return interrupted.load() || reader_gone(); };
  w.random_key = random_key;
  w.connect = [](const ctl::endpoints& where) { return ctl::connect_bus(where); };
  try {
    const int status = ctl::run(w, {argv + 1, argv + argc});
    errno = 0;
    std::cout.flush();
    if (std::cout.good()) return reader_gone() ? 128 + SIGPIPE : status;
    std::cerr << "error: the output could not be written" << (errno ? std::string(": ") + std::strerror(errno) : "")
              << "\n  next: the command itself has run; make room for the output and look at the result again\n";
    return status == 0 ? 1 : status;
  } catch (const std::exception& e) {
    std::cerr << "error: zedctl failed: " << e.what() << "\n  next: report this, with the command line\n";
    return 1;
  }
}
