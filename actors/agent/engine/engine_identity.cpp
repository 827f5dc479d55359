#include "actors/agent/engine/engine_identity.hpp"

namespace zedops::agent {

using namespace msg;

std::string identity_of(const docker::engine_info& info) {
  return info.id.empty() ? std::string{} : info.id + "@" + info.data_root;
}

result<void> engine_identity::judge(const docker::engine_info& info) {
  const auto now = identity_of(info);
  const auto before = state_.engine();
  std::optional<error> other;
  if (!now.empty() && !before.empty() && now != before && now != accepted_)
    other = error{ec::wrong_state,
                  "another Docker Engine answers at this socket: " + now + ", not " + before +
                      "; what it reports is ignored, and nothing is done on it",
                  "bring the former one back; or, if this one replaces it for good, start the agent once with "
                  "--accept-engine " +
                      now,
                  {}};
  if (!other && !now.empty() && now != before)
    if (auto kept = state_.remember_engine(now); !kept) return kept;
  std::lock_guard guard(mutex_);
  other_ = std::move(other);
  architecture_ = info.architecture;
  if (other_) return fail(*other_);
  return {};
}

std::string engine_identity::architecture() const {
  std::lock_guard guard(mutex_);
  return architecture_;
}

result<void> engine_identity::verdict() const {
  std::lock_guard guard(mutex_);
  if (other_) return fail(*other_);
  return {};
}

}  // namespace zedops::agent
