#include "tools/zedctl/cli/cli.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <map>
#include <memory>

#include "messages/base/names.hpp"
#include "tools/zedctl/cli/help.hpp"

namespace zedops::ctl {
namespace {

constexpr uint64_t port_max = 65'535;

std::optional<uint64_t> whole(std::string_view text) {
  uint64_t n = 0;
  auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (err != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return n;
}

bool is_integer(std::string_view text) {
  int32_t n = 0;
  auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), n);
  return err == std::errc{} && end == text.data() + text.size();
}

bool is_port(std::string_view text) {
  auto n = whole(text);
  return n && *n >= 1 && *n <= port_max;
}

// What is wrong with a value; empty: nothing. CLI11 puts the option's name before it.
std::string problem_of(value_kind kind, const std::vector<std::string>& choices, const std::string& text) {
  switch (kind) {
    case value_kind::number: return whole(text) ? "" : fmt::format("'{}' is not a whole number", text);
    case value_kind::duration:
      return msg::parse_duration(text) ? "" : fmt::format("'{}' is not a duration, like 90s, 1h30m or 7d", text);
    case value_kind::integer:
      return is_integer(text) ? "" : fmt::format("'{}' is not a whole number in the 32-bit range, like 10 or -5", text);
    case value_kind::port: return is_port(text) ? "" : fmt::format("'{}' is not a port (1-65535)", text);
    case value_kind::port_spec: {
      std::string_view number = text;
      if (number.ends_with("/udp") || number.ends_with("/tcp")) number.remove_suffix(4);
      return is_port(number) ? "" : fmt::format("'{}' is not a port like 16261, 16261/udp or 27015/tcp", text);
    }
    case value_kind::pair: {
      return text.empty() || text.front() == '=' ? fmt::format("'{}' is not of the form KEY=VALUE or KEY", text) : "";
    }
    case value_kind::choice: {
      if (std::ranges::find(choices, text) != choices.end()) return "";
      auto guess = msg::did_you_mean(text, choices);
      return fmt::format("'{}' is not one of {}{}", text, joined(choices, "and"), guess.empty() ? "" : "; " + guess);
    }
    case value_kind::server:
    case value_kind::agent:
    case value_kind::operation:
    case value_kind::context: return text.empty() ? "a name cannot be empty" : "";
    case value_kind::none:
    case value_kind::text:
    case value_kind::path:
    case value_kind::template_name: break;
  }
  return "";
}

struct bound {
  const command* verb = nullptr;
  CLI::App* app = nullptr;
  std::vector<std::pair<std::string, CLI::Option*>> options;
};

CLI::Option* bind(CLI::App& app, const parameter& p) {
  if (p.kind == value_kind::none) return app.add_flag(p.flags, p.help);
  auto* option = app.add_option(p.flags, CLI::callback_t{[](const CLI::results_t&) { return true; }}, p.help);
  bool many = p.count == arity::any || p.count == arity::some;
  bool endless = p.positional() && many;
  if (endless) option->expected(1, CLI::detail::expected_max_vector_size);
  else option->expected(1);
  // Without this an option would swallow the names after its value.
  option->allow_extra_args(endless);
  if (!p.positional())
    option->multi_option_policy(many ? CLI::MultiOptionPolicy::TakeAll : CLI::MultiOptionPolicy::TakeLast);
  if (p.count == arity::one || p.count == arity::some) option->required();
  option->check(
      [kind = p.kind, choices = p.choices](const std::string& text) { return problem_of(kind, choices, text); });
  return option;
}

class tree {
 public:
  tree() {
    app_.set_help_flag("-h,--help");
    app_.fallthrough();  // before any subcommand is made: they inherit it
    app_.require_subcommand(0, 1);
    version_ = app_.add_flag("-V,--version");
    for (const auto& p : global_parameters()) globals_.emplace_back(p.key(), bind(app_, p));
    for (const auto& n : nouns()) {
      auto* sub = app_.add_subcommand(std::string(n.word), std::string(n.help));
      sub->require_subcommand(0, 1);
      nouns_[std::string(n.word)] = sub;
    }
    for (const auto& c : commands()) {
      auto space = c.path.find(' ');
      if (space == std::string::npos) add(app_, c.path, c);
      else add(*nouns_.at(c.path.substr(0, space)), c.path.substr(space + 1), c);
      if (!c.shortcut.empty()) add(app_, c.shortcut, c);
    }
  }

  CLI::App& app() { return app_; }
  const std::vector<std::pair<std::string, CLI::Option*>>& globals() const { return globals_; }
  bool version_wanted() const { return version_->count() > 0; }
  const bound* chosen() const {
    for (const auto& b : verbs_)
      if (b->app->parsed()) return b.get();
    return nullptr;
  }
  std::string noun() const {
    for (const auto& [word, sub] : nouns_)
      if (sub->parsed()) return word;
    return {};
  }

