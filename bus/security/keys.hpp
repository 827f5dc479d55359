// CURVE keys: who a process is on a network. As text they are base64url, 43 characters: ZeroMQ's own form is full of
// characters that are special to shells and URLs.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "messages/base/error.hpp"

namespace zedops::bus {

inline constexpr size_t key_text_bytes = 43;

struct key_pair {
  std::string public_key;
  std::string secret_key;
};

// How an endpoint is dialled; a tcp:// one needs keys.
struct address {
  address(std::string u) : uri(std::move(u)) {}  // implicit on purpose: a socket file needs no keys
  address(const char* u) : uri(u) {}
  address(std::string u, std::string manager, key_pair mine)
      : uri(std::move(u)), manager_key(std::move(manager)), own(std::move(mine)) {}
  std::string uri;
  std::string manager_key;  // the public key that the manager there is expected to have
  key_pair own;
};

bool is_tcp(std::string_view uri);
bool is_public_key(std::string_view text);
std::string key_text(std::string_view raw);  // of 32 bytes
// As ZeroMQ's options take it; empty: it is not a key.
std::string z85_of(std::string_view key);
key_pair new_key_pair();
// Errors: bad_request.
msg::result<key_pair> pair_of_secret(const std::string& secret);

// "SHA256:…", for people who compare two keys.
std::string fingerprint(std::string_view public_key);

// Files of two lines, public and secret, for their owner alone. Errors: not_found, forbidden (others may read it, or
// this user may not), bad_request (it is no key file).
msg::result<key_pair> load_key(const std::filesystem::path& file);
// A new one; an existing file is never written over: already_exists, forbidden.
msg::result<key_pair> make_key(const std::filesystem::path& file);
msg::result<key_pair> load_or_make_key(const std::filesystem::path& file);

}  // namespace zedops::bus
