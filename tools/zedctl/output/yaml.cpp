#include "tools/zedctl/output/yaml.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace zedops::ctl {
namespace {

using json = nlohmann::ordered_json;

// Plain words that some reader takes for a boolean or null, in any letter case (YAML 1.1 reads `no` as false).
constexpr std::array reserved = {"y", "n", "yes", "no", "true", "false", "on", "off", "null", "nan", "inf"};

bool is_reserved(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return std::ranges::find(reserved, lower) != reserved.end();
}

// Letters first, then nothing that has a meaning in YAML. Whatever is not surely a string is quoted.
bool is_plain(std::string_view text) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '/'; };
  auto inner = [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == ' ' || c == ',' || c == '+' || c == '@';
  };
  return !text.empty() && letter(text.front()) && text.back() != ' ' && std::ranges::all_of(text, inner) &&
         !is_reserved(text);
}

bool fits_block(std::string_view text) {
  bool many = text.find('\n') != std::string_view::npos;
  bool printable = std::ranges::all_of(text, [](char c) {
    auto u = static_cast<unsigned char>(c);
    return c == '\n' || (u >= 0x20 && u < 0x7f);  // others, tabs too, are clearer escaped
  });
  return many && printable && text.front() != ' ' && text.front() != '\n';
}

// A JSON string is a YAML double-quoted string, but for what YAML does not call printable.
std::string quoted(std::string_view text) {
  struct escape {
    std::string_view bytes, as;
  };
  constexpr std::array unprintable = {escape{"\x7f", "\\x7f"}, escape{"\xe2\x80\xa8", "\\u2028"},
                                      escape{"\xe2\x80\xa9", "\\u2029"}, escape{"\xef\xbb\xbf", "\\ufeff"}};
  const auto whole = json(std::string(text)).dump(-1, ' ', false, json::error_handler_t::replace);
  std::string out;
  for (std::string_view rest = whole; !rest.empty();) {
    const auto e = std::ranges::find_if(unprintable, [&](const escape& x) { return rest.starts_with(x.bytes); });
    const auto c1 = rest.size() > 1 && rest[0] == '\xc2' && static_cast<unsigned char>(rest[1]) < 0xa0;
    if (e != unprintable.end()) {
      out += e->as;
      rest.remove_prefix(e->bytes.size());
    } else if (c1) {
      constexpr std::string_view hex = "0123456789abcdef";
      const auto byte = static_cast<unsigned char>(rest[1]);
      out += {'\\', 'x', hex[byte >> 4], hex[byte & 15]};
      rest.remove_prefix(2);
    } else {
      out += rest.front();
      rest.remove_prefix(1);
    }
  }
  return out;
}

void write(std::string& out, const json& j, size_t indent);

void write_block(std::string& out, std::string_view text, size_t indent) {
  auto stripped = text;
  while (!stripped.empty() && stripped.back() == '\n') stripped.remove_suffix(1);
  size_t ends = text.size() - stripped.size();
  out += ends == 0 ? "|-" : ends == 1 ? "|" : "|+";
  out += '\n';
  size_t at = 0;
  while (at < text.size()) {
    auto end = std::min(text.find('\n', at), text.size());
    if (end > at) out.append(indent, ' ').append(text.substr(at, end - at));
    out += '\n';
    at = end + 1;
  }
}

// After a "key:" or a "-": scalars go on the same line.
void write_value(std::string& out, const json& j, size_t indent) {
  if (j.is_string() && fits_block(j.get_ref<const std::string&>())) {
    out += ' ';
    write_block(out, j.get_ref<const std::string&>(), indent);
  } else if (j.is_structured() && !j.empty()) {
    out += '\n';
    write(out, j, indent);
  } else {
    out += ' ';
    if (j.is_string()) out += yaml_scalar(j.get_ref<const std::string&>());
    else out += j.dump();  // numbers, booleans, null, {} and []
    out += '\n';
  }
}

void write(std::string& out, const json& j, size_t indent) {
  if (j.is_object()) {
    for (const auto& [key, value] : j.items()) {
      out.append(indent, ' ').append(yaml_scalar(key)).append(":");
      write_value(out, value, indent + 2);
    }
    return;
  }
  for (const auto& value : j) {
    if (value.is_object() && !value.empty()) {  // the first key stands beside the dash
      size_t start = out.size();
      write(out, value, indent + 2);
      out[start + indent] = '-';
      continue;
    }
    out.append(indent, ' ').append("-");
    write_value(out, value, indent + 2);
  }
}

}  // namespace

std::string yaml_scalar(std::string_view text) { return is_plain(text) ? std::string(text) : quoted(text); }

std::string yaml_from_json(std::string_view text) {
  auto j = json::parse(text, nullptr, false);
  std::string out;
  if (j.is_structured() && !j.empty()) write(out, j, 0);
  else {
    write_value(out, j, 2);
    out.erase(0, 1);
  }
  return out;
}

}  // namespace zedops::ctl
