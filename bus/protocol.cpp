#include "bus/protocol.hpp"

#include <algorithm>
#include <array>

#include "messages/base/names.hpp"

namespace zedops::bus {
namespace {

constexpr std::string_view request_word = "req";
constexpr std::array<std::string_view, 5> reply_words = {"accepted", "progress", "result", "error", "chunk"};

constexpr size_t request_frames = 8, reply_frames = 4, agent_frames = 4, event_frames = 4;

bool is_printable(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) { return c > ' ' && c <= '~'; });
}
bool is_word(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
}

// Hostile bytes made fit for a log line.
std::string shown(std::string_view s) {
  constexpr size_t shown_max = 32;
  std::string out = "'";
  for (char c : s.substr(0, shown_max)) out += c >= ' ' && c <= '~' ? c : '?';
  out += s.size() > shown_max ? "…'" : "'";
  return out;
}

tl::unexpected<msg::error> bad(std::string cause) {
  return msg::fail(msg::ec::bad_request, std::move(cause), "docs/protocol.md describes the frames");
}

struct text_rule {
  std::string_view what;
  size_t min, max;
  bool (*allowed)(std::string_view);
  std::string_view alphabet;
};
constexpr text_rule id_rule{"request id", 1, request_id_max, is_printable, "printable ASCII without spaces"};
constexpr text_rule verb_rule{"verb", 1, verb_max, is_word, "a-z 0-9 . _ -"};
constexpr text_rule key_rule{"idempotency key", 0, idempotency_key_max, is_printable, "printable ASCII without spaces"};
constexpr text_rule tag_rule{"tag", 1, tag_max, is_word, "a-z 0-9 . _ -"};
constexpr text_rule topic_rule{"topic", 1, topic_max, is_printable, "printable ASCII without spaces"};

msg::result<void> obey(const text_rule& rule, std::string_view s) {
  std::string what(rule.what);
  if (s.size() < rule.min) return bad("the " + what + " is empty");
  if (s.size() > rule.max)
    return bad("the " + what + " has " + std::to_string(s.size()) + " bytes; at most " + std::to_string(rule.max));
  if (!rule.allowed(s))
    return bad("the " + what + " " + shown(s) + " has characters outside " + std::string(rule.alphabet));
  return {};
}

msg::result<void> fits(std::string_view what, size_t size, size_t max) {
  if (size <= max) return {};
  return msg::fail(
      msg::ec::too_large,
      "the " + std::string(what) + " has " + std::to_string(size) + " bytes; at most " + std::to_string(max),
      "send less in one message");
}

msg::result<void> expect_shape(const frames& f, size_t count, size_t version_at) {
  if (f.size() > version_at && f[version_at] != protocol_version)
    return bad("the peer speaks " + shown(f[version_at]) + " instead of " + std::string(protocol_version));
  if (f.size() != count)
    return bad("the message has " + std::to_string(f.size()) + " frames instead of " + std::to_string(count));
  return {};
}

}  // namespace

std::string_view name_of(reply_kind kind) { return reply_words[static_cast<size_t>(kind)]; }

frames encode(request r) {
  frames f;
  f.reserve(request_frames);
  f.emplace_back(protocol_version);
  f.emplace_back(request_word);
  f.push_back(std::move(r.id));
  f.push_back(std::move(r.verb));
  f.push_back(std::move(r.idempotency_key));
  f.push_back(r.deadline ? std::to_string(r.deadline->count()) : std::string());
  f.push_back(std::move(r.options));
  f.push_back(std::move(r.body));
  return f;
}

frames encode(reply r) {
  frames f;
  f.reserve(reply_frames);
  f.emplace_back(protocol_version);
  f.emplace_back(name_of(r.kind));
  f.push_back(std::move(r.request_id));
  f.push_back(std::move(r.body));
  return f;
}

frames encode(agent_message m) {
  frames f;
  f.reserve(agent_frames);
  f.emplace_back(protocol_version);
  f.push_back(std::move(m.tag));
  f.push_back(std::to_string(m.session));
  f.push_back(std::move(m.body));
  return f;
}

