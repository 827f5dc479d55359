#include "tests/crash/programs/crashing_host.hpp"

#include <type_traits>

namespace zedops::crash {
namespace {

class whole_host final : public agent::machine_port {
 public:
  whole_host(std::unique_ptr<agent::machine_port> real, crash_plan& plan) : real_(std::move(real)), plan_(plan) {}

  host::data_report check(const host::check_request& r) override { return real_->check(r); }
  std::string owner_of_root(const std::string& path) override { return real_->owner_of_root(path); }
  msg::result<host::root_made> prepare_root(const host::data_root& r) override {
    return around("prepare_root", [&] { return real_->prepare_root(r); });
  }
  msg::result<unsigned> make_dirs(const host::dirs_request& r) override {
    return around("make_dirs", [&] { return real_->make_dirs(r); });
  }
  msg::result<host::removed_tree> remove_tree(const host::remove_request& r) override {
    return around("remove_tree", [&] { return real_->remove_tree(r); });
  }
  msg::result<uint64_t> free_space_at(const std::string& path) override { return real_->free_space_at(path); }
  msg::result<void> check_new_root(const std::string& path) override { return real_->check_new_root(path); }
  msg::result<host::copy_stage> look_at_copy(const host::copy_request& r) override { return real_->look_at_copy(r); }
  msg::result<host::copy_size> check_copy(const host::copy_request& r) override { return real_->check_copy(r); }
  msg::result<host::copy_size> copy_tree(const host::copy_request& r, const host::copy_progress& progress) override {
    return around("copy_tree", [&] { return real_->copy_tree(r, progress); });
  }
  msg::result<void> place_copy(const host::copy_request& r) override {
    return around("place_copy", [&] { return real_->place_copy(r); });
  }
  msg::result<std::string> drop_copy(const host::copy_request& r, host::copy_fate fate) override {
    return around("drop_copy", [&] { return real_->drop_copy(r, fate); });
  }
  msg::result<void> finish_copy(const host::copy_request& r) override {
    return around("finish_copy", [&] { return real_->finish_copy(r); });
  }
  msg::result<void> check_bind(const std::string& path) override { return real_->check_bind(path); }
  host::port_sight sight_of_ports() override { return real_->sight_of_ports(); }
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

  std::unique_ptr<agent::machine_port> real_;
  crash_plan& plan_;
};

}  // namespace

std::unique_ptr<agent::machine_port> crashing_host(std::unique_ptr<agent::machine_port> real, crash_plan& plan) {
  return std::make_unique<whole_host>(std::move(real), plan);
}

}  // namespace zedops::crash
