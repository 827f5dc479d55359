#include "integration/http/api/openapi.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "integration/http/api/routes.hpp"
#include "messages/wire/codec.hpp"
#include "messages/wire/codec_traits.hpp"

namespace zedops::web {

using namespace msg;

namespace {

using json = nlohmann::ordered_json;

// Structs with a name of their own among the schemas.
template <class T>
constexpr std::string_view schema_name = {};
#define X(type) \
  template <>   \
  constexpr std::string_view schema_name<type> = #type;
ZEDOPS_MAP_TYPES(X)
#undef X

class schema_book {
 public:
  json components = json::object();
  bool asks = false;  // a request is being described, not an answer

  // Answers have all their fields, requests only those that the client gives.
  void require_fields() {
    for (auto& [name, schema] : components.items()) {
      if (asked_.contains(name) || !schema.contains("properties")) continue;
      require_all(schema);
    }
  }

  template <class T>
  json of() {
    using namespace msg::detail;
    if constexpr (is_id<T> || std::is_same_v<T, std::string>) {
      return {{"type", "string"}};
    } else if constexpr (std::is_same_v<T, time_point>) {
      return {{"type", json::array({"string", "null"})}, {"format", "date-time"}};
    } else if constexpr (std::is_same_v<T, duration>) {
      return {{"type", "integer"}, {"description", "milliseconds"}};
    } else if constexpr (std::is_same_v<T, ec>) {
      json names = json::array();
      for (const auto& row : ec_table) names.push_back(row.name);
      return {{"type", "string"}, {"enum", names}};
    } else if constexpr (named_enum<T>) {
      json names = json::array();
      for (auto name : enum_names<T>::list) names.push_back(name);
      return {{"type", "string"}, {"enum", names}};
    } else if constexpr (std::is_same_v<T, bool>) {
      return {{"type", "boolean"}};
    } else if constexpr (std::is_integral_v<T>) {
      json out{{"type", "integer"}};
      if (std::is_unsigned_v<T>) out["minimum"] = 0;
      return out;
    } else if constexpr (is_optional<T>) {
      auto inner = of<typename T::value_type>();
      if (inner.contains("type") && inner["type"].is_string()) {
        inner["type"] = json::array({inner["type"], "null"});
        if (inner.contains("enum")) inner["enum"].push_back(nullptr);
        return inner;
      }
      if (inner.contains("type")) return inner;
      return {{"anyOf", json::array({inner, json{{"type", "null"}}})}};
    } else if constexpr (is_boxed<T>) {
      return of<typename T::value_type>();
    } else if constexpr (is_vector<T>) {
      return {{"type", "array"}, {"items", of<typename T::value_type>()}};
    } else if constexpr (is_map<T>) {
      return {{"type", "object"}, {"additionalProperties", of<typename T::mapped_type>()}};
    } else if constexpr (is_variant<T>) {
      return {{"type", "object"}, {"description", "the fields of the type named in `type`"}};
    } else if constexpr (!schema_name<T>.empty()) {
      const std::string name(schema_name<T>);
      if (asks) asked_.insert(name);
      if (!components.contains(name)) {
        components[name] = nullptr;  // it may hold itself
        components[name] = fields_of<T>();
      }
      return {{"$ref", "#/components/schemas/" + name}};
    } else {
      auto fields = fields_of<T>();
      if (!asks) require_all(fields);
      return fields;
    }
  }