frames encode(raw_event e) {
  frames f;
  f.reserve(event_frames);
  f.push_back(std::move(e.topic));
  f.emplace_back(protocol_version);
  f.push_back(to_text(e.at));
  f.push_back(std::move(e.body));
  return f;
}

msg::result<void> check(const request& r) {
  if (auto ok = obey(id_rule, r.id); !ok) return ok;
  if (auto ok = obey(verb_rule, r.verb); !ok) return ok;
  if (auto ok = obey(key_rule, r.idempotency_key); !ok) return ok;
  if (r.deadline && (r.deadline->count() <= 0 || *r.deadline > deadline_max))
    return bad("the deadline is not between 1 ms and " + std::to_string(deadline_max.count()) + " ms");
  if (auto ok = fits("options map", r.options.size(), options_max); !ok) return ok;
  return fits("body", r.body.size(), body_max);
}

msg::result<request> parse_request(frames f) {
  if (auto ok = expect_shape(f, request_frames, 0); !ok) return msg::fail(ok.error());
  if (f[1] != request_word) return bad("a client sends 'req', not " + shown(f[1]));
  request r;
  if (!f[5].empty()) {
    auto ms = msg::parse_decimal(f[5]);
    if (!ms || *ms > static_cast<uint64_t>(deadline_max.count()))
      return bad("the deadline " + shown(f[5]) + " is not a number of milliseconds up to " +
                 std::to_string(deadline_max.count()));
    r.deadline = std::chrono::milliseconds(*ms);
  }
  r.id = std::move(f[2]);
  r.verb = std::move(f[3]);
  r.idempotency_key = std::move(f[4]);
  r.options = std::move(f[6]);
  r.body = std::move(f[7]);
  if (auto ok = check(r); !ok) return msg::fail(ok.error());
  return r;
}

msg::result<reply> parse_reply(frames f) {
  if (auto ok = expect_shape(f, reply_frames, 0); !ok) return msg::fail(ok.error());
  auto word = std::find(reply_words.begin(), reply_words.end(), f[1]);
  if (word == reply_words.end()) return bad("unknown kind of reply: " + shown(f[1]));
  if (auto ok = obey(id_rule, f[2]); !ok) return msg::fail(ok.error());
  if (auto ok = fits("body", f[3].size(), body_max); !ok) return msg::fail(ok.error());
  return reply{static_cast<reply_kind>(word - reply_words.begin()), std::move(f[2]), std::move(f[3])};
}

msg::result<agent_message> parse_agent_message(frames f) {
  if (auto ok = expect_shape(f, agent_frames, 0); !ok) return msg::fail(ok.error());
  if (auto ok = obey(tag_rule, f[1]); !ok) return msg::fail(ok.error());
  auto session = msg::parse_decimal(f[2]);
  if (!session) return bad("the session " + shown(f[2]) + " is not a number");
  if (auto ok = fits("body", f[3].size(), body_max); !ok) return msg::fail(ok.error());
  return agent_message{std::move(f[1]), *session, std::move(f[3])};
}

msg::result<raw_event> parse_event(frames f) {
  if (auto ok = expect_shape(f, event_frames, 1); !ok) return msg::fail(ok.error());
  if (auto ok = obey(topic_rule, f[0]); !ok) return msg::fail(ok.error());
  auto at = parse_cursor(f[2]);
  if (!at) return bad("the cursor " + shown(f[2]) + " is not epoch:seq");
  if (auto ok = fits("body", f[3].size(), body_max); !ok) return msg::fail(ok.error());
  return raw_event{std::move(f[0]), *at, std::move(f[3])};
}

std::string request_id_of(const frames& f) {
  constexpr size_t id_at = 2;
  return f.size() > id_at && obey(id_rule, f[id_at]) ? f[id_at] : std::string();
}

}  // namespace zedops::bus
