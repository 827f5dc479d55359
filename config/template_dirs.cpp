#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "config/detail/toml_reader.hpp"
#include "config/template_file.hpp"

namespace zedops::config {

namespace {
using template_map = std::map<std::string, msg::server_template>;

msg::result<std::vector<std::string>> toml_files(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code failed;
  auto unreadable = [&] {
    return msg::fail(msg::ec::bad_request, fmt::format("templates directory {}: {}", directory, failed.message()),
                     "correct templates_dir, or create the directory and make it readable");
  };
  std::filesystem::directory_iterator at{directory, failed};
  if (failed) return unreadable();
  for (; at != std::filesystem::directory_iterator{}; at.increment(failed)) {
    if (failed) return unreadable();
    if (at->path().extension() == ".toml") files.push_back(at->path().string());
    if (files.size() > templates_max)
      return msg::fail(msg::ec::too_large,
                       fmt::format("templates directory {}: more than {} files", directory, templates_max),
                       "remove templates that are not used");
  }
  if (failed) return unreadable();
  std::sort(files.begin(), files.end());
  return files;
}

msg::result<template_map> read_directory(const std::string& directory) {
  auto files = toml_files(directory);
  if (!files) return msg::fail(files.error());
  template_map found;
  std::map<std::string, std::string> where;
  for (const auto& file : *files) {
    auto text = detail::read_text(file, template_bytes_max);
    if (!text) return msg::fail(text.error());
    auto parsed = parse_template(*text, file);
    if (!parsed) return msg::fail(parsed.error());
    auto name = parsed->name;
    if (auto [first, added] = where.emplace(name, file); !added)
      return msg::fail(msg::ec::bad_request, fmt::format("{}: template {} is already in {}", file, name, first->second),
                       "rename one of them or remove one of the files");
    found.emplace(std::move(name), std::move(*parsed));
  }
  return found;
}
}  // namespace

msg::result<std::vector<msg::server_template>> load_templates(const std::vector<std::string>& directories) {
  template_map all;
  for (const auto& file : builtin_template_files()) {
    auto parsed = parse_template(file.text, std::string{file.name});
    if (!parsed) return msg::fail(parsed.error());
    auto name = parsed->name;
    all.insert_or_assign(std::move(name), std::move(*parsed));
  }
  for (const auto& directory : directories) {
    auto found = read_directory(directory);
    if (!found) return msg::fail(found.error());
    for (auto& [name, t] : *found) all.insert_or_assign(name, std::move(t));
  }
  std::vector<msg::server_template> list;
  list.reserve(all.size());
  for (auto& [name, t] : all) list.push_back(std::move(t));
  return list;
}

}  // namespace zedops::config
