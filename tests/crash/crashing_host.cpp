#include "tests/crash/crashing_host.hpp"

#include <type_traits>

namespace zedops::crash {
namespace {

class whole_host final : public agent::host_port {
 public:
  whole_host(std::unique_ptr<agent::host_port> real, crash_plan& plan) : real_(std::move(real)), plan_(plan) {}

  host::data_report check(const host::check_request& r) override { return real_->check(r); }
  msg::result<host::root_made> prepare_root(const host::data_root& r) override {
    return around("prepare_root", [&] { return real_->prepare_root(r); });
  }
  msg::result<unsigned> make_dirs(const host::dirs_request& r) override {
    return around("make_dirs", [&] { return real_->make_dirs(r); });
  }
  msg::result<host::removed_tree> remove_tree(const host::remove_request& r) override {
    return around("remove_tree", [&] { return real_->remove_tree(r); });
  }
  host::view view_of_ports() override { return real_->view_of_ports(); }
  std::vector<host::port_report> check_ports(const std::vector<host::port_query>& q) override {
    return real_->check_ports(q);
  }

 private:
  template <class Change>
  std::invoke_result_t<Change> around(const char* name, Change change) {
    plan_.pass("disk", name, side::before);
    auto done = change();
    plan_.pass("disk", name, side::after);
    return done;
  }

  std::unique_ptr<agent::host_port> real_;
  crash_plan& plan_;
};

}  // namespace

std::unique_ptr<agent::host_port> crashing_host(std::unique_ptr<agent::host_port> real, crash_plan& plan) {
  return std::make_unique<whole_host>(std::move(real), plan);
}

}  // namespace zedops::crash
