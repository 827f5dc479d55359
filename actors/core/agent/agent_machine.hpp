// The record of an agent folded from its facts; and which notices deserve a sync.
#pragma once
#include <map>

#include "messages/facts.hpp"
#include "messages/server.hpp"

namespace zedops::core {

void apply(msg::agent& a, const msg::log_entry& entry);
std::vector<msg::numbered_fact> number(const msg::agent& a, std::vector<msg::fact> facts);

// Of `of` servers that have a container, or had one, `gone` are without in one look: so many at once that it is not
// their own fate. Few servers prove nothing.
inline constexpr size_t mass_loss_min = 5;
// More than so many percent of them; with 100 it never is.
constexpr bool is_mass_loss(size_t gone, size_t of, uint32_t percent) {
  return gone >= mass_loss_min && 100 * gone > uint64_t{percent} * of;
}

// While a sync runs nothing is started, but one follow-up runs when it is over.
class sync_gate {
 public:
  // True: start a sync now. False: one runs already; a follow-up is booked.
  bool begin();
  // The running sync is over. True: start the follow-up now.
  bool done();
  bool running() const { return running_; }
  void reset();

 private:
  bool running_ = false;
  bool again_ = false;
};

}  // namespace zedops::core
