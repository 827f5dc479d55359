// Hashes uploads while they arrive, so that their end need not read them again. In a thread of its own, because
// hashing takes longer than all else that is done with a piece.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "messages/base/sha256.hpp"

namespace zedops::store::detail {

// For one caller. The constructor throws std::system_error when no thread can be had.
class piece_hasher {
 public:
  piece_hasher();
  ~piece_hasher();
  piece_hasher(const piece_hasher&) = delete;
  piece_hasher& operator=(const piece_hasher&) = delete;

  // Of an upload each piece follows the one before, or repeats bytes of it. Waits while pieces_max are to be hashed.
  void add(const std::string& upload, uint64_t offset, std::string data);
  // The hash of the first `bytes` bytes, hexadecimal, or nothing when some were not added. Forgets the upload.
  std::optional<std::string> take(const std::string& upload, uint64_t bytes);

 private:
  static constexpr size_t pieces_max = 2;  // the next one is always there, and memory does not grow with the archive
  struct piece {
    std::string upload;
    uint64_t offset;
    std::string data;
  };
  struct running_hash {
    msg::sha256 hash;
    uint64_t upto = 0;
  };
  void run();
  void hash(const piece& p);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<piece> pieces_;  // the first one is being hashed
  bool ends_ = false;
  std::map<std::string, running_hash> hashes_;  // the thread's while there are pieces
  std::thread thread_;
};

}  // namespace zedops::store::detail
