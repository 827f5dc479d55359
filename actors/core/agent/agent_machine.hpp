// The record of an agent folded from its facts; and which notices deserve a sync.
#pragma once
#include <map>

#include "actors/core/entity.hpp"
#include "messages/records/facts.hpp"
#include "messages/records/server.hpp"

namespace zedops::core {

void apply(msg::agent& a, const msg::log_entry& entry);
std::vector<msg::numbered_fact> number(const msg::agent& a, std::vector<msg::fact> facts);

template <>
struct entity<msg::agent> {
  static constexpr std::string_view kind = "agent";
  static constexpr char letter = 'a';
  static void apply(msg::agent& a, const msg::log_entry& e) { core::apply(a, e); }
  static std::vector<msg::numbered_fact> number(const msg::agent& a, std::vector<msg::fact> facts) {
    return core::number(a, std::move(facts));
  }
  // A removed one stays in the store: its numbers go on if it returns.
  static bool gone(const msg::agent& a) { return a.status == msg::agent_status::revoked; }
  static bool ends(const msg::fact&) { return false; }
  static const msg::operation* open(const msg::agent&) { return nullptr; }
  static msg::time_point due(const msg::agent&) { return msg::never; }
  static msg::agent_id due_with(const msg::agent&) { return {}; }
  static bool same_claims(const msg::agent&, const msg::agent&) { return true; }
  template <class F>
  static void each_claim(const msg::agent&, F) {}
  static msg::error taken(std::string_view, const msg::agent&) { return {}; }
};

// Of `of` servers that have a container, or had one, `gone` have none in one look: too many at once for separate
// causes. Few servers prove nothing.
inline constexpr size_t mass_loss_min = 5;
// True for more than `percent` of them; with 100 never.
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
