// zedops-manager-crash: the unchanged manager, on a store that kills it.
#include "tests/crash/programs/crashing_store.hpp"
#include "tools/manager/outside.hpp"

namespace zedops::app {

store::result<std::unique_ptr<store::store>> open_store(store::lmdb_options options) {
  auto real = store::open_lmdb(std::move(options));
  if (!real) return real;
  return crash::crashing_store(std::move(*real), crash::crash_plan::of_this_process());
}

}  // namespace zedops::app
