#include "messages/base/sha256.hpp"

#include <sodium/utils.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

namespace zedops::msg {

std::string sha256::hex() {
  unsigned char out[crypto_hash_sha256_BYTES];
  crypto_hash_sha256_final(&state_, out);
  char text[crypto_hash_sha256_BYTES * 2 + 1];
  sodium_bin2hex(text, sizeof text, out, sizeof out);
  return text;
}

result<std::string> sha256_of_file(const std::string& path) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rbe"), std::fclose);
  if (!file) return fail(errno == ENOENT ? ec::not_found : ec::internal, path + ": " + std::strerror(errno), "");
  sha256 hash;
  std::vector<char> buffer(1 << 20);
  for (;;) {
    const auto n = std::fread(buffer.data(), 1, buffer.size(), file.get());
    hash.add({buffer.data(), n});
    if (n == buffer.size()) continue;
    if (std::ferror(file.get())) return fail(ec::internal, path + " cannot be read", "look at that disk");
    return hash.hex();
  }
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace zedops::msg
