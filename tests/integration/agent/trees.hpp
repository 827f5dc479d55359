// Looking at what operations leave on the disk.
#pragma once
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace zedops::test {

// Adds a line to the data at each start, which shows which tree it ran on.
inline const std::vector<std::string> living{
    "sh", "-c", "echo born >> /data/births; trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done"};

inline std::string text_of(const std::filesystem::path& p) {
  std::ifstream in(p);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Whatever an operation makes beside the servers' trees: `.zedops-moving-...`, `.trash-...`.
inline std::vector<std::string> left_overs(const std::filesystem::path& root) {
  std::vector<std::string> out;
  if (std::filesystem::exists(root))
    for (const auto& e : std::filesystem::directory_iterator(root))
      if (const auto name = e.path().filename().string(); name.starts_with(".") && name != ".zedops-data-root")
        out.push_back(name);
  return out;
}

}  // namespace zedops::test
