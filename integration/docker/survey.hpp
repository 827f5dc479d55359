// The truth about many containers in one call: list, then inspect each.
#pragma once
#include <vector>

#include "integration/docker/engine.hpp"

namespace zedops::docker {

inline constexpr std::size_t inspects_at_once_max = 16;

// Every container that carries all labels. One that vanishes between list and inspect is left out; any other failure
// fails the whole survey, because a partial list would read as containers gone missing.
// `engine` must outlive the survey (its destructor ends it with `cancelled`).
void survey(engine& engine, labels which, request_options options, handler<std::vector<container_details>> done);

}  // namespace zedops::docker
