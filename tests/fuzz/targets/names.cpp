// Words that users and Engines write: [which][text]. What is read can be written, and is read back the same.
#include "messages/base/cursor.hpp"
#include "messages/base/names.hpp"

#include "config/settings/values.hpp"
#include "messages/api/views.hpp"
#include "messages/records/template.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace zedops;
using namespace zedops::msg;

namespace {

void refusal(const result<void>& r) {
  if (!r) FUZZ_CHECK(!r.error().message.empty());
}

void checks(std::string_view text) {
  refusal(check_agent_name(text));
  refusal(check_env_key(text));
  refusal(check_env_value("KEY", text));
  refusal(check_image_repository(text));
  refusal(check_image_tag(text));
  if (check_server_name(text)) FUZZ_CHECK(text.find('/') == text.npos && text.find("..") == text.npos);
  if (check_data_path(text)) FUZZ_CHECK(text[0] == '/' && text.find(':') == text.npos && !text.ends_with("/.."));
}

void image(std::string_view text) {
  const auto ref = parse_image_ref(text);
  if (!ref) return;
  auto written = ref->repository;
  if (!ref->tag.empty()) written += ':' + ref->tag;
  if (!ref->digest.empty()) written += '@' + ref->digest;
  const auto again = parse_image_ref(written);
  FUZZ_CHECK(again && *again == *ref);
}

void times(std::string_view text) {
  if (const auto t = from_rfc3339(text)) FUZZ_CHECK(from_rfc3339(to_rfc3339(*t)) == *t);
  if (const auto d = parse_duration(text)) FUZZ_CHECK(parse_duration(format_duration(*d)) == *d);
}

void rest(std::string_view text) {
  if (const auto c = parse_cursor(text)) {
    FUZZ_CHECK(to_text(*c) == text && parse_cursor(to_text(*c)) == c);
  }
  (void)config::parse_size(text);
  FUZZ_CHECK(config::in_quotes(text).find('\n') == std::string::npos);
  (void)did_you_mean(text, {"start", "stop", "status", "server"});
  const auto none = [](std::string_view) { return std::optional<std::string>(); };
  if (const auto e = expand(text, none)) FUZZ_CHECK(*e == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::input in(data, size);
  switch (in.byte() % 4) {
    case 0: checks(in.rest()); break;
    case 1: image(in.rest()); break;
    case 2: times(in.rest()); break;
    default: rest(in.rest());
  }
  return 0;
}
