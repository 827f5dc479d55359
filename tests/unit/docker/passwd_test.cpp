#include "integration/docker/passwd.hpp"

#include "integration/docker/http/tar.hpp"
#include "tests/support/catch.hpp"

using namespace zedops::docker;

TEST_CASE("passwd: the user of an image, as the Engine reads it", "[unit][docker]") {
  const std::string passwd = "root:x:0:0::/:/bin/sh\ngame:x:1000:1001::/:/bin/sh\nbroken\n:\n";
  const std::string group = "root:x:0:\nplayers:x:77:\n";
  CHECK(account_of("game", passwd, group) == account{1000, 1001});
  CHECK(account_of("1000", passwd, group) == account{1000, 1001});
  CHECK(account_of("1234", passwd, group) == account{1234, 0});
  CHECK(account_of("1234", {}, {}) == account{1234, 0});
  CHECK(account_of("game:players", passwd, group) == account{1000, 77});
  CHECK(account_of("game:5", passwd, group) == account{1000, 5});
  CHECK(account_of("game:", passwd, group) == account{1000, 1001});
  for (const char* nobody : {"ghost", "game:ghosts", "", "12x", "-1", "99999999999"})
    CHECK_FALSE(account_of(nobody, passwd, group));
}

TEST_CASE("tar: the one file of an archive", "[unit][docker]") {
  const auto entry = [](char type, const std::string& content) {
    std::string header(512, '\0');
    header.replace(0, 4, "file");
    char size[12] = {};
    std::snprintf(size, sizeof size, "%011o", static_cast<unsigned>(content.size()));
    header.replace(124, 11, size, 11);
    header[156] = type;
    return header + content + std::string((512 - content.size() % 512) % 512, '\0');
  };
  const std::string end(1024, '\0');
  CHECK(first_file_of_tar(entry('0', "hello") + end) == "hello");
  CHECK(first_file_of_tar(entry('x', "17 path=file\n") + entry('0', "hello") + end) == "hello");
  CHECK_FALSE(first_file_of_tar(entry('5', "") + end));
  CHECK_FALSE(first_file_of_tar(entry('0', std::string(600, 'x')).substr(0, 700)));
  CHECK_FALSE(first_file_of_tar({}));
  CHECK_FALSE(first_file_of_tar(std::string(2000, 'z')));
}
