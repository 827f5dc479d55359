// The rules for what may be set for the container of a server, and what follows from that and the template.
#pragma once
#include <string>
#include <vector>

#include "messages/records/server.hpp"
#include "messages/records/template.hpp"

namespace zedops::core {

inline constexpr size_t spec_ports_max = 256;
inline constexpr size_t spec_entries_max = 64;  // of any other list or map

// A spec as it was given: names, sizes, addresses, paths, nothing twice, nothing that its template locks, no capability
// that would open the host. `ports` are those that the server has by its template. Errors: bad_request, forbidden.
msg::result<void> check_spec(const msg::server_spec& given, const msg::server_template& t,
                             const std::vector<msg::reserved_port>& ports);

// The template's values with those of the server over them.
msg::server_spec effective_spec(const msg::server_spec* own, const msg::server_template& t);
inline msg::server_spec effective_spec(const msg::server& s, const msg::server_template& t) {
  return effective_spec(s.spec ? &*s.spec : nullptr, t);
}

// The folders of a server: its template's, each replaced by the server's own of the same path, then its further own
// ones.
std::vector<msg::template_dir> folders_of(const msg::server_spec* own, const msg::server_template& t);
inline std::vector<msg::template_dir> folders_of(const msg::server& s, const msg::server_template& t) {
  return folders_of(s.spec ? &*s.spec : nullptr, t);
}

// What another way of making the container has that `t` does not give: those fields alone.
msg::server_spec beyond_template(const msg::server_spec& found, const msg::server_template& t);
// Whether this field of a spec is locked by the template.
bool locks(const msg::server_template& t, std::string_view field);
// False for one that a server may not have by its own spec.
bool may_add(std::string_view capability);

}  // namespace zedops::core
