// Request targets with everything escaped that comes from outside. Pure, private.
#pragma once
#include <chrono>
#include <string>
#include <string_view>

namespace zedops::docker {

// RFC 3986: unreserved characters stay; `keep` names further ones.
inline std::string percent_encode(std::string_view text, std::string_view keep = {}) {
  constexpr char hex[] = "0123456789ABCDEF";
  std::string out;
  for (unsigned char c : text) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                 c == '_' || c == '~' || keep.find(static_cast<char>(c)) != std::string_view::npos;
    if (plain) {
      out += static_cast<char>(c);
    } else {
      out += '%';
      out += hex[c >> 4];
      out += hex[c & 15];
    }
  }
  return out;
}

class target {
 public:
  explicit target(std::string_view path) : text_{path} {}
  target& raw(std::string_view literal) { return text_ += literal, *this; }
  // A name that somebody else chose, as one segment of the path.
  target& path(std::string_view name) { return text_ += percent_encode(name), *this; }
  target& image(std::string_view reference) { return text_ += percent_encode(reference, "/:@"), *this; }
  target& with(std::string_view key, std::string_view value) {
    text_ += query_ ? '&' : '?';
    query_ = true;
    text_ += key;
    text_ += '=';
    text_ += percent_encode(value);
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  bool query_ = false;
};

// "repository[:tag]" or "repository@digest"; without a tag the Engine would pull every tag, so it is :latest.
inline target pull_target(std::string_view reference) {
  target out{"/images/create"};
  auto colon = reference.find(':', reference.rfind('/') == std::string_view::npos ? 0 : reference.rfind('/'));
  if (reference.find('@') != std::string_view::npos) return out.with("fromImage", reference);
  out.with("fromImage", reference.substr(0, colon));
  return out.with("tag", colon == std::string_view::npos ? "latest" : reference.substr(colon + 1));
}

// Times of the Engine's queries: seconds with nanoseconds as fraction.
inline std::string seconds_text(std::chrono::nanoseconds t) {
  auto fraction = std::to_string(t.count() % 1'000'000'000);
  return std::to_string(t.count() / 1'000'000'000) + "." + std::string(9 - fraction.size(), '0') + fraction;
}

}  // namespace zedops::docker
