#include "integration/http/api/bodies.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "integration/http/api/json_read.hpp"
#include "messages/base/names.hpp"
#include "messages/wire/codec.hpp"
#include "messages/wire/codec_traits.hpp"

namespace zedops::web {

using namespace msg;

namespace {

using json = nlohmann::ordered_json;

tl::unexpected<error> bad(std::string what, std::string hint = "/api/docs lists the fields of each request") {
  return fail(ec::bad_request, std::move(what), std::move(hint));
}

std::optional<bool> yes_or_no(const std::string& text) {
  if (text.empty() || text == "1" || text == "true" || text == "yes") return true;
  if (text == "0" || text == "false" || text == "no") return false;
  return std::nullopt;
}

// A parameter as JSON of its field's type; nothing: it does not fit.
template <class T>
std::optional<json> value_of(const T&, const std::string& text) {
  if constexpr (msg::detail::is_optional<T>) {
    return value_of(typename T::value_type{}, text);
  } else if constexpr (std::is_same_v<T, bool>) {
    const auto b = yes_or_no(text);
    return b ? std::optional<json>(*b) : std::nullopt;
  } else if constexpr (std::is_same_v<T, duration>) {
    const auto d = parse_duration(text);
    return d ? std::optional<json>(d->count()) : std::nullopt;
  } else if constexpr (std::is_integral_v<T>) {
    int64_t n = 0;
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (wrong != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return json(n);
  } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, time_point> || named_enum<T>) {
    return json(text);
  } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
    return json(text);
  } else {
    return std::nullopt;
  }
}

// Stores a parameter in its field. False: there is no such field.
template <class Body>
result<bool> put(json& into, const std::string& key, const std::string& text) {
  Body shape{};
  bool found = false, fits = true;
  Body::each_field(shape, [&](const char* field, const auto& value) {
    using T = std::decay_t<decltype(value)>;
    const std::string name(public_name(field));
    if constexpr (std::is_same_v<T, page>) {
      page where;
      page::each_field(where, [&](const char* part, const auto& v) {
        if (key != part) return;
        found = true;
        auto j = value_of(v, text);
        auto& place = into[name];
        fits = j && (place.is_null() || place.is_object());
        if (fits) place[part] = std::move(*j);
      });
    } else if (key == name) {
      found = true;
      auto j = value_of(value, text);
      auto& place = into[name];
      constexpr bool many = std::is_same_v<T, std::vector<std::string>>;
      fits = j && (!many || place.is_null() || place.is_array());
      if (!fits) return;
      if constexpr (many) place.push_back(std::move(*j));
      else place = std::move(*j);
    }
  });
  if (!fits) return bad("'" + text.substr(0, 60) + "' is not a valid value for " + key.substr(0, 60));
  return found;
}

template <class Body>
std::vector<std::string> names_of() {
  std::vector<std::string> out;
  Body shape{};
  Body::each_field(shape, [&](const char* field, const auto& value) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, page>) {
      out.emplace_back("after");
      out.emplace_back("limit");
    }
    out.emplace_back(public_name(field));
  });
  return out;
}

template <class Body>
result<void> no_strangers(const json& object) {
  const auto known = names_of<Body>();
  for (const auto& [key, value] : object.items())
    if (std::ranges::find(known, key) == known.end()) {
      auto hint = did_you_mean(key, known);
      return bad("there is no field '" + key.substr(0, 60) + "' in this request",
                 hint.empty() ? "/api/docs lists the fields of each request" : hint);
    }
  return {};
}

// The field that holds the item of a path.
template <class Body>
constexpr std::string_view field_of_path() {
  if constexpr (requires(Body b) { b.servers; }) return "servers";
  else if constexpr (requires(Body b) { b.service; }) return "service";
  else if constexpr (requires(Body b) { b.deployment; }) return "deployment";
  else if constexpr (requires(Body b) { b.project; }) return "project";
  else if constexpr (requires(Body b) { b.container; }) return "container";
  else if constexpr (requires(Body b) { b.agent; }) return "agent";
  else if constexpr (requires(Body b) { b.server; }) return "server";
  else if constexpr (requires(Body b) { b.id; }) return "id";
  else return "name";
}

