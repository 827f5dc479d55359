#include "tools/zedctl/input/server_file.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "messages/base/names.hpp"
#include "messages/wire/codec.hpp"
#include "messages/wire/codec_traits.hpp"

namespace zedops::ctl {
namespace {

using msg::result;
using namespace msg::detail;

constexpr unsigned depth_max = 16;
constexpr size_t entries_max = 10'000;  // of one list or map

// The name that a request uses for a field which the view of a server names differently.
std::string wire_name(const std::string& key) { return key == "crash_policy" ? "crash" : key; }

// The first problem, with its place. Values take the form that their field asks for, so that `image_tag: 1.25` is text.
class reader {
 public:
  explicit reader(std::string from) : from_(std::move(from)) {}

  std::optional<msg::error> problem;

  void bad(const YAML::Node& at, const std::string& what, const std::string& hint) {
    if (problem) return;
    const auto mark = at.Mark();
    const auto place = mark.is_null() ? from_ : fmt::format("{}:{}", from_, mark.line + 1);
    problem = msg::error{msg::ec::bad_request, place + ": " + what, hint, {}};
  }

  template <class T>
  void read(const YAML::Node& n, T& out, const std::string& field, unsigned depth = 0) {
    if (problem) return;
    if (depth > depth_max) return bad(n, field + " is nested too deeply", "");
    if (n.IsNull()) return;  // as if it were not there
    if constexpr (is_optional<T>) {
      typename T::value_type value{};
      read(n, value, field, depth + 1);
      out = std::move(value);
    } else if constexpr (std::is_same_v<T, std::string>) {
      if (n.IsScalar()) out = n.Scalar();
      else bad(n, field + " is not text", "");
    } else if constexpr (std::is_same_v<T, bool>) {
      if (!n.IsScalar() || !YAML::convert<bool>::decode(n, out)) bad(n, field + " is neither true nor false", "");
    } else if constexpr (std::is_same_v<T, msg::duration>) {
      duration(n, out, field);
    } else if constexpr (msg::named_enum<T>) {
      auto value = n.IsScalar() ? msg::enum_from_name<T>(n.Scalar()) : std::nullopt;
      if (value) out = *value;
      else bad(n, fmt::format("{} is not one of {}", field, fmt::join(msg::enum_names<T>::list, ", ")), "");
    } else if constexpr (std::is_integral_v<T>) {
      number(n, out, field);
    } else if constexpr (std::is_same_v<T, std::vector<msg::port_binding>>) {
      list(n, field, [&](const YAML::Node& item) {
        if (item.IsMap()) return read(item, out.emplace_back(), field, depth + 1);
        short_form(item, field, msg::parse_ports,
                   [&](auto ports) { out.insert(out.end(), ports.begin(), ports.end()); });
      });
    } else if constexpr (is_vector<T>) {
      list(n, field, [&](const YAML::Node& item) { read(item, out.emplace_back(), field, depth + 1); });
    } else if constexpr (is_map<T>) {
      each(n, field, [&](const std::string& key, const YAML::Node& value) {
        read(value, out[key], field + "." + key, depth + 1);
      });
    } else if constexpr (std::is_same_v<T, msg::data_folder>) {
      if (n.IsMap()) fields(n, out, field, depth);
      else short_form(n, field, msg::parse_folder, [&](auto folder) { out = std::move(folder); });
    } else if constexpr (std::is_same_v<T, msg::mount>) {
      if (n.IsMap()) fields(n, out, field, depth);
      else short_form(n, field, msg::parse_bind, [&](auto bind) { out = std::move(bind); });
    } else if constexpr (std::is_same_v<T, msg::ulimit>) {
      if (n.IsMap()) return fields(n, out, field, depth);
      auto limit = n.IsScalar() ? msg::parse_ulimit(n.Scalar()) : std::nullopt;
      if (limit) out = *limit;
      else bad(n, field + " is not a limit", "write SOFT:HARD or one number for both: 1024:65536");
    } else {
      fields(n, out, field, depth);
    }
  }

  // A struct; `passed_over`: keys that are allowed and ignored here.
  template <class T>
  void fields(const YAML::Node& n, T& out, const std::string& field, unsigned depth,
              const std::set<std::string>& passed_over = {}) {
    each(n, field, [&](const std::string& key, const YAML::Node& value) {
      bool found = false;
      std::vector<std::string> known;
      T::each_field(out, [&](const char* name, auto& member) {
        known.emplace_back(msg::public_name(name));
        if (found || known.back() != wire_name(key)) return;
        found = true;
        read(value, member, field.empty() ? key : field + "." + key, depth + 1);
      });
      if (!found && !passed_over.contains(key))
        bad(value, fmt::format("there is no field '{}'{}", key.substr(0, 64), field.empty() ? "" : " in " + field),
            msg::did_you_mean(key, known));
    });
  }

