#include "tools/zedctl/cli/help.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "messages/base/names.hpp"
#include "tools/zedctl/cli/cli.hpp"

namespace zedops::ctl {
namespace {

constexpr size_t column = 30;

std::string usage_of(const command& c) {
  auto out = "zedctl " + c.path;
  for (const auto& p : c.parameters) {
    if (!p.positional()) continue;
    switch (p.count) {
      case arity::optional: out += fmt::format(" [{}]", p.flags); break;
      case arity::one: out += ' ' + p.flags; break;
      case arity::any: out += fmt::format(" [{}...]", p.flags); break;
      case arity::some: out += fmt::format(" {}...", p.flags); break;
    }
  }
  for (const auto& p : c.parameters)
    if (!p.positional() && p.count == arity::one) out += fmt::format(" --{} {}", p.key(), p.value);
  bool optional_ones =
      std::ranges::any_of(c.parameters, [](const parameter& p) { return !p.positional() && p.count != arity::one; });
  return optional_ones ? out + " [flags]" : out;
}

std::string flag_text(const parameter& p) {
  auto flags = p.flags;
  std::erase(flags, '!');
  for (size_t at = 0; (at = flags.find(',', at)) != std::string::npos; at += 2) flags.insert(at + 1, " ");
  return p.value.empty() ? flags : flags + ' ' + p.value;
}

std::string rows_text(const std::vector<std::pair<std::string, std::string>>& rows) {
  std::string out;
  for (const auto& [left, right] : rows) {
    if (left.size() + 2 > column) out += fmt::format("  {}\n{:<{}}{}\n", left, "", column + 2, right);
    else out += fmt::format("  {:<{}}{}\n", left, column, right);
  }
  return out;
}

std::string parameters_text(const std::vector<parameter>& list) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const auto& p : list) rows.emplace_back(flag_text(p), p.help);
  return rows_text(rows);
}

const command* find(const std::string& noun, const std::string& word) {
  auto path = noun.empty() ? word : noun + ' ' + word;
  for (const auto& c : commands())
    if (c.path == path || (noun.empty() && c.shortcut == word)) return &c;
  return nullptr;
}

bool is_noun(std::string_view word) {
  return std::ranges::any_of(nouns(), [&](const noun& n) { return n.word == word; });
}

bool hidden(const command& c) { return c.path.starts_with("__"); }

