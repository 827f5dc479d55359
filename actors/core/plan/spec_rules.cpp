#include "actors/core/plan/spec_rules.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>

#include "messages/base/names.hpp"

namespace zedops::core {

using namespace msg;

namespace {

constexpr size_t word_bytes_max = 4096;
constexpr size_t words_bytes_max = 128 * 1024;
constexpr uint64_t mib = 1 << 20;
constexpr std::array<std::string_view, 15> ulimit_names = {"core",    "cpu",      "data",   "fsize",      "locks",
                                                           "memlock", "msgqueue", "nice",   "nofile",     "nproc",
                                                           "rss",     "rtprio",   "rttime", "sigpending", "stack"};
// What the Engine gives anyway, and what reaches no further than the container.
constexpr std::array<std::string_view, 16> capabilities = {
    "AUDIT_WRITE",      "CHOWN",   "DAC_OVERRIDE", "FOWNER",  "FSETID", "IPC_LOCK",   "KILL",    "MKNOD", "NET_RAW",
    "NET_BIND_SERVICE", "SETFCAP", "SETGID",       "SETPCAP", "SETUID", "SYS_CHROOT", "SYS_NICE"};

template <class List>
bool is_one_of(const List& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

bool plain(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}
bool made_of(std::string_view text, std::string_view others) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           others.find(c) != std::string_view::npos;
  });
}

