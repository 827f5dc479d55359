// How records are stored: keys, and what is loaded at start-up.
#pragma once
#include <memory>
#include <string>

#include "actors/manager/records/catalog.hpp"
#include "actors/manager/records/kinds.hpp"
#include "actors/runtime/ports.hpp"
#include "persistence/store.hpp"

namespace zedops::manager {

inline constexpr std::string_view meta_manager_id = "manager.id";
inline constexpr std::string_view meta_term = "manager.term";
inline constexpr std::string_view meta_last_seq = "log.last";  // survives the trimming of the whole log

std::string log_key(uint64_t first_seq);  // big endian: byte order is number order
uint64_t log_number(std::string_view key);
uint64_t last_fact_of(const msg::log_entry& e);

// What a restart continues from.
struct recovered {
  std::string manager_id;
  uint64_t term = 0;      // one more than that of the last run
  uint64_t last_seq = 0;  // newest event
  msg::time_point last_time{};
  std::map<std::string_view, uint64_t> records;  // by kind
  uint64_t damaged = 0;
};

// One sequential scan of the snapshots into the catalog, and a new term. `random` feeds the id of a new manager.
msg::result<recovered> recover(store::store& s, const kind_list& kinds, catalog& into, rt::randomness& random);

}  // namespace zedops::manager
