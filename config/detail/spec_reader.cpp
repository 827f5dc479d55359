#include "config/detail/spec_reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/detail/template_rules.hpp"
#include "config/settings/values.hpp"

namespace zedops::config::detail {
namespace {

using namespace std::chrono_literals;

constexpr uint64_t mib = 1 << 20;

// A key that is absent leaves the default.
template <class T, class Read>
void when_given(table_reader& r, std::string_view key, std::optional<T>& out, Read read) {
  auto value = out.value_or(T{});
  read(value);
  if (r.has(key)) out = std::move(value);
}

void text(table_reader& r, std::string_view key, std::optional<std::string>& out) {
  when_given(r, key, out, [&](std::string& x) { r.text(key, x); });
}
void texts(table_reader& r, std::string_view key, std::optional<std::vector<std::string>>& out) {
  when_given(r, key, out, [&](auto& x) { r.texts(key, x); });
}
void map(table_reader& r, std::string_view key, std::optional<std::map<std::string, std::string>>& out) {
  when_given(r, key, out, [&](auto& x) { r.map(key, x); });
}
void flag(table_reader& r, std::string_view key, std::optional<bool>& out) {
  when_given(r, key, out, [&](bool& x) { r.flag(key, x); });
}
void size(table_reader& r, std::string_view key, std::optional<uint64_t>& out, range<uint64_t> allowed) {
  when_given(r, key, out, [&](uint64_t& x) { r.size(key, x, allowed); });
}

// [ulimits] nofile = "1024:65536", or one number for both
void read_ulimits(table_reader& r, std::optional<std::map<std::string, msg::ulimit>>& out) {
  std::map<std::string, std::string> texts;
  r.map("ulimits", texts);
  if (!r.has("ulimits")) return;
  auto& all = out.emplace();
  for (const auto& [name, value] : texts) {
    auto limit = msg::parse_ulimit(value);
    if (!limit)
      r.complain("ulimits", fmt::format("has {} = {}", name, in_quotes(value)),
                 "write SOFT:HARD or one number for both, -1 for no limit: nofile = \"1024:65536\"");
    else all[name] = *limit;
  }
}

}  // namespace

void read_spec(table_reader& r, msg::server_spec& out) {
  texts(r, "entrypoint", out.entrypoint);
  texts(r, "command", out.command);
  text(r, "user", out.user);
  text(r, "working_dir", out.working_dir);
  size(r, "memory_max", out.memory_max, {16 * mib, 16 * mib * mib});
  if (auto cores = r.real("cpus", {0.01, 1024})) out.cpu_millis = static_cast<uint32_t>(*cores * 1000 + 0.5);
  size(r, "shm_size", out.shm_size, {65536, mib * mib});
  text(r, "address", out.address);
  flag(r, "tty", out.tty);
  flag(r, "open_stdin", out.open_stdin);
  flag(r, "init", out.init);
  map(r, "tmpfs", out.tmpfs);
  read_ulimits(r, out.ulimits);
  if (r.has("log_driver")) out.log_options.reset();  // the defaults are those of another driver
  text(r, "log_driver", out.log_driver);
  map(r, "log_options", out.log_options);
  texts(r, "cap_add", out.cap_add);
  texts(r, "cap_drop", out.cap_drop);
}

void read_stop_rules(table_reader& r, msg::server_spec& out) {
  text(r, "signal", out.stop_signal);
  if (out.stop_signal && !out.stop_signal->empty() && !is_signal(*out.stop_signal))
    r.complain("signal", fmt::format("is {}", in_quotes(*out.stop_signal)), "give a signal's name, such as \"SIGINT\"");
  when_given(r, "grace", out.stop_grace, [&](msg::duration& x) { r.time("grace", x, {1s, 1h}); });
}

void read_locked(table_reader& r, std::vector<std::string>& out) {
  r.texts("locked", out);
  const auto& fields = msg::spec_fields();
  for (const auto& name : out)
    if (name != "all" && std::find(fields.begin(), fields.end(), name) == fields.end())
      r.complain("locked", fmt::format("has {}", in_quotes(name)),
                 fmt::format("give \"all\" or some of {}", listed(fields)));
}

}  // namespace zedops::config::detail
