// Archives that clients send: a folder beside the store.
//
//   {dir}/{id}         all of it, verified and durable
//   {dir}/{id}.part    what has arrived so far
//   {dir}/{id}.about   name, size, hash ("-" until it is known), when it was begun, and since which boot of the host;
//                      its time of change is the last use, to the hour
//
// The id follows from the hash and the size, so that the same archive is the same upload, whichever client sends it
// again and after any crash. A client that has not read all of a large file yet gives a key of its own instead of the
// hash; nothing could tell then what a power cut took of its pieces, so it begins anew after one. One thread writes;
// any may look and read.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "messages/api/deploy_requests.hpp"
#include "messages/api/deploy_views.hpp"
#include "messages/base/error.hpp"
#include "persistence/detail/piece_hasher.hpp"

namespace zedops::store {

inline constexpr uint64_t upload_bytes_max = uint64_t{8} << 30;    // of one
inline constexpr uint64_t uploads_bytes_max = uint64_t{50} << 30;  // of all, at their full size
inline constexpr size_t uploads_max = 10'000;
inline constexpr msg::duration upload_kept{std::chrono::hours(24)};  // after it was last sent or needed

class upload_store {
 public:
  static msg::result<std::unique_ptr<upload_store>> open(const std::string& dir);

  // Errors: bad_request, too_large, store_full.
  msg::result<msg::upload_view> begin(const msg::begin_upload& b, msg::time_point now);
  // Bytes that have arrived may be sent again; a gap is bad_request, whose hint says where to go on.
  msg::result<msg::upload_view> add(const std::string& id, uint64_t offset, std::string data, msg::time_point now);
  // Verified if a hash was announced, and durable. Errors: wrong_state (bytes are missing), bad_request (another hash:
  // start again).
  msg::result<msg::upload_view> end(const std::string& id);
  msg::result<void> remove(const std::string& id);
  // Removes those that were not begun, sent or needed for upload_kept.
  void collect(msg::time_point now, const std::function<bool(const msg::upload_id&)>& needed);

  std::vector<msg::upload_view> list() const;
  std::optional<msg::upload_view> find(const std::string& id) const;
  msg::result<std::string> read(const std::string& id, uint64_t offset, size_t bytes) const;

 private:
  explicit upload_store(std::string dir) : dir_(std::move(dir)) {}
  std::string place(const std::string& id, const char* end = "") const { return dir_ + "/" + id + end; }
  void put(msg::upload_view v);
  void use(const std::string& id, msg::time_point now);
  msg::time_point last_use(const std::string& id) const;
  msg::error unknown(const std::string& id) const;

  msg::result<std::string> hash_of(const msg::upload_view& v, const std::string& file);

  const std::string dir_;
  mutable std::mutex mutex_;
  std::map<std::string, msg::upload_view> all_;
  struct use_times {
    msg::time_point last{}, noted{};  // `noted` on the disk
  };
  std::map<std::string, use_times> used_;
  detail::piece_hasher hasher_;
};

}  // namespace zedops::store
