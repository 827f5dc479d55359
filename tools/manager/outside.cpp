#include "tools/manager/outside.hpp"

namespace zedops::app {

store::result<std::unique_ptr<store::store>> open_store(store::lmdb_options options) {
  return store::open_lmdb(std::move(options));
}

}  // namespace zedops::app
