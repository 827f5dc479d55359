// The manager's keys: the file of the admitted ones, which the actors change and the bus queries.
#pragma once
#include <filesystem>
#include <mutex>

#include "actors/runtime/ports.hpp"
#include "bus/security/key_ring.hpp"
#include "bus/server_bus.hpp"

namespace zedops::app {

class known_keys final : public rt::key_port {
 public:
  // `advertised`: the name or address under which other hosts reach this machine.
  known_keys(std::filesystem::path file, std::string advertised)
      : file_(std::move(file)), ring_(file_), host_(std::move(advertised)) {}
  // Sets what a token tells about the manager: its key, and where it listens.
  void listens(const bus::server_bus_options& options);
  // The manager's own key, beside the file: after a finished rotation the next key takes its place.
  msg::result<bus::key_pair> own_key();

  bus::admission admits(bus::door at, std::string_view key);
  std::vector<bus::key_entry> entries_of(std::string_view key) { return ring_.entries_of(key); }
  // Whether the key may watch events whose topics have this prefix.
  bool may_watch(std::string_view key, std::string_view topic);
  // Whether the agent of this name has this key.
  bus::admission speaks_for(std::string_view key, const std::optional<std::string>& name);

  msg::result<msg::key_list> keys() override;
  msg::result<msg::key_list> add(const msg::add_key& k) override;
  msg::result<msg::key_list> remove(const msg::remove_key& k) override;
  msg::result<msg::token_reply> make_token(const msg::make_token& t, msg::time_point now) override;
  msg::result<msg::enrol_reply> enrol(const msg::enrol_agent& e, const msg::principal& by,
                                      msg::time_point now) override;
  msg::result<msg::enrol_reply> approve(const msg::approve_agent& a) override;
  std::string next_key() override;
  msg::result<msg::rotation_view> rotate(const msg::rotate_key& k) override;

 private:
  const std::filesystem::path file_;
  bus::key_ring ring_;
  const std::string host_;
  std::mutex next_mutex_;  // guards the next two
  std::string next_;       // public
  bool finished_ = false;  // the next start uses it
  std::string public_key_;
  std::string clients_port_, agents_port_;
};

}  // namespace zedops::app
