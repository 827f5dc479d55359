#include "tools/docs/message_tables.hpp"

#include <fmt/format.h>

#include <array>
#include <map>
#include <vector>

#include "messages/api/operations.hpp"
#include "messages/wire/codec.hpp"
#include "messages/wire/codec_traits.hpp"
#include "tools/docs/type_name.hpp"

namespace zedops::docs {
namespace {

using namespace msg;
using msg::detail::is_boxed;
using msg::detail::is_id;
using msg::detail::is_map;
using msg::detail::is_optional;
using msg::detail::is_vector;

// Structs are described once, in the order in which they are first named.
struct book {
  std::vector<std::string> names;
  std::map<std::string, std::string> text;
};

template <class T>
void describe(book& b);

template <class E>
std::string values() {
  std::string out;
  for (auto name : enum_names<E>::list) out += fmt::format("{}`{}`", out.empty() ? "" : " ", name);
  return out;
}

template <class T>
std::string type_text(book& b) {
  if constexpr (std::is_same_v<T, bool>) return "boolean";
  else if constexpr (std::is_same_v<T, std::string>) return "string";
  else if constexpr (is_id<T>) return "id";
  else if constexpr (std::is_same_v<T, time_point>) return "time";
  else if constexpr (std::is_same_v<T, duration>) return "duration";
  else if constexpr (std::is_same_v<T, ec>) return "error code";
  else if constexpr (named_enum<T>) return "one of " + values<T>();
  else if constexpr (std::is_integral_v<T>) return std::is_signed_v<T> ? "integer" : "integer ≥ 0";
  else if constexpr (is_optional<T>) return "nil or " + type_text<typename T::value_type>(b);
  else if constexpr (is_boxed<T>) return type_text<typename T::value_type>(b);
  else if constexpr (is_vector<T>) return "list of " + type_text<typename T::value_type>(b);
  else if constexpr (is_map<T>) return "map of string to " + type_text<typename T::mapped_type>(b);
  else if constexpr (std::is_same_v<T, fact>) return "map, see `type`";
  else {
    describe<T>(b);
    return fmt::format("[{0}](#{0})", type_name<T>());
  }
}

template <class T>
std::string default_text(const T& value) {
  if constexpr (std::is_same_v<T, bool>) return value ? "true" : "";
  else if constexpr (std::is_same_v<T, std::string>) return value.empty() ? "" : "`" + value + "`";
  else if constexpr (std::is_integral_v<T>) return value == 0 ? "" : std::to_string(value);
  else return {};
}

template <class T>
std::string fields(book& b) {
  if constexpr (T::field_count == 0) {
    return "No fields.\n\n";
  } else {
    std::string out = "| field | type | default |\n|---|---|---|\n";
    const T sample{};
    T::each_field(sample, [&]<class V>(const char* field, const V& value) {
      if constexpr (std::is_same_v<V, fact>) out += "| `type` | event type | |\n";
      out += fmt::format("| `{}` | {} | {} |\n", public_name(field), type_text<V>(b), default_text(value));
    });
    return out + "\n";
  }
}

template <class T>
void describe(book& b) {
  const std::string name(type_name<T>());
  if (!b.text.emplace(name, "").second) return;
  b.names.push_back(name);
  b.text[name] = fmt::format("#### {}\n\n{}", name, fields<T>(b));
}

template <class T>
std::string link(book& b) {
  describe<T>(b);
  return fmt::format("[{0}](#{0})", type_name<T>());
}

template <size_t... I>
std::string operation_rows(book& b, std::index_sequence<I...>) {
  std::string out;
  auto row = [&]<class T>(const verb_row& r, const T*) {
    out += fmt::format("| `{}` | {} | {} | {} | {} | {} |\n", r.verb, link<T>(b), name_of(r.risk),
                       r.allowed ? states_text(r.allowed) : "no server of that name", name_of(r.offline), r.help);
  };
  (row(operation_table[I], static_cast<const std::tuple_element_t<I, verb_bodies>*>(nullptr)), ...);
  return out;
}

template <size_t... I>
std::string deploy_rows(book& b, std::index_sequence<I...>) {
  std::string out;
  auto row = [&]<class T>(const verb_row& r, const T*) {
    out +=
        fmt::format("| `{}` | {} | {} | {} | {} |\n", r.verb, link<T>(b), name_of(r.risk), name_of(r.offline), r.help);
  };
  (row(operation_table[server_operations_count + I],
       static_cast<const std::tuple_element_t<server_operations_count + I, verb_bodies>*>(nullptr)),
   ...);
  return out;
}

template <size_t... I>
std::string other_rows(book& b, std::index_sequence<I...>) {
  std::string out;
  ((out += fmt::format("| `{}` | {} | {} | {} |\n", other_verbs[I].verb,
                       link<std::tuple_element_t<operations_count + I, verb_bodies>>(b),
                       link<std::tuple_element_t<operations_count + I, verb_replies>>(b), other_verbs[I].help)),
   ...);
  return out;
}

std::string verbs(book& b) {
  std::string out =
      "### Operations\n\n"
      "Options: " +
      link<request_options>(b) + ". `accepted` and, with the option `wait`, `result` carry " +
      link<operation_reply>(b) + "; `progress` carries " + link<operation_view>(b) +
      ". Without `wait` the request ends with `result` as soon as the operation is stored. With it, an operation that "
      "failed ends with `result` as well: its `status` says so. `error` means that nothing was begun.\n\n"
      "| verb | body | danger | allowed when the server is | agent offline | meaning |\n|---|---|---|---|---|---|\n" +
      operation_rows(b, std::make_index_sequence<server_operations_count>{}) +
      "\n### Operations on projects and services\n\n"
      "The same, answered with " +
      link<deploy_reply>(b) + ".\n\n| verb | body | danger | agent offline | meaning |\n|---|---|---|---|---|\n" +
      deploy_rows(b, std::make_index_sequence<operations_count - server_operations_count>{}) +
      "\n### Reads and questions\n\n| verb | body | result | meaning |\n|---|---|---|---|\n" +
      other_rows(b, std::make_index_sequence<other_verbs.size()>{});
  return out;
}

template <size_t... I>
std::string event_rows(book& b, std::index_sequence<I...>) {
  std::string out;
  auto row = [&]<class T>(const T*) {
    std::string list;
    const T sample{};
    T::each_field(sample, [&]<class V>(const char* field, const V&) {
      list += fmt::format("{}`{}`: {}", list.empty() ? "" : "; ", public_name(field), type_text<V>(b));
    });
    out += fmt::format("| `{}` | {} |\n", T::type, list);
  };
  (row(static_cast<const std::variant_alternative_t<I, fact>*>(nullptr)), ...);
  return out;
}

std::string errors() {
  std::string out = "| code | HTTP | exit of zedctl | may succeed later, unchanged |\n|---|---|---|---|\n";
  for (const auto& e : ec_table)
    out += fmt::format("| `{}` | {} | {} | {} |\n", e.name, e.http_status, e.exit_code, e.retryable ? "yes" : "no");
  return out;
}

}  // namespace

std::string message_tables() {
  book b;
  std::string out =
      "\n## Verbs\n\n"
      "Bodies are maps by field name: a missing field has its default (nothing, zero, false or the first value where "
      "none "
      "is given), an unknown one is ignored. `server` and `agent` in a body are a name, an id or a unique prefix of an "
      "id; "
      "a server also `agent/name`. Times are milliseconds since 1970 UTC in MessagePack and RFC 3339 in JSON; "
      "durations "
      "are milliseconds.\n\n";
  out += verbs(b);
  out += "\n## Events by type\n\nEach message of the events socket, and each row of a replay, is one " +
         link<event>(b) +
         "; its `data` is a map with the fields of its `type`.\n\n| type | fields of `data` |\n|---|---|\n" +
         event_rows(b, std::make_index_sequence<std::variant_size_v<fact>>{});
  out += "\n## Errors\n\nThe body of `error` is " + link<error>(b) + ".\n\n" + errors();
  out += "\n## Bodies\n\n";
  for (const auto& name : b.names) out += b.text[name];
  return out;
}

std::string with_tables(const std::string& page) {
  auto begin = page.find(tables_begin);
  auto end = page.find(tables_end);
  if (begin == page.npos || end == page.npos || end < begin) return {};
  begin += tables_begin.size();
  return page.substr(0, begin) + message_tables() + page.substr(end);
}

}  // namespace zedops::docs
