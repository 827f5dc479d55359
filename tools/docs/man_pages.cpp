// Writes the man pages into a folder: zedctl(1) from the table of its commands, the daemons' from their own --help.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "config/settings/settings.hpp"
#include "tools/zedctl/cli/commands.hpp"

namespace {

using namespace zedops;

// A line that begins with a dot or a quote would be a request; a backslash begins an escape, and a dash is a hyphen.
std::string roff(std::string_view text) {
  std::string out;
  bool at_start = true;
  for (char c : text) {
    if (at_start && (c == '.' || c == '\'')) out += "\\&";
    at_start = c == '\n';
    if (c == '\\') out += "\\e";
    else if (c == '-') out += "\\-";
    else out += c;
  }
  return out;
}

std::string heading(std::string_view name, int section, std::string_view summary) {
  return fmt::format(".TH {} {} \"\" \"zedops {}\"\n.SH NAME\n{} \\- {}\n", name, section, ZEDOPS_VERSION, name,
                     roff(summary));
}

std::string zedctl_page() {
  std::string out = heading("zedctl", 1, "servers in containers, from the command line");
  out +=
      ".SH SYNOPSIS\n.B zedctl\nCOMMAND [ARGUMENTS] [OPTIONS]\n.SH DESCRIPTION\n"
      "Sends requests about servers to a zedops manager and shows their state. \\fBzedctl COMMAND \\-\\-help\\fR "
      "explains a command.\n"
      ".SH COMMANDS\n";
  for (const auto& c : ctl::commands()) {
    std::string line = "\\fBzedctl " + roff(c.path) + "\\fR";
    for (const auto& p : c.parameters)
      if (p.positional()) line += " " + roff(p.flags);
    out += ".TP\n" + line + "\n" + roff(c.help) + ".\n";
    for (const auto& p : c.parameters)
      if (!p.positional()) out += fmt::format(".br\n\\fB{}\\fR {}: {}\n", roff(p.flags), roff(p.value), roff(p.help));
  }
  out += ".SH OPTIONS\n";
  for (const auto& p : ctl::global_parameters())
    out += fmt::format(".TP\n\\fB{}\\fR {}\n{}\n", roff(p.flags), roff(p.value), roff(p.help));
  return out + ".SH SEE ALSO\n.BR zedops-manager (8),\n.BR zedops-agent (8)\n";
}

template <class Settings>
std::string daemon_page(std::string_view name, std::string_view summary, std::string_view file) {
  config::surroundings from;
  from.arguments = {"--help"};
  from.root = true;
  from.hostname = "HOSTNAME";
  const auto loaded = config::load_settings<Settings>(from);
  if (!loaded) throw std::runtime_error(loaded.error().message);
  return heading(name, 8, summary) + fmt::format(".SH SYNOPSIS\n.B {}\n[OPTIONS]\n.SH OPTIONS\n.nf\n", name) +
         roff(loaded->print) +
         fmt::format(
             ".fi\n.SH FILES\n.TP\n.I {}\nits settings\n.SH EXIT STATUS\n78: a restart does not help, as with wrong "
             "settings\n"
             ".SH SEE ALSO\n.BR zedctl (1)\n",
             file);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::cerr << "usage: man_pages FOLDER\n", 2;
  const std::filesystem::path to(argv[1]);
  std::filesystem::create_directories(to);
  const std::pair<const char*, std::string> pages[] = {
      {"zedctl.1", zedctl_page()},
      {"zedops-manager.8",
       daemon_page<config::manager_settings>("zedops-manager", "the source of truth about servers in containers",
                                             "/etc/zedops/manager.toml")},
      {"zedops-agent.8",
       daemon_page<config::agent_settings>("zedops-agent", "carries out a manager's commands on a Docker host",
                                           "/etc/zedops/agent.toml")},
  };
  for (const auto& [name, text] : pages) {
    std::ofstream out(to / name, std::ios::binary);
    out << text;
    if (!out.flush()) return std::cerr << "cannot write " << (to / name) << '\n', 1;
  }
}
