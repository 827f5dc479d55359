// Rules that hold for every step of every life of a server, whatever the input. The exhaustive table and the random
// histories both check each step against all of them.
#pragma once
#include <functional>
#include <optional>
#include <string>

#include "tests/unit/core/support/server_fixture.hpp"

namespace zedops::core::testing {

struct step {
  const server& before;
  const input& in;
  const context& cx;
  const decision& d;
  const server& after;
};

// The first rule that the step breaks, in words; nothing when all hold.
std::optional<std::string> broken_rule(const step& s);

// Rules that hold for lives which began with create and went on step by step.
std::optional<std::string> broken_life_rule(const server& s);

std::string text_of(const server& s, const input& in);

}  // namespace zedops::core::testing
