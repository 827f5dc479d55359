// Asks a command to end early. Checked between steps and while waiting for a pull; never in the middle of an effect.
#pragma once
#include <atomic>

namespace zedops::agent {

class cancel_token {
 public:
  void cancel() { cancelled_ = true; }
  bool cancelled() const { return cancelled_; }

 private:
  std::atomic<bool> cancelled_{false};
};

}  // namespace zedops::agent
