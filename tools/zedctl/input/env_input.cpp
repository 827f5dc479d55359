#include "tools/zedctl/input/env_input.hpp"

#include <fmt/format.h>

#include <fstream>

namespace zedops::ctl {

namespace {

constexpr size_t env_file_lines_max = 10'000;

using variables = std::map<std::string, std::string>;

// "K=V", or "K" with its value in zedctl's environment.
msg::result<void> add(const world& w, const std::string& text, const std::string& where, variables& out) {
  const auto at = text.find('=');
  const auto key = text.substr(0, at);
  if (key.empty() || key.find_first_of(" \t") != std::string::npos)
    return msg::fail(msg::ec::bad_request, fmt::format("{}'{}' is neither KEY=VALUE nor KEY", where, key),
                     "write one variable per line, without blanks before the '='");
  if (at != std::string::npos) {
    out[key] = text.substr(at + 1);
    return {};
  }
  if (!w.has_variable(key))
    return msg::fail(msg::ec::bad_request,
                     fmt::format("{}{} is not set in this environment, so it has no value to pass on", where, key),
                     fmt::format("export {} first, or write {}=VALUE", key, key));
  out[key] = w.variable(key);
  return {};
}

msg::result<void> add_file(const world& w, const std::string& path, variables& out) {
  std::ifstream in(path);
  if (!in)
    return msg::fail(msg::ec::bad_request, "cannot read " + path, "check that it exists and that you may read it");
  std::string line;
  for (size_t n = 1; std::getline(in, line); ++n) {
    if (n > env_file_lines_max)
      return msg::fail(msg::ec::too_large, fmt::format("{} has more than {} lines", path, env_file_lines_max),
                       "give a file of KEY=VALUE lines");
    if (!line.empty() && line.back() == '\r') line.pop_back();
    const auto begin = line.find_first_not_of(" \t");
    if (begin == std::string::npos || line[begin] == '#') continue;
    if (auto ok = add(w, line.substr(begin), fmt::format("{}:{}: ", path, n), out); !ok) return ok;
  }
  return {};
}

}  // namespace

msg::result<variables> environment_of(const world& w, const arguments& a) {
  variables out;
  for (const auto& path : a.all("env-file"))
    if (auto ok = add_file(w, path, out); !ok) return msg::fail(ok.error());
  for (const auto& text : a.all("env"))
    if (auto ok = add(w, text, "--env: ", out); !ok) return msg::fail(ok.error());
  return out;
}

}  // namespace zedops::ctl
