// Users and tokens as the manager's actors change them.
#include "tools/manager/web/known_accounts.hpp"

#include <fstream>

#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

using namespace zedops;
using namespace std::chrono_literals;

TEST_CASE("accounts: an entry that could not be read back is refused, and all other accounts keep working",
          "[integration][manager][hostile]") {
  const msg::time_point noon{std::chrono::hours(24 * 365 * 56)};
  test::temp_dir dir;
  app::known_accounts accounts(dir.path() / "accounts", "http://localhost");
  const auto made = accounts.add(msg::add_token{"ci", "admin", {}, {}, {}}, noon);
  REQUIRE(made);
  const auto text = [&] {
    std::ifstream in(accounts.book().file());
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const auto before = text();
  CHECK_FALSE(accounts.add(msg::add_token{"late", "viewer", {}, {}, 24h * 9'999'999}, noon));
  CHECK_FALSE(accounts.add(msg::add_token{"two", "viewer", "a b", {}, {}}, noon));
  CHECK_FALSE(accounts.add(msg::add_token{"more", "viewer", "x role=admin", {}, {}}, noon));
  CHECK_FALSE(accounts.add(msg::add_user{"long", "viewer", std::string(800, 'x'), {}}, noon));
  CHECK(text() == before);
  CHECK(accounts.book().behind(made->secret, noon).has_value());
  CHECK(accounts.add(msg::add_token{"next", "viewer", {}, {}, 90 * 24h}, noon));
}
