#include "tools/loadgen/keys.hpp"

#include "bus/security/key_ring.hpp"
#include "messages/base/ids.hpp"

namespace zedops::load {

bus::key_pair key_of_agent(const std::string& name) {
  std::string raw;
  for (char part = 'a'; part < 'e'; ++part)
    for (uint64_t n = msg::text_hash(part + name), i = 0; i < 8; ++i, n >>= 8) raw += static_cast<char>(n & 0xff);
  return bus::pair_of_secret(bus::key_text(raw)).value();
}

msg::result<void> allow_agents(const std::filesystem::path& data_dir, const std::string& prefix, size_t count) {
  bus::key_list keys;
  for (size_t i = 0; i < count; ++i) {
    const auto name = prefix + std::to_string(i);
    keys.push_back({name, std::string(bus::agent_role), key_of_agent(name).public_key});
  }
  return bus::write_keys(data_dir / bus::authorized_keys_name, keys);
}

}  // namespace zedops::load
