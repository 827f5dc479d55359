#include "persistence/envelope.hpp"

#include "tests/support/catch.hpp"

using namespace zedops::store;

namespace {

std::string sealed(table t, std::string_view key, std::string_view payload) {
  std::string raw(envelope_bytes + payload.size(), '\0');
  seal(t, key, payload, raw.data());
  return raw;
}

std::string hex(std::string_view bytes) {
  std::string text;
  char two[3];
  for (const char c : bytes) {
    std::snprintf(two, sizeof two, "%02x", static_cast<unsigned char>(c));
    text += two;
  }
  return text;
}

}  // namespace

TEST_CASE("envelope: its bytes match those of older stores", "[unit][store][golden]") {
  CHECK(hex(sealed(table::servers, "srv-1", "hello")) == "01e62abe2a9ea843b268656c6c6f");
  CHECK(hex(sealed(table::log, "\x01", "")) == "015303f1d9d1a6c0a0");
}

TEST_CASE("envelope: a sealed record is unsealed unchanged", "[unit][store]") {
  for (const size_t size : {0, 1, 16, 17, 128, 240, 241, 1000, 100'000}) {
    const std::string payload(size, 'p');
    const auto raw = sealed(table::agents, "key", payload);
    const auto opened = unseal(table::agents, "key", raw);
    CHECK(opened.damage.empty());
    CHECK(opened.payload == payload);
  }
}

TEST_CASE("envelope: every flipped bit is noticed", "[unit][store]") {
  const auto good = sealed(table::servers, "srv-1", "a record of some length");
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    auto bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    INFO("bit " << bit);
    CHECK_FALSE(unseal(table::servers, "srv-1", bad).damage.empty());
  }
}

TEST_CASE("envelope: a record under another key or in another table is noticed", "[unit][store]") {
  const auto raw = sealed(table::servers, "srv-1", "payload");
  CHECK_FALSE(unseal(table::servers, "srv-2", raw).damage.empty());
  CHECK_FALSE(unseal(table::agents, "srv-1", raw).damage.empty());
}

TEST_CASE("envelope: a truncated record is noticed", "[unit][store]") {
  const auto raw = sealed(table::servers, "srv-1", "payload");
  for (size_t left = 0; left < raw.size(); ++left)
    CHECK_FALSE(unseal(table::servers, "srv-1", std::string_view(raw).substr(0, left)).damage.empty());
}

TEST_CASE("envelope: messages show keys as text", "[unit][store]") {
  CHECK(printable("srv-1") == "srv-1");
  CHECK(printable(std::string_view("a\0\xff\\", 4)) == "a\\x00\\xff\\x5c");
  const auto e = damaged_record_error(table::servers, "srv-1", "checksum does not match");
  CHECK(e.message == "record servers/srv-1 is damaged: checksum does not match");
  CHECK(e.hint.find("zedctl store verify") != std::string::npos);
}
