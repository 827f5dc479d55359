// Values kept outside their holder, and ids in order.
#include <set>

#include "messages/base/boxed.hpp"
#include "messages/base/ids.hpp"
#include "tests/support/catch.hpp"

using namespace zedops::msg;

TEST_CASE("boxed: copies share one value, and an empty box holds a blank one", "[unit][messages]") {
  const boxed<std::string> one(std::string("a text that is longer than the small buffer"));
  const auto other = one;
  CHECK(&*other == &*one);
  CHECK(other == one);
  CHECK(boxed<std::string> {} -> empty());
  CHECK(boxed<std::string>{} == boxed<std::string>(std::string{}));
  CHECK_FALSE(boxed<std::string>{} == one);
}

TEST_CASE("sparse: it is an optional that is one pointer wide, with deep copies", "[unit][messages]") {
  STATIC_REQUIRE(sizeof(sparse<std::string>) == sizeof(void*));
  sparse<std::string> a = std::string("one");
  auto b = a;
  *b = "two";
  CHECK(*a == "one");
  CHECK_FALSE(a == b);
  a = b;
  CHECK(a == b);
  CHECK(std::optional<std::string>(a) == "two");
  a = std::optional<std::string>{};
  CHECK_FALSE(a);
  CHECK_THROWS_AS(a.value(), std::bad_optional_access);
  CHECK_FALSE(std::optional<std::string>(a).has_value());
  CHECK(a == sparse<std::string>{});
  b.reset();
  CHECK(a == b);
  CHECK(a.emplace("three") == "three");
}

TEST_CASE("ordered ids: each is above the one before, even if the number stands still or goes back",
          "[unit][messages]") {
  ordered_ids ids('o');
  std::string last;
  uint64_t asked = 0;
  const auto random = [&] { return ++asked * 0x9e3779b97f4a7c15; };
  for (uint64_t number :
       {1'700'000'000'000u, 1'700'000'000'000u, 1'700'000'000'001u, 1'600'000'000'000u, 1'800'000'000'000u})
    for (int i = 0; i < 1'000; ++i) {
      auto id = ids.next(number, random);
      REQUIRE(id.size() == id_length);
      REQUIRE(id[0] == 'o');
      REQUIRE(id > last);
      last = std::move(id);
    }
  CHECK(asked == 3);  // when the number has grown
}
