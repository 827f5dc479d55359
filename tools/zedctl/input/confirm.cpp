#include "tools/zedctl/input/confirm.hpp"

#include <csignal>
#include <istream>
#include <ostream>

namespace zedops::ctl {
namespace {

msg::result<std::string> asked(session& s, const std::string& consequence, const std::string& question) {
  if (!s.outside().in_tty)
    return msg::fail(msg::ec::bad_request, "this needs a confirmation, and stdin is not a terminal: " + consequence,
                     "repeat it with --yes if that is what you want");
  auto there = s.where();
  std::string place;
  if (there && there->production) place = "[" + there->context + ", production] ";
  auto& w = s.outside();
  w.err << painted(place, style::bad, s.colour_err()) << consequence << '\n' << question << ' ' << std::flush;
  std::string line;
  // No operation is running yet that a first Ctrl-C could stop watching, so it ends the program.
  const auto watching = std::signal(SIGINT, SIG_DFL);
  if (!std::getline(w.in, line)) line.clear();
  if (watching != SIG_ERR) std::signal(SIGINT, watching);
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
  return line;
}

msg::error refused() { return {msg::ec::bad_request, "not confirmed; nothing was changed", {}, {}}; }

}  // namespace

msg::result<void> confirm(session& s, const std::string& consequence) {
  if (s.flags().yes || s.flags().dry_run) return {};
  auto line = asked(s, consequence, "Continue? [y/N]");
  if (!line) return msg::fail(line.error());
  if (*line == "y" || *line == "Y" || *line == "yes") return {};
  return msg::fail(refused());
}

msg::result<void> confirm_by_typing(session& s, const std::string& consequence, const std::string& word) {
  if (s.flags().yes || s.flags().dry_run) return {};
  auto line = asked(s, consequence, "Type the name to confirm:");
  if (!line) return msg::fail(line.error());
  if (*line == word) return {};
  return msg::fail(refused());
}

}  // namespace zedops::ctl