const parameter* find_flag(const std::vector<parameter>& list, std::string_view flag) {
  for (const auto& p : list) {
    if (p.positional()) continue;
    std::string_view rest = p.flags;
    while (!rest.empty()) {
      auto comma = std::min(rest.find(','), rest.size());
      auto one = rest.substr(0, comma);
      if (one.starts_with('!')) one.remove_prefix(1);
      if (one == flag) return &p;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return nullptr;
}

const std::vector<parameter>& globals() {
  static const auto list = [] {
    auto out = global_parameters();
    out.push_back({"-h,--help", value_kind::none, "", "Help for the verb"});
    out.push_back({"-V,--version", value_kind::none, "", "Versions of zedctl and the manager"});
    return out;
  }();
  return list;
}

}  // namespace

std::vector<std::string> verbs_of(const std::string& noun_word) {
  std::vector<std::string> out;
  if (noun_word.empty())
    for (const auto& n : nouns()) out.emplace_back(n.word);
  for (const auto& c : commands()) {
    if (hidden(c)) continue;
    auto space = c.path.find(' ');
    if (noun_word.empty() && space == std::string::npos) out.push_back(c.path);
    if (noun_word.empty() && !c.shortcut.empty()) out.push_back(c.shortcut);
    if (!noun_word.empty() && c.path.substr(0, space) == noun_word && space != std::string::npos)
      out.push_back(c.path.substr(space + 1));
  }
  return out;
}

std::string help_of_tool() {
  std::string out =
      "Examples:\n"
      "  zedctl ps\n"
      "  zedctl server create pz1 --agent host1 --template project-zomboid\n"
      "  zedctl start pz1\n"
      "  zedctl server describe pz1\n"
      "  zedctl doctor\n\n"
      "Usage: zedctl <noun> <verb> [names...] [flags]\n\nNouns:\n";
  std::vector<std::pair<std::string, std::string>> rows;
  for (const auto& n : nouns()) rows.emplace_back(n.word, n.help);
  out += rows_text(rows);
  rows.clear();
  for (const auto& c : commands())
    if (!hidden(c) && c.path.find(' ') == std::string::npos) rows.emplace_back(c.path, c.help);
  out += "\nVerbs without a noun:\n" + rows_text(rows);
  rows.clear();
  for (const auto& c : commands())
    if (!c.shortcut.empty()) rows.emplace_back(c.shortcut, fmt::format("zedctl {}: {}", c.path, c.help));
  out += "\nShort forms:\n" + rows_text(rows);
  out += "\nFlags, anywhere on the line:\n" + parameters_text(globals());
  return out + "\nzedctl <noun> --help lists the verbs of a noun, zedctl <noun> <verb> --help explains one.\n";
}

std::string help_of_noun(const std::string& word) {
  std::string out = "Examples:\n";
  std::vector<std::pair<std::string, std::string>> rows;
  for (const auto& c : commands()) {
    if (!c.path.starts_with(word + ' ')) continue;
    rows.emplace_back(c.path.substr(word.size() + 1), c.help);
    if (rows.size() <= 3 && !c.examples.empty()) out += "  " + c.examples.front() + '\n';
  }
  return out + fmt::format("\nUsage: zedctl {} <verb> [names...] [flags]\n\nVerbs:\n", word) + rows_text(rows) +
         fmt::format("\nzedctl {} <verb> --help explains one.\n", word);
}

std::string help_of_command(const command& c) {
  std::string out = "Examples:\n";
  for (const auto& e : c.examples) out += "  " + e + '\n';
  out += fmt::format("\nUsage: {}\n", usage_of(c));
  if (!c.shortcut.empty()) out += fmt::format("       zedctl {} ...\n", c.shortcut);
  out += fmt::format("\n{}.\n", c.help);
  if (!c.more.empty()) out += c.more + '\n';
  if (!c.parameters.empty()) out += "\nArguments and flags:\n" + parameters_text(c.parameters);
  return out + "\nFlags of every verb:\n" + parameters_text(globals());
}

std::string reference_page() {
  std::string out =
      "# zedctl\n\n"
      "<!-- Generated by `zedctl __docs`; a test compares the two. -->\n\n"
      "The command-line client of the zedops manager: `zedctl <noun> <verb> [names...] [flags]`.\n\n"
      "Data goes to stdout, everything else (progress, questions, errors) to stderr. With `-o json` or `-o yaml` one "
      "name\n"
      "gives one object and several names give an array; errors are "
      "`{\"error\":{\"code\",\"message\",\"hint\",\"operation\"}}`.\n"
      "Verbs that change something wait for the end of the operation unless `--no-wait` is given; Ctrl-C stops the\n"
      "watching, never the operation. Every request carries a random idempotency key and is sent again when its answer "
      "is lost.\n\n"
      "## Exit status\n\n"
      "| status | meaning |\n|---|---|\n"
      "| 0 | ok |\n| 1 | the operation failed |\n| 2 | wrong usage, or a confirmation was declined |\n| 3 | not found "
      "|\n"
      "| 4 | conflict or wrong state |\n| 5 | not authorised |\n| 6 | manager or agent unreachable |\n| 7 | timeout |\n"
      "| 8 | some of several failed |\n| 130 | interrupted |\n\n"
      "## Flags of every verb\n\n"
      "They may appear anywhere on the line.\n\n| flag | meaning |\n|---|---|\n";
  auto row = [](const parameter& p) {
    auto help = p.help;
    return fmt::format("| `{}` | {} |\n", flag_text(p), help);
  };
  for (const auto& p : globals()) out += row(p);
  out +=
      "\nThe manager is found by `--endpoint` or `--context`, else `ZEDCTL_ENDPOINT`, else `ZEDCTL_CONTEXT`, else the "
      "context in\n"
      "use (`zedctl context use`), else the default `ipc://RUNTIME_DIR/clients.ipc`. Events come from `events.ipc` "
      "beside it\n"
      "(or `ZEDCTL_EVENTS`).\n";
  std::string last;
  for (const auto& c : commands()) {
    if (hidden(c)) continue;
    auto space = c.path.find(' ');
    auto group = space == std::string::npos ? std::string("zedctl") : c.path.substr(0, space);
    if (group != last) out += fmt::format("\n## {}\n", group == "zedctl" ? "without a noun" : group);
    last = group;
    out +=
        fmt::format("\n### {}\n\n{}.{}{}\n\n```\n{}\n", c.path, c.help, c.more.empty() ? "" : " ", c.more, usage_of(c));
    if (!c.shortcut.empty()) out += fmt::format("zedctl {} ...\n", c.shortcut);
    out += "```\n";
    if (!c.parameters.empty()) out += "\n| argument | meaning |\n|---|---|\n";
    for (const auto& p : c.parameters) out += row(p);
    if (!c.examples.empty()) {
      out += "\n```\n";
      for (const auto& e : c.examples) out += e + '\n';
      out += "```\n";
    }
  }
  return out;
}

command_line read_line(const std::vector<std::string>& words) {
  const auto list = with_create(words);
  command_line out;
  bool only_values = false;
  for (size_t i = 0; i < list.size(); ++i) {
    const auto& word = list[i];
    out.pending = nullptr;
    if (!only_values && word == "--") {
      only_values = true;
      continue;
    }
    if (!only_values && word.size() > 1 && word.front() == '-') {
      auto name = word.substr(0, word.find('='));
      if (!name.starts_with("--")) name = name.substr(0, 2);
      const auto* p = out.verb ? find_flag(out.verb->parameters, name) : nullptr;
      if (!p) p = find_flag(globals(), name);
      if (!p && out.unknown_flag.empty()) out.unknown_flag = name;
      bool attached = word.find('=') != std::string::npos || (!word.starts_with("--") && word.size() > 2);
      if (p && p->kind != value_kind::none && !attached) {
        if (i + 1 == list.size()) out.pending = p;
        ++i;
      }
      continue;
    }
    if (out.verb) {
      out.values.push_back(word);
    } else if (auto* found = find(out.noun, word)) {
      out.verb = found;
    } else if (out.noun.empty() && is_noun(word)) {
      out.noun = word;
    } else if (out.unknown.empty()) {
      out.unknown = word;
      return out;
    }
  }
  return out;
}

msg::error usage_error(const std::vector<std::string>& list, std::string why) {
  auto line = read_line(list);
  auto help = line.verb ? line.verb->path : line.noun;
  msg::error e{
      msg::ec::bad_request, std::move(why), fmt::format("zedctl {}--help", help.empty() ? "" : help + ' '), {}};
  auto take = [&](std::string message, const std::string& word, const std::vector<std::string>& candidates) {
    e.message = std::move(message);
    auto guess = msg::did_you_mean(word, candidates);
    if (!guess.empty()) e.hint = guess;
  };
  if (!line.unknown.empty()) {
    auto known = verbs_of(line.noun);
    take(line.noun.empty() ? fmt::format("'{}' is neither a noun nor a verb of zedctl", line.unknown)
                           : fmt::format("'{}' is not a verb of '{}'", line.unknown, line.noun),
         line.unknown, known);
  } else if (!line.unknown_flag.empty()) {
    std::vector<std::string> known;
    for (const auto* list_of : {line.verb ? &line.verb->parameters : nullptr, &globals()})
      for (const auto& p : list_of ? *list_of : std::vector<parameter>{})
        if (!p.positional()) known.push_back("--" + p.key());
    take(fmt::format("unknown flag {}", line.unknown_flag), line.unknown_flag, known);
  } else if (line.verb) {
    std::ranges::replace(e.message, '\n', ' ');
    size_t most = 0;
    bool endless = false;
    for (const auto& p : line.verb->parameters)
      if (p.positional()) ++most, endless = endless || p.count == arity::any || p.count == arity::some;
    if (!endless && line.values.size() > most)
      e.message = fmt::format("unexpected argument '{}' for zedctl {}", line.values[most], line.verb->path);
  } else if (!line.noun.empty()) {
    e.message = fmt::format("'{}' needs a verb: {}", line.noun, joined(verbs_of(line.noun), "or"));
  }
  return e;
}

}  // namespace zedops::ctl
