#include "integration/http/transport/message.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "messages/base/names.hpp"

namespace zedops::web {

using namespace msg;

namespace {

constexpr size_t segments_max = 16, segment_bytes_max = 512, parameters_max = 64, parameter_bytes_max = 4'096;

std::string_view find(const pairs& in, std::string_view name) {
  for (const auto& [key, value] : in)
    if (key == name) return value;
  return {};
}

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = static_cast<char>(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

tl::unexpected<error> bad(std::string what) {
  return fail(ec::bad_request, "the address is not valid: " + std::move(what),
              "docs/web.md, or /api/docs, list the addresses");
}

}  // namespace

std::string_view request::header(std::string_view name) const { return find(headers, name); }
std::string_view request::parameter(std::string_view name) const { return find(query, name); }

std::string_view request::cookie(std::string_view name) const {
  for (auto rest = header("cookie"); !rest.empty();) {
    const auto end = rest.find(';');
    auto one = rest.substr(0, end);
    rest = end == rest.npos ? std::string_view{} : rest.substr(end + 1);
    while (one.starts_with(' ')) one.remove_prefix(1);
    if (one.size() > name.size() && one.starts_with(name) && one[name.size()] == '=')
      return one.substr(name.size() + 1);
  }
  return {};
}

bool is_forwarded(const request& r) {
  constexpr std::array<std::string_view, 3> words{"x-forwarded-for", "x-forwarded-proto", "forwarded"};
  return std::ranges::any_of(r.headers, [&](const auto& h) { return std::ranges::count(words, h.first) > 0; });
}

result<void> takes_only(const request& r, std::initializer_list<std::string_view> parameters) {
  for (const auto& [name, value] : r.query) {
    if (std::ranges::find(parameters, name) != parameters.end()) continue;
    std::string all;
    for (const auto& p : parameters) (all += all.empty() ? "" : ", ") += p;
    const auto meant = did_you_mean(name, {parameters.begin(), parameters.end()});
    return fail(ec::bad_request, "this request has no parameter '" + name.substr(0, 60) + "'",
                meant.empty() ? "its parameters are " + all : meant);
  }
  return {};
}

response text_response(int status, std::string type, std::string body) {
  return {status, std::move(type), std::make_shared<const std::string>(std::move(body)), {}};
}

response error_response(const error& e) {
  nlohmann::ordered_json what{{"code", name_of(e.code)}, {"message", e.message}, {"hint", e.hint}};
  if (!e.operation.empty()) what["operation"] = e.operation;
  auto r = text_response(
      info(e.code).http_status, "application/json",
      nlohmann::ordered_json{{"error", what}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  if (e.code == ec::rate_limited || e.code == ec::busy || e.code == ec::agent_unreachable)
    r.headers.emplace_back("Retry-After", "1");
  if (e.code == ec::unauthorised) r.headers.emplace_back("WWW-Authenticate", "Bearer");
  return r;
}

std::optional<std::string> percent_decoded(std::string_view text, bool query) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      const int high = i + 2 < text.size() ? digit(text[i + 1]) : -1, low = high < 0 ? -1 : digit(text[i + 2]);
      if (low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += query && text[i] == '+' ? ' ' : text[i];
    }
  }
  const bool printable = std::ranges::none_of(out, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  return printable ? std::optional(std::move(out)) : std::nullopt;
}

result<void> read_target(std::string_view target, request& into) {
  if (!target.starts_with('/')) return bad("it does not begin with /");
  const auto mark = target.find('?');
  auto path = target.substr(1, mark == target.npos ? target.npos : mark - 1);
  while (!path.empty()) {
    const auto slash = path.find('/');
    const auto one = path.substr(0, slash);
    path = slash == path.npos ? std::string_view{} : path.substr(slash + 1);
    auto decoded = percent_decoded(one, false);
    if (!decoded || one.size() > segment_bytes_max) return bad("'" + std::string(one.substr(0, 60)) + "'");
    if (decoded->empty() && path.empty()) break;  // a slash at the end
    if (decoded->empty() || *decoded == "." || *decoded == "..") return bad("it has an empty part, or one of dots");
    if (into.segments.size() == segments_max) return bad("it has too many parts");
    into.segments.push_back(std::move(*decoded));
  }
  if (mark == target.npos) return {};
  auto query = target.substr(mark + 1);
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto one = query.substr(0, end);
    query = end == query.npos ? std::string_view{} : query.substr(end + 1);
    if (one.empty()) continue;
    const auto sign = one.find('=');
    auto name = percent_decoded(one.substr(0, sign), true);
    auto value = percent_decoded(sign == one.npos ? std::string_view{} : one.substr(sign + 1), true);
    if (!name || !value || one.size() > parameter_bytes_max || into.query.size() == parameters_max)
      return bad("it has invalid parameters");
    into.query.emplace_back(std::move(*name), std::move(*value));
  }
  return {};
}

std::string_view reason_of(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 207: return "Multi-Status";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Conflict";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 421: return "Misdirected Request";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 507: return "Insufficient Storage";
    default: return "Status";
  }
}

}  // namespace zedops::web