 private:
  static void require_all(json& schema) {
    json names = json::array();
    for (const auto& [field, type] : schema["properties"].items()) names.push_back(field);
    schema["required"] = std::move(names);
  }
  template <class T>
  json fields_of() {
    json properties = json::object();
    T shape{};
    T::each_field(shape, [&](const char* field, const auto& value) {
      using V = std::decay_t<decltype(value)>;
      if constexpr (std::is_same_v<V, fact>) properties["type"] = {{"type", "string"}};
      properties[std::string(public_name(field))] = of<V>();
    });
    return {{"type", "object"}, {"properties", std::move(properties)}};
  }
  std::set<std::string> asked_;
};

template <size_t Row>
json parameters_of(schema_book& book) {
  json out = json::array();
  std::tuple_element_t<Row, verb_bodies> shape{};
  std::remove_cvref_t<decltype(shape)>::each_field(shape, [&](const char* field, const auto& value) {
    using T = std::decay_t<decltype(value)>;
    const auto add = [&](const std::string& name, json schema) {
      out.push_back({{"name", name}, {"in", "query"}, {"schema", std::move(schema)}});
    };
    if constexpr (std::is_same_v<T, page>) {
      add("after", book.of<std::string>());
      add("limit", book.of<uint32_t>());
    } else if constexpr (!has_fields<T> && !msg::detail::is_map<T>) {
      add(std::string(public_name(field)), book.of<T>());
    }
  });
  return out;
}

// Examples of bodies; a test checks that the verbs accept them.
struct example {
  std::string_view verb, body;
};
constexpr example examples[] = {
    {"server.create", R"({"name": "pz1", "agent": "host1", "template": "project-zomboid",
                          "config": {"SERVER_NAME": "Muldraugh", "ADMIN_PASSWORD": "a secret"}})"},
    {"server.start", "{}"},
    {"server.stop", "{}"},
    {"server.restart", "{}"},
    {"server.rebuild", "{}"},
    {"server.edit", R"({"config": {"SERVER_NAME": "West Point"}, "image_tag": "stable", "recovery": "auto"})"},
    {"server.move", R"({"data_path": "/srv/games"})"},
    {"server.adopt", R"({"name": "pz2", "agent": "host1", "container": "zomboid", "game_port": 16261})"},
    {"server.check-data", R"({"sizes": true})"},
    {"port.check", R"({"agent": "host1", "ports": [{"number": 16261, "proto": "udp"}]})"},
    {"agent.token", R"({"ttl": 3600000})"},
    {"user.add", R"({"name": "ann", "role": "operator"})"},
    {"token.add", R"({"name": "backup", "role": "viewer", "ttl": 2592000000})"},
    {"manager.log-level", R"({"level": "debug"})"},
    {"project.create", R"({"name": "shop", "description": "All we sell", "base_domain": "shop.example.org"})"},
    {"service.create", R"({"project": "shop", "name": "web", "agent": "host1", "retention": 5})"},
    {"service.edit", R"({"retention": 10, "health_path": "/status"})"},
    {"deployment.create", R"({"service": "shop/web", "upload": "u4mzk2w9c8d1x7q", "environment": "production"})"},
    {"service.rollback", R"({"to": 3})"},
};
constexpr std::string_view refusal_example = R"({"error": {"code": "wrong_state",
  "message": "pz1 is running: start is possible when it is stopped, missing or failed", "hint": "zedctl server explain pz1"}})";

json answer(const std::string& description, json schema) {
  return {{"description", description}, {"content", {{"application/json", {{"schema", std::move(schema)}}}}}};
}

