// The containers on this host, merged from lists, inspections and events: which one embodies which server. Pure.
//
// A container is a server's by its recorded id first, then by its label, then by its name; by label or name only when
// it carries our manager's labels. Further ones that claim the same server, and those whose labels came with an image,
// are rivals: reported, never acted upon.
//
// Answers of the Engine overtake each other, so each look takes a ticket when it is asked for; of two looks at one
// container the one asked for later wins, whichever arrives last.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/agent/engine/labels.hpp"
#include "messages/wire/link.hpp"

namespace zedops::agent {

class container_map {
 public:
  using ticket = uint64_t;

  void set_manager(std::string manager_id) { manager_ = std::move(manager_id); }
  const std::string& manager() const { return manager_; }

  // ---- servers that the manager has named ----
  void replace_servers(std::vector<msg::known_server> servers);
  void watch(msg::known_server server);  // replaces an earlier entry of the same id
  void forget(const msg::server_id& id);
  // Its container is this one from now on; empty: it has none. No effect on an unknown server.
  void bind(const msg::server_id& id, const std::string& container_id);
  const msg::known_server* server(const msg::server_id& id) const;
  const std::map<msg::server_id, msg::known_server>& servers() const { return servers_; }

  // ---- containers ----
  ticket next_ticket() { return ++ticket_; }
  // False: a later look is known already. A container seen in `removing` keeps its last known state: it is being
  // removed, and `destroy` follows.
  bool put(msg::container_view seen, ticket t);
  bool drop(const std::string& container_id, ticket t);
  // A complete list, asked for with ticket `t`: whatever was known before it and is not in it is gone.
  void keep_only(const std::vector<std::string>& ids, ticket t);
  const msg::container_view* container(const std::string& id) const;
  size_t container_count() const { return containers_.size(); }

  // ---- conclusions ----
  // The server that a container belongs to; also for one that is not known yet (by label), else nothing.
  std::optional<msg::server_id> server_of(const msg::container_view& c) const;
  // Container part of an observation: present with drift and rivals, or absent. The data part is the caller's.
  msg::observation observe(const msg::server_id& id) const;
  // Ours by label, but of no server that the manager has named.
  std::vector<msg::container_view> unclaimed() const;

 private:
  struct entry {
    std::optional<msg::container_view> view;  // empty: gone, remembered so that an older look does not bring it back
    ticket seen = 0;
  };
  struct claims {
    std::vector<const msg::container_view*> good;
    std::vector<const msg::container_view*> inherited;  // have its labels from their image
  };
  claims claims_for(const msg::known_server& s) const;
  int rank(const msg::container_view& c, const msg::known_server& s) const;
  std::string drift_of(const msg::container_view& c, const msg::known_server& s) const;
  void forget_old_graves();

  std::string manager_;
  std::map<msg::server_id, msg::known_server> servers_;
  std::map<std::string, msg::server_id> by_recorded_id_;
  std::map<std::string, msg::server_id> by_name_;
  std::map<msg::server_id, std::map<std::string, bool>> by_label_;  // server -> ids of containers labelled for it
  std::map<std::string, entry> containers_;
  ticket ticket_ = 0;
};

inline constexpr size_t graves_max = 1024;  // containers that are gone but remembered

}  // namespace zedops::agent