 private:
  void add(CLI::App& parent, const std::string& word, const command& c) {
    auto b = std::make_unique<bound>();
    b->verb = &c;
    b->app = parent.add_subcommand(word, c.help);
    b->app->require_subcommand(0, 0);
    for (const auto& p : c.parameters) b->options.emplace_back(p.key(), bind(*b->app, p));
    verbs_.push_back(std::move(b));
  }

  CLI::App app_{"", "zedctl"};
  CLI::Option* version_ = nullptr;
  std::vector<std::pair<std::string, CLI::Option*>> globals_;
  std::map<std::string, CLI::App*> nouns_;
  std::vector<std::unique_ptr<bound>> verbs_;
};

std::optional<form> form_of(std::string_view text) {
  constexpr std::array words = {"table", "wide", "json", "yaml", "name"};
  for (size_t i = 0; i < words.size(); ++i)
    if (text == words[i]) return static_cast<form>(i);
  return std::nullopt;
}

msg::result<global_flags> flags_of(const tree& t, const world& w) {
  arguments a;
  for (const auto& [key, option] : t.globals())
    if (option->count() > 0) a.set(key, option->results());
  auto value = [&](const std::string& key, const std::string& variable) {
    return a.has(key) ? a.one(key) : w.variable(variable);
  };
  global_flags f;
  f.endpoint = a.one("endpoint");
  f.context = a.one("context");
  if (auto text = value("output", "ZEDCTL_OUTPUT"); !text.empty()) {
    auto found = form_of(text);
    if (!found)
      return msg::fail(msg::ec::bad_request, fmt::format("ZEDCTL_OUTPUT is '{}', which is not an output format", text),
                       "set it to table, wide, json, yaml or name");
    f.output = *found;
  }
  if (auto text = value("timeout", "ZEDCTL_TIMEOUT"); !text.empty()) {
    auto found = msg::parse_duration(text);
    if (!found || found->count() == 0)
      return msg::fail(msg::ec::bad_request, fmt::format("'{}' is not a valid timeout", text),
                       "give a number and a unit: 90s, 2m, 1h30m");
    f.timeout = *found;
  }
  f.yes = a.has("yes");
  f.dry_run = a.has("dry-run");
  f.headers = !a.has("no-headers");
  f.quiet = a.has("quiet");
  f.iso_time = a.one("time") == "iso";
  f.verbose = a.has("verbose");
  f.color = a.one("color", "auto");
  return f;
}

}  // namespace

// `deploy shop/web` means `deploy create shop/web`.
std::vector<std::string> with_create(const std::vector<std::string>& list) {
  auto out = list;
  const auto deploy = std::ranges::find(out, "deploy");
  if (deploy == out.end() || deploy + 1 == out.end() || std::ranges::find(out, "help") < deploy) return out;
  if ((deploy + 1)->find('/') != std::string::npos && !(deploy + 1)->starts_with('-')) out.insert(deploy + 1, "create");
  return out;
}

form wanted_form(const std::vector<std::string>& list) {
  for (size_t i = 0; i < list.size(); ++i) {
    std::string_view text = list[i];
    if ((text == "-o" || text == "--output") && i + 1 < list.size()) text = list[i + 1];
    else if (text.starts_with("--output=")) text.remove_prefix(9);
    else if (text.starts_with("-o") && text.size() > 2) text.remove_prefix(text[2] == '=' ? 3 : 2);
    else continue;
    return form_of(text).value_or(form::table);
  }
  return form::table;
}

msg::result<invocation> parse(const world& w, const std::vector<std::string>& list) {
  tree t;
  invocation out;
  const auto words = with_create(list);
  try {
    t.app().parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::CallForHelp&) {
    out.kind = invocation::what::help;
  } catch (const CLI::ParseError& e) {
    return msg::fail(usage_error(list, e.what()));
  }
  auto flags = flags_of(t, w);
  if (!flags) return msg::fail(flags.error());
  out.flags = std::move(*flags);
  auto* wait = t.app().get_option("--wait");
  if (wait->count() > 0) out.flags.wait = wait->as<bool>();
  const auto* chosen = t.chosen();
  out.verb = chosen ? chosen->verb : nullptr;
  out.topic = t.noun();
  if (out.kind == invocation::what::help) return out;
  if (t.version_wanted()) {
    out.kind = invocation::what::version;
    return out;
  }
  if (!chosen) {
    if (!out.topic.empty()) return msg::fail(usage_error(list, fmt::format("'{}' needs a verb", out.topic)));
    out.kind = invocation::what::nothing;
    return out;
  }
  for (const auto& [key, option] : chosen->options)
    if (option->count() > 0) out.values.set(key, option->results());
  return out;
}

}  // namespace zedops::ctl
