// Is this the Engine that this agent has worked with? Another one behind the same socket - a daemon started with
// another data root, a socket of another machine - has none of its containers: without this every server would be
// missing, and those that recover by themselves would be created twice.
#pragma once
#include <mutex>
#include <optional>
#include <string>

#include "actors/agent/agent_state.hpp"
#include "integration/docker/engine.hpp"

namespace zedops::agent {

class engine_identity {
 public:
  // `accepted`: an identity that the operator has accepted; empty: none.
  engine_identity(agent_state& state, std::string accepted) : state_(state), accepted_(std::move(accepted)) {}

  // Judges an Engine that was reached. The first one ever is remembered, and so is one that was accepted. wrong_state:
  // another one than before, with both identities and what to do. An Engine that does not say who it is is believed.
  msg::result<void> judge(const docker::engine_info& info);
  std::string architecture() const;  // of its machine: "amd64"; empty: not known yet
  // The last judgement. From any thread.
  msg::result<void> verdict() const;

 private:
  agent_state& state_;
  const std::string accepted_;
  mutable std::mutex mutex_;
  std::optional<msg::error> other_;
  std::string architecture_;
};

// "ID@/var/lib/docker"; empty: it does not say.
std::string identity_of(const docker::engine_info& info);

}  // namespace zedops::agent
