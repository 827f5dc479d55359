#include "persistence/detail/identity.hpp"

#include <sys/random.h>

#include <charconv>
#include <cstdio>
#include <random>

namespace zedops::store::detail {

using msg::ec;
using msg::fail;

std::string epoch_text(uint64_t epoch) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(epoch));
  return text;
}

uint64_t random_epoch() {
  uint64_t epoch = 0;
  while (epoch == 0)
    if (getrandom(&epoch, sizeof epoch, 0) != sizeof epoch)
      epoch = uint64_t{std::random_device{}()} << 32 | std::random_device{}();
  return epoch;
}

result<std::optional<identity>> read_identity(const reader& r) {
  auto schema = r.get(table::meta, meta_schema);
  if (!schema) return fail(schema.error());
  auto epoch = r.get(table::meta, meta_epoch);
  if (!epoch) return fail(epoch.error());
  if (!*schema && !*epoch) return std::nullopt;
  identity id;
  const auto parse = [](const std::optional<std::string>& text, auto& number, int base) {
    if (!text) return false;
    const char* end = text->data() + text->size();
    const auto [last, error] = std::from_chars(text->data(), end, number, base);
    return error == std::errc{} && last == end;
  };
  if (!parse(*schema, id.schema, 10) || !parse(*epoch, id.epoch, 16))
    return fail(ec::internal, "the schema or epoch of the store is missing", "run zedctl store restore with a backup");
  return id;
}

result<void> write_identity(writer& w, identity id) {
  if (auto ok = w.put(table::meta, meta_schema, std::to_string(id.schema)); !ok) return ok;
  return w.put(table::meta, meta_epoch, epoch_text(id.epoch));
}

}  // namespace zedops::store::detail
