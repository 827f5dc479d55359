// zedops-fake-engine SOCKET RULES-FILE: serves the rules until SIGINT or SIGTERM. Rules: see parse_rules.
#include <csignal>
#include <fstream>
#include <iostream>
#include <sstream>

#include "tools/fake-engine/fake_engine.hpp"

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::cerr << "usage: zedops-fake-engine SOCKET RULES-FILE\n";
    return 2;
  }
  std::ifstream file{argv[2]};
  if (!file) throw std::runtime_error(std::string{"cannot read "} + argv[2]);
  std::stringstream text;
  text << file.rdbuf();
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  zedops::fake::engine engine{argv[1], zedops::fake::parse_rules(text.str())};
  std::cout << "DOCKER_HOST=" << engine.host() << std::endl;
  int signal = 0;
  sigwait(&ends, &signal);
} catch (const std::exception& e) {
  std::cerr << "zedops-fake-engine: " << e.what() << '\n';
  return 1;
}
