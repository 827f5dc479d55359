// Completion: each shell's script hands the words to the hidden verb `__complete`, which knows the table of commands
// and asks the manager for live names.
#include <fmt/format.h>

#include <algorithm>

#include "tools/zedctl/cli/commands.hpp"
#include "tools/zedctl/cli/help.hpp"
#include "tools/zedctl/verbs/verbs.hpp"

namespace zedops::ctl {
namespace {

constexpr msg::duration names_max{1'000};  // the user has pressed Tab and waits
constexpr const char* files = ":files";    // given to the shell instead of candidates: complete paths

std::vector<std::string> server_names(session& s, bool deleted) {
  std::vector<std::string> out;
  msg::list_servers query;
  query.all = deleted;
  query.where.limit = page_rows;
  if (auto list = s.ask<msg::server_list>("server.ls", query, names_max))
    for (const auto& v : list->servers) out.push_back(v.name);
  return out;
}

std::vector<std::string> values_of(session& s, const parameter& p, const command* verb) {
  std::vector<std::string> out;
  switch (p.kind) {
    case value_kind::choice: return p.choices;
    case value_kind::server: {
      bool deleted =
          verb && (verb->path == "server restore" || verb->path == "server purge" || verb->path == "server describe" ||
                   verb->path == "server get" || verb->path == "server explain" || verb->path == "server history");
      return server_names(s, deleted);
    }
    case value_kind::agent:
      if (auto list = s.ask<msg::agent_list>("agent.ls", msg::list_agents{}, names_max))
        for (const auto& a : list->agents) out.push_back(a.name);
      return out;
    case value_kind::operation: {
      msg::list_operations query;
      query.status = "running";
      if (auto list = s.ask<msg::operation_list>("op.ls", query, names_max))
        for (const auto& op : list->operations) out.push_back(op.id.value);
      return out;
    }
    case value_kind::template_name:
      if (auto m = s.ask<msg::manager_status>("status", msg::get_status{}, names_max)) return m->templates;
      return out;
    case value_kind::context:
      if (auto file = read_contexts(context_path(s.outside())))
        for (const auto& [name, c] : file->contexts) out.push_back(name);
      return out;
    case value_kind::path: return {files};
    case value_kind::none:
    case value_kind::text:
    case value_kind::number:
    case value_kind::duration:
    case value_kind::integer:
    case value_kind::port:
    case value_kind::port_spec:
    case value_kind::pair: break;
  }
  return out;
}

std::vector<std::string> flags_for(const command* verb) {
  std::vector<std::string> out;
  auto add = [&](const std::vector<parameter>& list) {
    for (const auto& p : list)
      if (!p.positional()) out.push_back("--" + p.key());
  };
  if (verb) add(verb->parameters);
  add(global_parameters());
  out.insert(out.end(), {"--no-wait", "--help"});
  return out;
}

std::vector<std::string> candidates(session& s, const command_line& line, const std::string& current) {
  if (line.pending) return values_of(s, *line.pending, line.verb);
  if (current.starts_with('-')) return flags_for(line.verb);
  if (!line.unknown.empty()) return {};
  if (!line.verb) return verbs_of(line.noun);
  size_t at = line.values.size();
  const parameter* last = nullptr;
  for (const auto& p : line.verb->parameters) {
    if (!p.positional()) continue;
    last = &p;
    if (p.count == arity::any || p.count == arity::some) break;
    if (at == 0) break;
    --at, last = nullptr;
  }
  return last ? values_of(s, *last, line.verb) : std::vector<std::string>{};
}

// The words after the program's name; the last is being typed.
int complete(session& s, const arguments& a) {
  auto words = a.all("WORD");
  std::string current = words.empty() ? "" : words.back();
  if (!words.empty()) words.pop_back();
  // "--server=pz": the value is what is typed.
  std::string before;
  if (const auto at = current.find('='); current.starts_with("--") && at != std::string::npos) {
    words.push_back(current.substr(0, at));
    before = current.substr(0, at + 1);
    current = current.substr(at + 1);
  }
  // Names come from the manager that the line refers to.
  auto flags = s.flags();
  for (size_t i = 0; i < words.size(); ++i)
    for (auto [flag, out] : {std::pair{"--context", &flags.context}, std::pair{"--endpoint", &flags.endpoint}}) {
      const std::string with_value = std::string(flag) + "=";
      if (words[i] == flag && i + 1 < words.size()) *out = words[i + 1];
      else if (words[i].starts_with(with_value)) *out = words[i].substr(with_value.size());
    }
  session asked(s.outside(), flags);
  auto line = read_line(words);
  auto found = candidates(asked, line, current);
  std::erase_if(found, [&](const std::string& text) {
    bool used = std::ranges::find(line.values, text) != line.values.end();
    return used || (text != files && !text.starts_with(current));
  });
  std::string out;
  for (const auto& text : found) out += (text == files ? "" : before) + text + '\n';
  s.print(out);
  return exit_ok;
}

constexpr const char* bash_script = R"sh(# bash completion for zedctl
_zedctl() {
  # The line itself: COMP_WORDS is split at "=" and ":", too, and only what follows those is replaced.
  local line=${COMP_LINE:0:COMP_POINT} words cur out word
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  cur=${words[-1]}
  out=$(zedctl __complete -- "${words[@]:1}" 2>/dev/null) || return
  COMPREPLY=()
  if [[ $out == :files ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "${cur##*=}")
    return
  fi
  local kept=${cur%"${cur##*[=:]}"}
  while IFS= read -r word; do
    [[ -n $word && $word == "$cur"* ]] && COMPREPLY+=("${word#"$kept"}")
  done <<<"$out"
}
complete -F _zedctl zedctl
)sh";

constexpr const char* zsh_script = R"sh(#compdef zedctl
_zedctl() {
  local -a out
  out=("${(@f)$(zedctl __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ $out[1] == :files ]]; then
    _files
  elif [[ -n $out[1] ]]; then
    compadd -- $out
  fi
}
if [[ $funcstack[1] == _zedctl ]]; then
  _zedctl "$@"
else
  compdef _zedctl zedctl
fi
)sh";

constexpr const char* fish_script = R"sh(# fish completion for zedctl
function __zedctl_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l out (zedctl __complete -- $words[2..-1] 2>/dev/null)
    if test "$out" = :files
        __fish_complete_path (commandline -ct)
    else
        printf '%s\n' $out
    end
end
complete -c zedctl -f -a '(__zedctl_complete)'
)sh";

int script(session& s, const arguments& a) {
  auto shell = a.one("SHELL");
  s.print(shell == "bash" ? bash_script : shell == "zsh" ? zsh_script : fish_script);
  return exit_ok;
}

}  // namespace

std::vector<command> completion_commands() {
  using enum value_kind;
  return {
      {"completion",
       "Print the completion script of a shell",
       {{"SHELL", choice, "", "bash, zsh or fish", arity::one, {"bash", "zsh", "fish"}}},
       script,
       {"source <(zedctl completion bash)", "zedctl completion zsh > ~/.zsh/completions/_zedctl",
        "zedctl completion fish > ~/.config/fish/completions/zedctl.fish"}},
      {"__complete", "Candidates for the last word", {{"WORD", text, "", "Words so far", arity::any}}, complete},
      {"__docs",
       "The reference page",
       {},
       [](session& s, const arguments&) {
         s.print(reference_page());
         return exit_ok;
       }},
  };
}

}  // namespace zedops::ctl
