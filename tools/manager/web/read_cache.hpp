// Answers about servers, encoded once for each state of the records and shared by all who may see everything.
#pragma once
#include <optional>
#include <string>
#include <unordered_map>

#include "integration/http/transport/message.hpp"

namespace zedops::app {

class read_cache {
 public:
  static constexpr size_t bytes_max = 32u << 20;

  // The answer to the same question in the same state of the records. On one thread, like put.
  const web::response* find(const std::string& question, uint64_t revision) {
    const auto i = kept_.find(question);
    return i == kept_.end() || i->second.revision != revision ? nullptr : &i->second.answer;
  }
  void put(const std::string& question, uint64_t revision, web::response answer) {
    const size_t bytes = question.size() + (answer.body ? answer.body->size() : 0);
    if (bytes_ + bytes > bytes_max) kept_.clear(), bytes_ = 0;
    if (bytes > bytes_max / 4) return;
    auto& e = kept_[question];
    bytes_ -= e.bytes;
    e = {revision, bytes, std::move(answer)};
    bytes_ += bytes;
  }

 private:
  struct entry {
    uint64_t revision = 0;
    size_t bytes = 0;
    web::response answer;
  };
  std::unordered_map<std::string, entry> kept_;
  size_t bytes_ = 0;
};

}  // namespace zedops::app
