// What the manager depends on. outside.cpp has the real thing; a program that is made to break it (tests/crash) links
// its own definition in its place, so that the real one pays nothing for this.
#pragma once
#include "persistence/lmdb_store.hpp"

namespace zedops::app {

store::result<std::unique_ptr<store::store>> open_store(store::lmdb_options options);

}  // namespace zedops::app
