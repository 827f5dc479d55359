// A server's own spec in words: for dry runs, describe and errors.
#include <fmt/format.h>

#include <algorithm>

#include "messages/base/names.hpp"
#include "messages/records/spec.hpp"

namespace zedops::msg {
namespace {

template <class List, class F>
std::string listed(const List& list, F text) {
  std::string out;
  for (const auto& x : list) out += (out.empty() ? "" : ", ") + text(x);
  return out.empty() ? "none" : out;
}

std::string quoted(const std::string& word) {
  const bool bare = !word.empty() && word.find_first_of(" \t\n\"'\\$&|;<>()*?") == std::string::npos;
  return bare ? word : "'" + word + "'";
}

std::string text_of(const std::string& s) { return s.empty() ? "none" : s; }
std::string text_of(bool b) { return b ? "yes" : "no"; }
std::string text_of(duration d) { return format_duration(d); }
std::string text_of(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& w : words) out += (out.empty() ? "" : " ") + quoted(w);
  return out.empty() ? "the image's" : out;
}
std::string text_of(const std::map<std::string, std::string>& all) {
  return listed(all, [](const auto& x) { return x.second.empty() ? x.first : x.first + "=" + x.second; });
}
std::string text_of(const std::map<std::string, ulimit>& all) {
  return listed(all, [](const auto& x) {
    return x.second.soft == x.second.hard ? fmt::format("{}={}", x.first, x.second.soft)
                                          : fmt::format("{}={}:{}", x.first, x.second.soft, x.second.hard);
  });
}
std::string text_of(const std::vector<port_binding>& ports) {
  return listed(ports, [](const port_binding& p) {
    const auto ip = p.host_ip.find(':') == std::string::npos ? p.host_ip : "[" + p.host_ip + "]";
    return fmt::format("{}{}:{}/{}", ip.empty() ? "" : ip + ":", p.host_port, p.container_port, name_of(p.proto));
  });
}
std::string text_of(const std::vector<data_folder>& folders) {
  return listed(folders,
                [](const data_folder& f) { return f.path + " at " + f.target + (f.read_only ? " (read-only)" : ""); });
}
std::string text_of(const std::vector<mount>& binds) {
  return listed(binds,
                [](const mount& m) { return m.source + " at " + m.target + (m.read_only ? " (read-only)" : ""); });
}
std::string text_of(const healthcheck& h) {
  auto out = text_of(h.test);
  if (h.interval.count()) out += ", every " + format_duration(h.interval);
  if (h.timeout.count()) out += ", timeout " + format_duration(h.timeout);
  if (h.start_period.count()) out += ", start period " + format_duration(h.start_period);
  if (h.retries) out += fmt::format(", {} retries", h.retries);
  return out;
}
std::string size_text(uint64_t bytes) { return bytes ? format_bytes(bytes) : "no limit"; }

}  // namespace

std::string spec_text(const server_spec& s, std::string_view field) {
  if (field == "memory_max") return s.memory_max ? size_text(*s.memory_max) : "the template's";
  if (field == "shm_size") return s.shm_size ? size_text(*s.shm_size) : "the template's";
  if (field == "cpu_millis" && s.cpu_millis)
    return *s.cpu_millis ? fmt::format("{:g} cores", *s.cpu_millis / 1000.0) : "no limit";
  std::string out = "the template's";
  server_spec::each_field(s, [&](const char* name, const auto& value) {
    if (name == field && value) {
      if constexpr (requires { text_of(*value); }) out = text_of(*value);
    }
  });
  return out;
}

std::vector<std::string> spec_changes(const server_spec& before, const server_spec& after) {
  std::vector<std::string> out;
  for (auto field : spec_fields()) {
    auto old = spec_text(before, field);
    auto now = spec_text(after, field);
    if (old != now) out.push_back(fmt::format("{}: {} -> {}", field, old, now));
  }
  return out;
}

}  // namespace zedops::msg
