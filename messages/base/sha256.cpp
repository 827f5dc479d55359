#include "messages/base/sha256.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

namespace zedops::msg {

// Nothing here fails except for lack of memory.
sha256::sha256() : context_(EVP_MD_CTX_new()) {
  if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) throw std::bad_alloc();
}

void sha256::ender::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

void sha256::add(std::string_view bytes) {
  if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1) throw std::bad_alloc();
}

std::string sha256::hex() {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (EVP_DigestFinal_ex(context_.get(), out, &size) != 1) throw std::bad_alloc();
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    text += "0123456789abcdef"[out[i] >> 4];
    text += "0123456789abcdef"[out[i] & 15];
  }
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
    if (std::ferror(file.get())) return fail(ec::internal, path + " cannot be read", "check that disk");
    return hash.hex();
  }
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace zedops::msg
