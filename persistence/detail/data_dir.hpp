// One process per data directory: an flock on DIR/lock, which also says how the last run ended.
#pragma once
#include <filesystem>
#include <string>

#include "messages/base/error.hpp"

namespace zedops::store::detail {

using msg::result;

inline constexpr const char* data_file = "data.mdb";
inline constexpr const char* lock_file = "lock";
inline constexpr const char* reserve_file = "reserve";

// What DIR/lock said when it was taken.
enum class last_run : uint8_t {
  none,      // no store was ever made here
  creating,  // ended before the first store was complete: there is no data to lose
  clean,     // closed properly
  crashed,   // anything else
};

class fd_owner {
 public:
  explicit fd_owner(int fd = -1) : fd_(fd) {}
  fd_owner(fd_owner&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  fd_owner& operator=(fd_owner&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~fd_owner();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

// LMDB must not open one file twice in a process: the second close would drop the locks of the first.
class process_claim {
 public:
  static result<process_claim> take(const std::filesystem::path& dir);
  process_claim() = default;
  process_claim(process_claim&& other) noexcept : id_(std::exchange(other.id_, {})) {}
  process_claim& operator=(process_claim&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  ~process_claim();

 private:
  std::pair<uint64_t, uint64_t> id_{};  // device and inode of the directory
};

class dir_lock {
 public:
  dir_lock() = default;  // holds nothing (read-only openings)
  // Makes the directory (mode 0700) when it is absent. busy: another process has it; the message names its pid.
  static result<dir_lock> take(const std::filesystem::path& dir);
  last_run found() const { return found_; }
  result<void> say_creating() { return say("creating "); }
  result<void> say_open() { return say("open "); }
  void say_clean();

 private:
  result<void> say(const char* state);
  fd_owner fd_;
  std::filesystem::path path_;
  last_run found_ = last_run::none;
};

// A file of allocated, empty space: given up when the disk is full, so that essential writes still fit.
class reserve_space {
 public:
  reserve_space() = default;
  reserve_space(std::filesystem::path path, uint64_t bytes) : path_(std::move(path)), bytes_(bytes) {}
  bool hold();  // false: the disk has no room for it
  void give_up();

 private:
  std::filesystem::path path_;
  uint64_t bytes_ = 0;
};

// Writes zeros at the end of the file until it has this size. All or nothing.
void lengthen_with_zeros(const std::filesystem::path& file, uint64_t bytes);

// Gives a file that root makes here to the owner of the directory: a manager that runs as that user has to open it.
void give_to_dir_owner(const std::filesystem::path& file);

msg::error io_error(int number, const std::string& what);

}  // namespace zedops::store::detail
