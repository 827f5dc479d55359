#include "bus/security/keys.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace zedops::bus {
namespace {

constexpr size_t key_bytes = 32, z85_bytes = 40;
constexpr size_t key_file_bytes_max = 1'024;

struct fd_guard {
  int fd;
  ~fd_guard() {
    if (fd >= 0) ::close(fd);
  }
};

msg::result<key_pair> parse(const std::filesystem::path& file, std::string_view text) {
  key_pair out;
  for (auto* part : {&out.public_key, &out.secret_key}) {
    const auto end = text.find('\n');
    *part = std::string(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  char derived[z85_bytes + 1] = {};
  if (!is_public_key(out.public_key) || !is_public_key(out.secret_key) ||
      zmq_curve_public(derived, z85_of(out.secret_key).c_str()) != 0 || z85_of(out.public_key) != derived)
    return msg::fail(msg::ec::bad_request, file.string() + " is not a key file",
                     "make a new one: zedctl key gen --file " + file.string());
  return out;
}

}  // namespace

bool is_tcp(std::string_view uri) { return uri.starts_with("tcp://"); }

std::string key_text(std::string_view raw) {
  char text[sodium_base64_ENCODED_LEN(key_bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING)];
  if (raw.size() != key_bytes) return {};
  sodium_bin2base64(text, sizeof text, reinterpret_cast<const unsigned char*>(raw.data()), raw.size(),
                    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  return text;
}

std::string z85_of(std::string_view key) {
  unsigned char raw[key_bytes];
  size_t bytes = 0;
  if (key.size() != key_text_bytes ||
      sodium_base642bin(raw, sizeof raw, key.data(), key.size(), nullptr, &bytes, nullptr,
                        sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
      bytes != key_bytes)
    return {};
  char text[z85_bytes + 1] = {};
  zmq_z85_encode(text, raw, key_bytes);
  return text;
}

bool is_public_key(std::string_view text) { return !z85_of(text).empty(); }

key_pair new_key_pair() {
  const auto text = [](const char* z85) {
    uint8_t raw[key_bytes];
    zmq_z85_decode(raw, z85);
    return key_text({reinterpret_cast<const char*>(raw), key_bytes});
  };
  for (;;) {
    char open[z85_bytes + 1] = {}, secret[z85_bytes + 1] = {};
    if (zmq_curve_keypair(open, secret) != 0) throw std::runtime_error("this libzmq has no CURVE");
    key_pair out{text(open), text(secret)};
    if (out.public_key.front() != '-') return out;  // a command line would take it for a flag
  }
}

msg::result<key_pair> pair_of_secret(const std::string& secret) {
  char z85_public[41] = {};
  const auto z85_secret = z85_of(secret);
  if (z85_secret.empty() || zmq_curve_public(z85_public, z85_secret.c_str()) != 0)
    return msg::fail(msg::ec::bad_request, "this is not a secret key", "a key has 43 characters");
  uint8_t raw[key_bytes];
  if (!zmq_z85_decode(raw, z85_public)) return msg::fail(msg::ec::internal, "this key cannot be decoded", "");
  return key_pair{key_text({reinterpret_cast<const char*>(raw), sizeof raw}), secret};
}

std::string fingerprint(std::string_view public_key) {
  unsigned char hash[crypto_hash_sha256_BYTES];
  crypto_hash_sha256(hash, reinterpret_cast<const unsigned char*>(public_key.data()), public_key.size());
  char text[sodium_base64_ENCODED_LEN(sizeof hash, sodium_base64_VARIANT_ORIGINAL_NO_PADDING)];
  sodium_bin2base64(text, sizeof text, hash, sizeof hash, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
  return std::string("SHA256:") + text;
}

msg::result<key_pair> load_key(const std::filesystem::path& file) {
  const fd_guard in{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  if (in.fd < 0)
    return msg::fail(errno == ENOENT ? msg::ec::not_found : msg::ec::forbidden,
                     "cannot read the key " + file.string() + ": " + std::strerror(errno),
                     errno == ENOENT ? "make one: zedctl key gen --file " + file.string()
                                     : "it must belong to the user who uses it");
  struct stat info {};
  if (::fstat(in.fd, &info) != 0 || !S_ISREG(info.st_mode) || (info.st_mode & 077) != 0)
    return msg::fail(msg::ec::forbidden, "others may read the key " + file.string(), "chmod 600 " + file.string());
  std::string text(key_file_bytes_max, '\0');
  const auto n = ::read(in.fd, text.data(), text.size());
  text.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return parse(file, text);
}

msg::result<key_pair> make_key(const std::filesystem::path& file) {
  std::error_code ignored;
  if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path(), ignored);
  const auto pair = new_key_pair();
  const auto text = pair.public_key + "\n" + pair.secret_key + "\n";
  const fd_guard out{::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (out.fd < 0)
    return msg::fail(errno == EEXIST ? msg::ec::already_exists : msg::ec::forbidden,
                     "cannot make the key " + file.string() + ": " + std::strerror(errno),
                     errno == EEXIST ? "a key is never overwritten; show it: zedctl key show --file " + file.string()
                                     : "check the directory's owner and mode");
  if (::write(out.fd, text.data(), text.size()) != static_cast<ssize_t>(text.size()) || ::fsync(out.fd) != 0) {
    const auto why = std::string(std::strerror(errno));
    ::unlink(file.c_str());
    return msg::fail(msg::ec::internal, "cannot write the key " + file.string() + ": " + why, "free some space");
  }
  return pair;
}

msg::result<key_pair> load_or_make_key(const std::filesystem::path& file) {
  auto known = load_key(file);
  if (known || known.error().code != msg::ec::not_found) return known;
  auto made = make_key(file);
  if (!made && made.error().code == msg::ec::already_exists) return load_key(file);
  return made;
}

}  // namespace zedops::bus
