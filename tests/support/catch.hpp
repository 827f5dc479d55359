// Catch2 v2 (Debian 12) and v3 (Debian 13) under one name; tests use only the macros that both have.
#pragma once
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
#if __has_include(<catch2/catch_all.hpp>)
// v3 uses this name for a matcher of ranges; in the tests it means text in text.
#define Contains ContainsSubstring
using Catch::Approx;  // as v2 does
#endif
