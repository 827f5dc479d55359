// SHA-256 of what comes in pieces.
#pragma once
#include <sodium/crypto_hash_sha256.h>

#include <string>
#include <string_view>

#include "messages/base/error.hpp"

namespace zedops::msg {

class sha256 {
 public:
  sha256() { crypto_hash_sha256_init(&state_); }
  void add(std::string_view bytes) {
    crypto_hash_sha256_update(&state_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  }
  std::string hex();  // hexadecimal, once

 private:
  crypto_hash_sha256_state state_;
};

// Of a whole file. Errors: not_found, internal.
result<std::string> sha256_of_file(const std::string& path);

// 64 hexadecimal digits, lower case.
bool is_sha256(std::string_view text);

}  // namespace zedops::msg