template <class Body>
result<std::string> pack_as(json object, const std::string& item, const pairs& query) {
  if (auto ok = no_strangers<Body>(object); !ok) return fail(ok.error());
  for (const auto& [key, text] : query) {
    if (key == "dry_run" || key == "wait" || key == "follow") continue;
    auto known = put<Body>(object, key, text);
    if (!known) return fail(known.error());
    if (!*known) {
      auto hint = did_you_mean(key, names_of<Body>());
      return bad("this request has no parameter '" + key.substr(0, 60) + "'",
                 hint.empty() ? "/api/docs lists the fields of each request" : hint);
    }
  }
  if (!item.empty()) {
    constexpr std::string_view name = field_of_path<Body>();
    const json said = name == "servers" ? json::array({item}) : json(item);
    if (object.contains(name) && object[name] != said)
      return bad("the path names '" + item.substr(0, 60) + "', but the field '" + std::string(name) + "' differs",
                 "leave the field out");
    object[name] = said;
  }
  auto read = from_json<Body>(object.dump(-1, ' ', false, json::error_handler_t::replace));
  if (!read) return fail(read.error());
  return pack_map(*read);
}
using pack_fn = result<std::string> (*)(json, const std::string&, const pairs&);
template <class... Bodies>
constexpr std::array<pack_fn, sizeof...(Bodies)> packers(const std::tuple<Bodies...>*) {
  return {pack_as<Bodies>...};
}
constexpr auto pack_row = packers(static_cast<const verb_bodies*>(nullptr));

template <class Reply>
result<std::string> json_from(const std::string& map) {
  auto read = unpack_map<Reply>(map);
  if (!read) return fail(ec::internal, "the answer cannot be read: " + read.error().message, "");
  return to_json(*read) + "\n";
}
using json_fn = result<std::string> (*)(const std::string&);
template <class... Replies>
constexpr std::array<json_fn, sizeof...(Replies)> readers(const std::tuple<Replies...>*) {
  return {json_from<Replies>...};
}
constexpr auto json_row = readers(static_cast<const verb_replies*>(nullptr));

}  // namespace

result<verb_call> call_of(const matched& to, const request& r) {
  json object = json::object();
  if (!r.body.empty()) {
    auto read = read_object(r.body);
    if (!read) return fail(read.error());
    object = std::move(*read);
  }
  verb_call out;
  for (const auto& [key, flag] : {std::pair{"dry_run", &out.options.dry_run}, {"wait", &out.options.wait}}) {
    for (const auto& [name, text] : r.query) {
      if (name != key) continue;
      const auto yes = yes_or_no(text);
      if (!yes) return bad("'" + text.substr(0, 60) + "' is not a valid value for " + name, "give 1 or 0");
      *flag = *yes;
    }
  }
  // An edit of a revision that was read: "r12-…" is the tag of revision 12.
  const auto tag = r.header("if-match");
  if (!tag.empty() && tag != "*" && verb_table[to.to->row].verb == "server.edit") {
    uint64_t revision = 0;
    const auto number = tag.starts_with("\"r") ? tag.substr(2) : std::string_view{};
    if (std::from_chars(number.data(), number.data() + number.size(), revision).ec != std::errc{})
      return bad("If-Match has '" + std::string(tag.substr(0, 60)) + "', which is not the tag of a server",
                 "send the ETag from GET /api/servers/ID");
    object["revision"] = revision;
  }
  auto body = pack_row[to.to->row](std::move(object), to.item, r.query);
  if (!body) return fail(body.error());
  out.body = std::move(*body);
  return out;
}

result<std::string> json_of(size_t row, const std::string& map) { return json_row[row](map); }

result<uint64_t> first_byte(const request& r) {
  constexpr std::string_view unit = "bytes ";
  std::string_view text = r.header("content-range");
  const auto said = r.parameter("offset");
  if (text.starts_with(unit)) text.remove_prefix(unit.size());
  text = text.empty() ? std::string_view(said) : text.substr(0, text.find('-'));
  const auto n = parse_decimal(text.empty() ? std::string_view("0") : text);
  if (n) return *n;
  return fail(ec::bad_request, "the offset of the piece is not valid",
              "send Content-Range: bytes 0-1048575/2000000, or ?offset=0");
}

}  // namespace zedops::web