template <size_t Row>
void add_row(json& paths, schema_book& book, const route& r) {
  const auto& row = verb_table[Row];
  using body = std::tuple_element_t<Row, verb_bodies>;
  using reply = std::tuple_element_t<Row, verb_replies>;
  const bool reads = r.method == "GET", item = r.path.find("{id}") != std::string::npos;
  json op{{"operationId", std::string(row.verb)},
          {"tags", json::array({std::string(row.noun())})},
          {"summary", std::string(row.help)},
          {"x-right", std::string(name_of(row.needs))}};
  json parameters = json::array();
  if (item)
    parameters.push_back({{"name", "id"},
                          {"in", "path"},
                          {"required", true},
                          {"schema", {{"type", "string"}}},
                          {"description", "name, agent%2Fname, id or unique prefix of an id"}});
  if (reads || r.method == "DELETE")
    for (auto& p : parameters_of<Row>(book))
      if (!item || (p["name"] != row.noun() && !((row.noun() == "op" || row.noun() == "upload") && p["name"] == "id") &&
                    !(row.noun() == "stray" && p["name"] == "container")))
        parameters.push_back(p);
  if (is_operation(row)) {
    op["x-states"] = [&] {
      json states = json::array();
      for (size_t i = 0; i < enum_names<server_status>::list.size(); ++i)
        if (contains(row.allowed, static_cast<server_status>(i))) states.push_back(enum_names<server_status>::list[i]);
      return states;
    }();
    op["x-danger"] = std::string(name_of(row.risk));
    for (const auto& [name, what] :
         {std::pair{"dry_run", "answer with the plan and change nothing"}, {"wait", "answer at the operation's end"}})
      parameters.push_back({{"name", name}, {"in", "query"}, {"schema", {{"type", "boolean"}}}, {"description", what}});
    parameters.push_back({{"name", "Idempotency-Key"},
                          {"in", "header"},
                          {"schema", {{"type", "string"}}},
                          {"description", "the same request with the same key is carried out once"}});
  }
  if (!parameters.empty()) op["parameters"] = std::move(parameters);
  if (r.method == "POST" || r.method == "PATCH") {
    book.asks = true;
    json content{{"schema", book.of<body>()}};
    if (const auto e = std::ranges::find(examples, row.verb, &example::verb); e != std::end(examples))
      content["example"] = json::parse(e->body);
    op["requestBody"] = {{"content", {{"application/json", std::move(content)}}}};
    book.asks = false;
  }
  json responses{{"200", answer("done", book.of<reply>())}};
  if (is_operation(row)) responses["202"] = answer("accepted; Location names the operation", book.of<reply>());
  responses["default"] = answer("refused: code, cause and remedy", json{{"$ref", "#/components/schemas/failure"}});
  op["responses"] = std::move(responses);
  auto method = r.method;
  std::ranges::transform(method, method.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  paths[r.path][method] = std::move(op);
}

template <size_t... Rows>
json document(std::index_sequence<Rows...>) {
  schema_book book;
  json paths = json::object();
  for (const auto& r : routes()) ((r.row == Rows ? add_row<Rows>(paths, book, r) : void()), ...);
  paths["/api/events"]["get"] = {
      {"operationId", "events"},
      {"tags", json::array({"event"})},
      {"summary", "Live events (text/event-stream), from Last-Event-ID on; `gap` means that some are missing"},
      {"parameters", json::array({{{"name", "subject"}, {"in", "query"}, {"schema", {{"type", "string"}}}},
                                  {{"name", "type"}, {"in", "query"}, {"schema", {{"type", "string"}}}},
                                  {{"name", "record"},
                                   {"in", "query"},
                                   {"schema", {{"type", "boolean"}}},
                                   {"description", "with each event of a server or agent, its current record"}}})},
      {"responses",
       {{"200", {{"description", "a stream of events"}, {"content", {{"text/event-stream", json::object()}}}}}}}};
  paths["/api/uploads/{id}"]["put"] = {
      {"operationId", "upload.piece"},
      {"tags", json::array({"upload"})},
      {"summary", "One piece of an upload, 1 MiB at most: bytes, not JSON. Content-Range or offset gives its place"},
      {"x-right", "operate"},
      {"parameters",
       json::array({{{"name", "id"}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}},
                    {{"name", "offset"}, {"in", "query"}, {"schema", {{"type", "integer"}}}},
                    {{"name", "Content-Range"}, {"in", "header"}, {"schema", {{"type", "string"}}}}})},
      {"requestBody", {{"content", {{"application/octet-stream", json::object()}}}}},
      {"responses", {{"200", answer("how much has arrived", book.of<upload_view>())}}}};
  (void)book.of<event>();
  book.require_fields();
  book.components["failure"] = {
      {"type", "object"}, {"properties", {{"error", book.of<error>()}}}, {"example", json::parse(refusal_example)}};
  return {{"openapi", "3.1.0"},
          {"info",
           {{"title", "zedops"},
            {"version", ZEDOPS_VERSION},
            {"description",
             "Servers in containers, on many Docker hosts. The same operations, names and rights as zedctl."}}},
          {"security", json::array({{{"token", json::array()}}, {{"session", json::array()}}})},
          {"paths", std::move(paths)},
          {"components",
           {{"schemas", std::move(book.components)},
            {"securitySchemes",
             {{"token", {{"type", "http"}, {"scheme", "bearer"}}},
              {"session", {{"type", "apiKey"}, {"in", "cookie"}, {"name", "zedops_session"}}}}}}}};
}

}  // namespace

const std::string& openapi() {
  static const auto text = document(std::make_index_sequence<verb_table.size()>{}).dump(1) + "\n";
  return text;
}

}  // namespace zedops::web
