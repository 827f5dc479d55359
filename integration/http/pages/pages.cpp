#include "integration/http/pages/pages.hpp"

#include <zlib.h>

#include <array>
#include <map>
#include <mutex>

#include "messages/base/ids.hpp"

namespace zedops::web {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 8> types = {{
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".woff2", "font/woff2"},
    {".json", "application/json"},
    {".webmanifest", "application/manifest+json"},
}};

std::string_view type_of(std::string_view path) {
  for (const auto& [end, type] : types)
    if (path.ends_with(end)) return type;
  return "application/octet-stream";
}

std::string packed(std::string_view content) {
  constexpr int gzip_window = 15 + 16, memory = 8;
  z_stream z{};
  if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, gzip_window, memory, Z_DEFAULT_STRATEGY) != Z_OK) return {};
  std::string out(deflateBound(&z, static_cast<uLong>(content.size())), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  z.avail_in = static_cast<uInt>(content.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  const bool whole = deflate(&z, Z_FINISH) == Z_STREAM_END;
  out.resize(whole ? z.total_out : 0);
  deflateEnd(&z);
  return out;
}

struct served {
  std::shared_ptr<const std::string> plain, gzip;
  std::string tag;
};

// Made on the first request: no second copy is in memory while no client has asked.
const served& of(const page_file& f) {
  static std::mutex mutex;
  static std::map<std::string_view, served> all;
  std::lock_guard lock(mutex);
  auto& s = all[f.path];
  if (!s.plain) {
    s.plain = std::make_shared<const std::string>(f.content);
    s.tag = '"' + std::to_string(msg::text_hash(f.content)) + '"';
    if (!type_of(f.path).starts_with("image/png") && !type_of(f.path).starts_with("font/"))
      s.gzip = std::make_shared<const std::string>(packed(f.content));
  }
  return s;
}

const page_file* find(std::string_view path) {
  for (const auto& f : built_in_pages())
    if (f.path == path) return &f;
  return nullptr;
}

}  // namespace

response page_response(const request& r) {
  std::string path;
  for (const auto& s : r.segments) (path += path.empty() ? "" : "/") += s;
  const auto* file = path.empty() ? nullptr : find(path);
  const bool looks_like_a_file = !r.segments.empty() && r.segments.back().find('.') != std::string::npos &&
                                 (path.starts_with("assets/") || r.segments.size() == 1);
  if (!file && looks_like_a_file) return text_response(404, "text/plain; charset=utf-8", "There is no such file.\n");
  if (!file) file = find("index.html");
  if (!file)
    return text_response(404, "text/plain; charset=utf-8",
                         "This manager was built without its page; REST is at /api, described in /api/openapi.json.\n");
  const auto& s = of(*file);
  response out;
  out.type = std::string(type_of(file->path));
  const bool index = file->path == "index.html";
  out.headers = {{"Cache-Control", index                               ? "no-store"
                                   : file->path.starts_with("assets/") ? "public, max-age=31536000, immutable"
                                                                       : "no-cache"},
                 {"ETag", s.tag},
                 {"Vary", "Accept-Encoding"}};
  if (!index && r.header("if-none-match") == s.tag) {
    out.status = 304;
    return out;
  }
  out.body = s.plain;
  if (s.gzip && !s.gzip->empty() && r.header("accept-encoding").find("gzip") != std::string_view::npos) {
    out.body = s.gzip;
    out.headers.emplace_back("Content-Encoding", "gzip");
  }
  return out;
}

void add_safety(response& r) {
  r.headers.emplace_back("X-Content-Type-Options", "nosniff");
  r.headers.emplace_back("Referrer-Policy", "same-origin");
  r.headers.emplace_back("Cross-Origin-Opener-Policy", "same-origin");
  r.headers.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
  r.headers.emplace_back(
      "Content-Security-Policy",
      "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; "
      "base-uri 'none'; form-action 'self'; frame-ancestors 'none'");
}

}  // namespace zedops::web
