#include "tools/agent/manager_keys.hpp"

#include <sstream>

#include "bus/security/guarded_file.hpp"
#include "bus/security/keys.hpp"
#include "config/logging/logging.hpp"

namespace zedops::agent {

using namespace msg;

namespace {
constexpr const char* file_name = "manager_keys";  // the one in the settings, the present one, and the next, if any
constexpr size_t file_bytes_max = 4096;
}  // namespace

result<manager_keys> manager_keys::open(const std::filesystem::path& state_dir, std::string configured) {
  manager_keys out(state_dir / file_name, std::move(configured));
  auto text = bus::read_guarded(out.file_, file_bytes_max);
  if (!text) return fail(text.error());
  std::istringstream in(*text);
  std::string configured_then, current, next;
  in >> configured_then >> current >> next;
  if (configured_then != out.configured_ || !bus::is_public_key(current)) return out;
  out.current_ = current;
  if (bus::is_public_key(next)) out.next_ = next;
  return out;
}

bool manager_keys::learn(const std::string& next, const std::string& answered) {
  const auto current = bus::is_public_key(answered) ? answered : current_;
  const auto later = bus::is_public_key(next) && next != current ? next : std::string{};
  if (current == current_ && later == next_) return true;
  if (auto ok = bus::write_guarded(file_, configured_ + "\n" + current + "\n" + later + "\n"); !ok) {
    config::log_limited(log_level::warn, "manager.key-not-kept", {{"error", ok.error().message}});
    return false;
  }
  config::log_event("manager.keys", {{"current", bus::fingerprint(current)},
                                     {"next", later.empty() ? std::string{} : bus::fingerprint(later)}});
  current_ = current;
  next_ = later;
  return true;
}

}  // namespace zedops::agent
