// The running agent: everything that main wires together, and its orderly shutdown.
#pragma once
#include <functional>
#include <memory>
#include <optional>

#include "actors/core/guard/host_rules.hpp"
#include "config/settings/settings.hpp"

namespace zedops::agent {

inline constexpr std::chrono::seconds disks_finish_max{2};      // at the end, for looks at data
inline constexpr std::chrono::seconds commands_finish_max{20};  // at the end; what runs longer is left to the journal
inline constexpr std::chrono::seconds link_drain_max{2};

class process {
 public:
  // `on_refusal` is called, from another thread, when the manager does not want this agent for good.
  // Errors: busy (the state directory is in use), forbidden, bad_request, wrong_state, internal.
  static msg::result<std::unique_ptr<process>> start(const config::agent_settings& settings, core::host_rules rules,
                                                     std::function<void()> on_refusal);
  ~process();

  std::optional<msg::error> refusal() const;
  // Goodbye to the manager, commands get commands_finish_max, then everything ends.
  void stop();

 private:
  struct parts;
  explicit process(std::unique_ptr<parts> p);
  std::unique_ptr<parts> parts_;
};

}  // namespace zedops::agent
