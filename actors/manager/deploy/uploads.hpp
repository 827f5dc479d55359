// Uploads: clients send them, agents fetch them. A thread of its own, because each piece waits for the disk.
#pragma once
#include "actors/manager/deps.hpp"
#include "actors/runtime/caf_setup.hpp"
#include "actors/runtime/interfaces.hpp"

namespace zedops::manager {

inline constexpr auto uploads_collected_every = std::chrono::hours(1);

rt::uploads_actor spawn_uploads(caf::actor_system& sys, shared& world, rt::spawn_mode mode);

// Whether a deployment that has not ended needs it.
bool is_needed(const shared& world, const msg::upload_id& id);

}  // namespace zedops::manager
