// What a kind of entity - a server, an agent, what comes after them - is to everything around its machine: journal,
// catalog, registry, shell, hub and history know it by this alone (docs/recipes/add-a-kind.md).
#pragma once
#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/records/facts.hpp"

namespace zedops::core {

// ---- inputs that any machine may take ----
struct tick {};  // some deadline of this entity may have passed
struct cancel_requested {
  msg::operation_id op;
  std::string actor;
};

// What a machine decides. Facts are made durable, then effects leave, then the caller is answered.
template <class Effect>
struct basic_decision {
  std::vector<msg::fact> facts;
  std::vector<Effect> effects;
  std::optional<msg::error> refusal;  // the answer to the caller; facts then hold the audit record only
  msg::cause why;
  bool fresh_start = false;  // will begin with empty directories
};

// Specialised by each kind, beside its machine, for its record:
//   kind, letter         "server", 's': prefix of its subjects, first letter of its ids
//   input                of its machine, if it has an actor; takes tick and cancel_requested among others
//   resume()             the input for one whose actor was started again; left out: a tick does
//   rests(error)         facts that report that its actor crashed too often; left out: only the log does
//   gone(record)         nothing can happen to it any more
//   ends(fact)           the fact after which it is gone, and its record is dropped once history has forgotten it
//   open(record)         its open operation, or null
//   waiting(record)      the operation that begins when the open one has ended, or null; left out: none waits
//   pack, unpack         how it is stored; left out: as messages/wire/codec.hpp does it
//   due(record)          when it next needs a tick; msg::never
//   due_with(record)     the agent without which that tick is useless; empty: none
//   each_claim, same_claims, taken    names that no two entities may hold at once, and the error for a second one
//   apply(record&, log_entry)       one committed entry folded into the record
//   number(record, facts)           each fact with its subject and number, going on from the record's
template <class Record>
struct entity;

template <class R>
const msg::operation* waiting_of(const R& r) {
  if constexpr (requires { entity<R>::waiting(r); }) return entity<R>::waiting(r);
  else return nullptr;
}

template <class R>
concept entity_record = requires(R& r, const R& c, const msg::log_entry& e, std::vector<msg::fact> facts,
                                 const msg::fact& f) {
  { c.id.value } -> std::convertible_to<std::string>;
  { c.log_head } -> std::convertible_to<uint64_t>;
  { c.updated_at } -> std::convertible_to<msg::time_point>;
  { entity<R>::kind } -> std::convertible_to<std::string_view>;
  { entity<R>::letter } -> std::convertible_to<char>;
  { entity<R>::gone(c) } -> std::same_as<bool>;
  { entity<R>::ends(f) } -> std::same_as<bool>;
  { entity<R>::open(c) } -> std::same_as<const msg::operation*>;
  { entity<R>::due(c) } -> std::same_as<msg::time_point>;
  { entity<R>::due_with(c) } -> std::same_as<msg::agent_id>;
  { entity<R>::same_claims(c, c) } -> std::same_as<bool>;
  { entity<R>::taken(std::string_view{}, c) } -> std::same_as<msg::error>;
  entity<R>::apply(r, e);
  { entity<R>::number(c, std::move(facts)) } -> std::same_as<std::vector<msg::numbered_fact>>;
};

}  // namespace zedops::core
