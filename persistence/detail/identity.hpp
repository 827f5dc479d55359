// Schema and epoch, as they stand in the table meta.
#pragma once
#include <optional>
#include <string>

#include "persistence/store.hpp"

namespace zedops::store::detail {

// What the store says of itself in the table meta; nullopt: nothing yet.
struct identity {
  uint32_t schema = 0;
  uint64_t epoch = 0;
};
result<std::optional<identity>> read_identity(const reader& r);
result<void> write_identity(writer& w, identity id);
std::string epoch_text(uint64_t epoch);
uint64_t random_epoch();  // never 0

}  // namespace zedops::store::detail