bool clean_parts(std::string_view path) {
  for (;;) {
    const auto slash = path.find('/');
    const auto part = path.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}
bool absolute(std::string_view path) {
  return path.size() > 1 && path.size() <= path_bytes_max && path[0] == '/' && plain(path) &&
         path.find(':') == std::string_view::npos && clean_parts(path.substr(1));
}

bool is_address(const std::string& text) {
  unsigned char raw[16];
  return ::inet_pton(AF_INET, text.c_str(), raw) == 1 || ::inet_pton(AF_INET6, text.c_str(), raw) == 1;
}

bool lies_in(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

// The first thing wrong, reported with its field.
class checker {
 public:
  checker(const server_spec& s, const server_template& t, const std::vector<reserved_port>& ports)
      : s_(s), t_(t), reserved_(ports) {}

  result<void> run() {
    policy();
    process();
    limits();
    ports();
    places();
    ending();
    rest();
    if (problem_) return fail(std::move(*problem_));
    return {};
  }

 private:
  void bad(std::string_view field, std::string what, std::string hint, ec code = ec::bad_request) {
    if (!problem_) problem_ = error{code, fmt::format("{} {}", field, what), std::move(hint), {}};
  }
  void need(bool good, std::string_view field, const std::string& what, const std::string& hint) {
    if (!good) bad(field, what, hint);
  }
  template <class List>
  bool fits(std::string_view field, const List& list, size_t most = spec_entries_max) {
    if (list.size() > most) bad(field, fmt::format("has {} entries", list.size()), fmt::format("{} at most", most));
    return list.size() <= most;
  }

  void policy() {
    for (auto field : given_fields(s_))
      if (locks(t_, field))
        bad(field, "is locked by template " + t_.name,
            "leave it out, choose another template, or change `locked` in this one", ec::forbidden);
  }

  void words(std::string_view field, const std::optional<std::vector<std::string>>& list) {
    if (!list || !fits(field, *list, 256)) return;
    size_t bytes = 0;
    for (const auto& w : *list) {
      need(w.size() <= word_bytes_max && w.find('\0') == std::string::npos, field,
           "has a word of " + format_bytes(w.size()) + " or with a zero byte", "use a file in the data for long input");
      bytes += w.size() + 1;
    }
    need(bytes <= words_bytes_max, field, "has " + format_bytes(bytes), "use a file in the data for long input");
  }
  void process() {
    words("command", s_.command);
    words("entrypoint", s_.entrypoint);
    if (s_.user)
      need(s_.user->empty() || (s_.user->size() <= 128 && made_of(*s_.user, "_.-:") &&
                                std::count(s_.user->begin(), s_.user->end(), ':') <= 1),
           "user", "is '" + s_.user->substr(0, 64) + "'", "give a name or number, and maybe a group: 1000:1000");
    if (s_.working_dir)
      need(s_.working_dir->empty() || *s_.working_dir == "/" || absolute(*s_.working_dir), "working_dir",
           "is '" + s_.working_dir->substr(0, 64) + "'", "give an absolute path in the container");
    if (s_.hostname)
      need(s_.hostname->empty() || (s_.hostname->size() <= 63 && made_of(*s_.hostname, ".-") &&
                                    s_.hostname->front() != '-' && s_.hostname->front() != '.'),
           "hostname", "is '" + s_.hostname->substr(0, 64) + "'", "use letters, digits, '-' and '.', 63 at most");
  }

  void limits() {
    if (s_.memory_max)
      need(*s_.memory_max == 0 || (*s_.memory_max >= 6 * mib && *s_.memory_max <= 16 * mib * mib), "memory_max",
           "is " + format_bytes(*s_.memory_max), "give 6 MiB to 16 TiB, or 0 for no limit");
    if (s_.cpu_millis)
      need(*s_.cpu_millis == 0 || (*s_.cpu_millis >= 10 && *s_.cpu_millis <= 1'024'000), "cpu_millis",
           fmt::format("is {}", *s_.cpu_millis), "give 10 (a hundredth of a core) to 1024000, or 0 for no limit");
    if (s_.shm_size)
      need(*s_.shm_size == 0 || (*s_.shm_size >= 65536 && *s_.shm_size <= mib * mib), "shm_size",
           "is " + format_bytes(*s_.shm_size), "give 64 KiB to 1 TiB");
    if (s_.ulimits && fits("ulimits", *s_.ulimits))
      for (const auto& [name, limit] : *s_.ulimits) {
        need(is_one_of(ulimit_names, name), "ulimits", "has '" + name.substr(0, 32) + "'",
             fmt::format("known are {}", fmt::join(ulimit_names, ", ")));
        need(limit.soft >= -1 && limit.hard >= -1 &&
                 (limit.hard == -1 || (limit.soft != -1 && limit.soft <= limit.hard)),
             "ulimits", fmt::format("has {} = {}:{}", name, limit.soft, limit.hard),
             "the soft limit may not be above the hard one; -1 means no limit");
      }
  }

  void ports() {
    if (s_.address)
      need(s_.address->empty() || is_address(*s_.address), "address", "is '" + s_.address->substr(0, 64) + "'",
           "give an address of the host: 192.0.2.10, ::1");
    if (!s_.ports || !fits("ports", *s_.ports, spec_ports_max)) return;
    const auto everywhere = [](const std::string& ip) { return ip.empty() || ip == "0.0.0.0" || ip == "::"; };
    std::vector<port_binding> used;
    for (const auto& p : reserved_) used.push_back({p.number, 0, p.proto, {}});
    for (const auto& p : *s_.ports) {
      const auto text = fmt::format("{}/{}", p.host_port, name_of(p.proto));
      need(p.host_port != 0 && p.container_port != 0, "ports", "has " + text,
           "name both ports by number, the host's and the container's");
      need(std::none_of(used.begin(), used.end(),
                        [&](const port_binding& u) {
                          return u.host_port == p.host_port && u.proto == p.proto &&
                                 (everywhere(u.host_ip) || everywhere(p.host_ip) || u.host_ip == p.host_ip);
                        }),
           "ports", "has " + text + " twice, or as the template's port", "give each port of the host once");
      used.push_back(p);
      need(p.host_ip.empty() || is_address(p.host_ip), "ports", "has the address '" + p.host_ip.substr(0, 64) + "'",
           "give an address of the host: 192.0.2.10, ::1");
    }
  }

  void place(std::string_view field, const std::string& target) {
    need(absolute(target), field, "has the place '" + target.substr(0, 80) + "'",
         "give an absolute path in the container, without '.' and '..', and not the root");
    need(places_.insert(target).second, field, "has " + target + ", where something is mounted already",
         "mount each at its own place");
  }
  void places() {
    std::set<std::string_view> own;
    if (s_.folders && fits("folders", *s_.folders))
      for (const auto& f : *s_.folders) {
        need(f.path.size() <= 255 && plain(f.path) && clean_parts(f.path), "folders",
             "has '" + f.path.substr(0, 80) + "'", "give a path below the server's own folder, without '.' and '..'");
        const auto first = std::string_view(f.path).substr(0, f.path.find('/'));
        need(first != "volumes" && first != "backups", "folders", "has '" + f.path.substr(0, 80) + "'",
             "volumes and backups have a meaning of their own: choose another path");
        need(own.insert(f.path).second, "folders", "has '" + f.path + "' twice", "give each its own path");
        place("folders", f.target);
      }
    std::vector<std::string_view> paths(own.begin(), own.end());
    for (const auto& d : t_.dirs)
      if (!own.contains(d.path)) {
        paths.push_back(d.path);
        need(places_.insert(d.target).second, "folders",
             "has something at " + d.target + ", where template " + t_.name + " has its folder " + d.path,
             "give that folder another place: --folder " + d.path + ":PLACE");
      }
    for (auto a : paths)
      for (auto b : paths)
        need(!lies_in(a, b), "folders", fmt::format("has {} within {}", a, b), "give each a path beside the others");
    if (s_.binds && fits("binds", *s_.binds))
      for (const auto& b : *s_.binds) {
        need(absolute(b.source), "binds", "has '" + b.source.substr(0, 80) + "'",
             "give an absolute path on the host, without '.' and '..', and not the root");
        place("binds", b.target);
      }
    if (s_.tmpfs && fits("tmpfs", *s_.tmpfs))
      for (const auto& [target, options] : *s_.tmpfs) {
        place("tmpfs", target);
        need(options.empty() || (options.size() <= 256 && made_of(options, "=,.-_%")), "tmpfs",
             "has options '" + options.substr(0, 80) + "'", "write them as mount does: size=64m,mode=1777");
      }
  }

  void ending() {
    if (s_.stop_signal)
      need(s_.stop_signal->empty() || (s_.stop_signal->size() <= 16 && made_of(*s_.stop_signal, "+-")), "stop_signal",
           "is '" + s_.stop_signal->substr(0, 32) + "'", "give a signal's name: SIGINT");
    if (s_.stop_grace)
      need(*s_.stop_grace >= std::chrono::seconds(1) && *s_.stop_grace <= std::chrono::hours(1), "stop_grace",
           "is " + format_duration(*s_.stop_grace), "give one second to one hour");
    if (!s_.health) return;
    const auto& h = *s_.health;
    words("health", h.test);
    const bool none = h.test.size() == 1 && h.test[0] == "NONE";
    need(h.test.empty() || none || (h.test.size() >= 2 && (h.test[0] == "CMD" || h.test[0] == "CMD-SHELL")), "health",
         "does not begin with CMD, CMD-SHELL or NONE",
         "write it as the Engine takes it: [\"CMD-SHELL\", \"pgrep game\"]");
    for (auto d : {h.interval, h.timeout, h.start_period})
      need(d.count() == 0 || (d >= std::chrono::milliseconds(1) && d <= std::chrono::hours(1)), "health",
           "has a time of " + format_duration(d), "give up to one hour");
    need(h.retries <= 1000, "health", fmt::format("has {} retries", h.retries), "1000 at most");
  }

  void texts(std::string_view field, const std::map<std::string, std::string>& all) {
    if (!fits(field, all)) return;
    for (const auto& [key, value] : all)
      need(!key.empty() && key.size() <= 256 && plain(key) && value.size() <= word_bytes_max && plain(value), field,
           "has '" + key.substr(0, 64) + "'", "keys have up to 256 bytes, values up to 4 KiB, on one line");
  }
  void capabilities_of(std::string_view field, const std::optional<std::vector<std::string>>& list, bool add) {
    if (!list || !fits(field, *list)) return;
    for (const auto& c : *list) {
      need(c.size() <= 32 && made_of(c, "_") && c == upper(c) && !c.starts_with("CAP_"), field,
           "has '" + c.substr(0, 32) + "'", "write a capability as SYS_NICE");
      if (add && !is_one_of(capabilities, c))
        bad(field, "has " + c.substr(0, 32) + ", which reaches beyond the container",
            fmt::format("a server may have {}; a template may have any", fmt::join(capabilities, ", ")), ec::forbidden);
    }
  }
  static std::string upper(std::string text) {
    for (auto& c : text) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
    return text;
  }
  void rest() {
    if (s_.labels) {
      texts("labels", *s_.labels);
      for (const auto& [key, value] : *s_.labels)
        need(!key.starts_with("zedops."), "labels", "has '" + key.substr(0, 64) + "'",
             "choose another name: labels that begin with zedops. identify servers");
    }
    if (s_.log_driver)
      need(s_.log_driver->empty() || (s_.log_driver->size() <= 128 && made_of(*s_.log_driver, "_.-/:")), "log_driver",
           "is '" + s_.log_driver->substr(0, 64) + "'", "give one of the Engine's: json-file, local, journald, none");
    if (s_.log_options) texts("log_options", *s_.log_options);
    capabilities_of("cap_add", s_.cap_add, true);
    capabilities_of("cap_drop", s_.cap_drop, false);
  }

  const server_spec& s_;
  const server_template& t_;
  const std::vector<reserved_port>& reserved_;
  std::set<std::string> places_;
  std::optional<error> problem_;
};

}  // namespace

result<void> check_spec(const server_spec& given, const server_template& t, const std::vector<reserved_port>& ports) {
  return checker(given, t, ports).run();
}

server_spec effective_spec(const server_spec* own, const server_template& t) {
  auto out = t.spec;
  if (!own) return out;
  // As docker run has it: arguments belong to the entrypoint they were written for, options to their driver.
  if (own->entrypoint) out.command.reset();
  if (own->log_driver) out.log_options.reset();
  overlay(out, *own);
  return out;
}

std::vector<template_dir> folders_of(const server_spec* own, const server_template& t) {
  auto out = t.dirs;
  if (!own || !own->folders) return out;
  for (const auto& f : *own->folders) {
    auto same = std::find_if(out.begin(), out.end(), [&](const template_dir& d) { return d.path == f.path; });
    if (same == out.end()) {
      out.push_back({f.path, f.target, f.path, true, f.read_only});
    } else {
      same->target = f.target;
      same->read_only = f.read_only;
    }
  }
  return out;
}

server_spec beyond_template(const server_spec& found, const server_template& t) {
  auto out = found;
  for (auto field : spec_fields())
    if (spec_text(found, field) == spec_text(t.spec, field)) clear_field(out, field);
  return out;
}

bool locks(const server_template& t, std::string_view field) {
  return is_one_of(t.locked, "all") || is_one_of(t.locked, field);
}

bool may_add(std::string_view capability) { return is_one_of(capabilities, capability); }

}  // namespace zedops::core