 private:
  template <class Do>
  void list(const YAML::Node& n, const std::string& field, Do per_item) {
    if (!n.IsSequence()) return bad(n, field + " is not a list", "write - ITEM lines below it, or [ITEM, ITEM]");
    if (n.size() > entries_max) return bad(n, field + " has too many entries", "");
    for (const auto& item : n) per_item(item);
  }
  template <class Do>
  void each(const YAML::Node& n, const std::string& field, Do per_pair) {
    if (!n.IsMap()) return bad(n, (field.empty() ? "this" : field) + " is not a map of names to values", "");
    if (n.size() > entries_max) return bad(n, field + " has too many entries", "");
    std::set<std::string> seen;
    for (const auto& pair : n) {
      if (problem) return;
      if (!pair.first.IsScalar()) return bad(pair.first, "a key is not text", "");
      const auto& key = pair.first.Scalar();
      if (!seen.insert(key).second) return bad(pair.first, fmt::format("'{}' appears twice", key), "");
      per_pair(key, pair.second);
    }
  }
  template <class Parse, class Use>
  void short_form(const YAML::Node& n, const std::string& field, Parse parse, Use use) {
    if (!n.IsScalar()) return bad(n, field + " has an entry that is neither text nor a map", "");
    auto value = parse(n.Scalar());
    if (value) use(std::move(*value));
    else bad(n, field + ": " + value.error().message, value.error().hint);
  }
  void duration(const YAML::Node& n, msg::duration& out, const std::string& field) {
    auto d = n.IsScalar() ? msg::parse_duration(n.Scalar()) : std::nullopt;
    int64_t ms = 0;
    if (d) out = *d;
    else if (n.IsScalar() && whole(n.Scalar(), ms) && ms >= 0) out = msg::duration{ms};
    else bad(n, field + " is not a duration", "write it with a unit, 90s, or in milliseconds");
  }
  template <class N>
  void number(const YAML::Node& n, N& out, const std::string& field) {
    if (n.IsScalar() && whole(n.Scalar(), out)) return;
    if constexpr (std::is_same_v<N, uint64_t>)
      if (auto bytes = n.IsScalar() ? msg::parse_bytes(n.Scalar()) : std::nullopt) {
        out = *bytes;
        return;
      }
    bad(n, field + " is not a whole number in its range", "");
  }
  template <class N>
  static bool whole(const std::string& text, N& out) {
    auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), out);
    return err == std::errc{} && end == text.data() + text.size();
  }

  std::string from_;
};

const std::set<std::string>& only_seen() {
  static const auto names = [] {
    std::set<std::string> out;
    const msg::server_view v;
    msg::server_view::each_field(v, [&](const char* name, const auto&) { out.emplace(msg::public_name(name)); });
    return out;
  }();
  return names;
}

result<std::string> file_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text(server_file_bytes_max + 1, '\0');
  if (in) in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in.is_open() || in.bad())
    return msg::fail(msg::ec::bad_request, "cannot read " + path, "check that it exists and that you may read it");
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

}  // namespace

result<std::vector<wanted_server>> servers_in_text(const std::string& text, const std::string& from) {
  if (text.size() > server_file_bytes_max)
    return msg::fail(msg::ec::too_large, from + " has more than " + msg::format_bytes(server_file_bytes_max),
                     "split it into several files");
  std::vector<YAML::Node> documents;
  try {
    documents = YAML::LoadAll(text);
  } catch (const YAML::Exception& e) {
    return msg::fail(msg::ec::bad_request, fmt::format("{}:{}: {}", from, e.mark.line + 1, e.msg),
                     "the file has to be YAML or JSON");
  }
  std::vector<wanted_server> out;
  for (const auto& document : documents) {
    if (document.IsNull()) continue;
    wanted_server w{documents.size() > 1 ? fmt::format("{} (document {})", from, out.size() + 1) : from, {}};
    reader r(from);
    try {
      r.fields(document, w.server, "", 0, only_seen());
    } catch (const YAML::Exception& e) {  // an alias to an undefined anchor, a key of an odd kind
      return msg::fail(msg::ec::bad_request, fmt::format("{}:{}: {}", from, e.mark.line + 1, e.msg), "");
    }
    if (r.problem) return msg::fail(std::move(*r.problem));
    if (w.server.name.empty())
      return msg::fail(msg::ec::bad_request, w.from + ": the server has no name", "add a line: name: NAME");
    out.push_back(std::move(w));
  }
  if (out.empty())
    return msg::fail(msg::ec::bad_request, from + " contains no server", "zedctl server get NAME -o yaml prints one");
  return out;
}

result<std::vector<wanted_server>> servers_in_files(const std::string& path, std::istream& in) {
  namespace fs = std::filesystem;
  if (path == "-") {
    std::string text(server_file_bytes_max + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<size_t>(in.gcount()));
    return servers_in_text(text, "standard input");
  }
  std::error_code problem;
  std::vector<std::string> files;
  if (fs::is_directory(path, problem)) {
    for (auto i = fs::directory_iterator(path, problem); !problem && i != fs::directory_iterator();
         i.increment(problem)) {
      const auto ext = i->path().extension();
      if (ext == ".yaml" || ext == ".yml" || ext == ".json") files.push_back(i->path().string());
      if (files.size() > server_files_max) break;
    }
    std::sort(files.begin(), files.end());
    if (files.empty())
      return msg::fail(msg::ec::bad_request, "there is no *.yaml, *.yml or *.json in " + path, "name a file or folder");
  } else {
    files.push_back(path);
  }
  std::vector<wanted_server> out;
  for (const auto& file : files) {
    auto text = file_text(file);
    if (!text) return msg::fail(text.error());
    auto found = servers_in_text(*text, file);
    if (!found) return msg::fail(found.error());
    out.insert(out.end(), std::make_move_iterator(found->begin()), std::make_move_iterator(found->end()));
    if (out.size() > server_files_max)
      return msg::fail(msg::ec::too_large, fmt::format("more than {} servers", server_files_max),
                       "apply fewer at a time");
  }
  return out;
}

}  // namespace zedops::ctl
