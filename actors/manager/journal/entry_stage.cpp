#include "actors/manager/journal/entry_stage.hpp"

#include <algorithm>

#include "actors/core/agent/agent_machine.hpp"
#include "actors/core/operation_facts.hpp"
#include "actors/core/plan/claims.hpp"
#include "actors/core/server/server_machine.hpp"
#include "actors/manager/records/records.hpp"
#include "messages/codec.hpp"
#include "messages/names.hpp"

namespace zedops::manager {

using namespace msg;
using rt::entity_kind;
using store::table;

namespace {

// Operations that end in this entry, complete: the record as it is kept after its server has let go of it.
std::vector<operation> ended_in(const server* before, const log_entry& e) {
  std::optional<operation> open;
  if (before) open = before->op;
  std::vector<operation> out;
  for (const auto& n : e.facts) {
    if (const auto* a = std::get_if<operation_accepted>(&n.what)) open = *a->op;
    if (const auto* r = std::get_if<operation_refused>(&n.what)) out.push_back(*r->op);
    if (const auto* x = std::get_if<operation_ended>(&n.what); x && open && open->id == x->id) {
      core::end(*open, *x);
      open->seq = n.subject_seq;
      out.push_back(std::move(*open));
      open.reset();
    }
  }
  return out;
}

// Data that is left, and data that is somebody's again or gone.
void stage_orphan(const server& s, const log_entry& e, std::vector<record_write>& writes) {
  const auto key = orphan_key(s.agent, s.name);
  for (const auto& n : e.facts) {
    const auto* p = std::get_if<server_purged>(&n.what);
    if (p && !p->kept_path.empty()) {
      const orphan_data left{s.agent, s.name, p->kept_path, p->bytes, s.id, e.time};
      writes.push_back({table::orphans, key, pack(left), record_write::kind::put});
    } else if (std::holds_alternative<server_created>(n.what)) {
      writes.push_back({table::orphans, key, {}, record_write::kind::erase});
    }
  }
}

error too_large(const log_entry& e, size_t bytes) {
  return {ec::too_large,
          "the record of " + e.entity + " or its history entry would have " + format_bytes(bytes) + ", more than " +
              format_bytes(store::value_bytes_max),
          "give it less at once: fewer or shorter environment values; large ones belong into files of its data",
          {}};
}

}  // namespace

std::string orphan_key(const agent_id& agent, const std::string& server_name) {
  return agent.value + "/" + server_name;
}

result<std::string> orphan_path(const store::store& s, const agent_id& agent, const std::string& server_name) {
  auto read = s.begin_read();
  if (!read) return fail(read.error());
  auto value = (*read)->get(table::orphans, orphan_key(agent, server_name));
  if (!value) return fail(value.error());
  if (!*value) return std::string{};
  auto left = unpack<orphan_data>(**value);
  if (!left) return fail(left.error());
  return left->path;
}

result<staged_entry> entry_stage::add(const rt::commit& c, log_entry& e) {
  staged_entry out;
  result<void> ok;
  switch (c.kind) {
    case entity_kind::server: ok = add_server(c, e, out); break;
    case entity_kind::agent: ok = add_agent(c, e, out); break;
    case entity_kind::audit:
      for (const auto& op : ended_in(nullptr, e)) out.writes.push_back({table::operations, op.id.value, pack(op)});
      break;
  }
  if (!ok) return fail(std::move(ok.error()));
  out.writes.push_back({table::log, log_key(e.first_seq), pack(e), record_write::kind::append});
  size_t bytes = 0;
  for (const auto& w : out.writes) {
    if (w.value.size() > store::value_bytes_max) return fail(too_large(e, w.value.size()));
    bytes += w.key.size() + w.value.size();
  }
  if (out.server) {
    const auto before = staged_server({c.id});
    if (ok = claim(*out.server, before.get()); !ok) return fail(std::move(ok.error()));
    servers_[c.id] = out.server;
  }
  if (out.agent) agents_[c.id] = out.agent;
  bytes_ += bytes;
  writes_ += out.writes.size();
  return out;
}

result<void> entry_stage::add_server(const rt::commit& c, log_entry& e, staged_entry& out) {
  const auto before = staged_server({c.id});
  if ((before ? before->log_head : 0) != c.base)
    return fail(ec::internal, "two actors decided for server " + c.id, "this is a bug; please report it");
  e.prev = c.base;
  server next = before ? *before : server{};
  core::apply(next, e);
  // A refused create leaves its audit record and no server.
  if (!next.id.empty()) {
    out.server = std::make_shared<const server>(std::move(next));
    out.writes.push_back({table::servers, c.id, pack(*out.server)});
    stage_orphan(*out.server, e, out.writes);
  }
  for (const auto& op : ended_in(before.get(), e)) out.writes.push_back({table::operations, op.id.value, pack(op)});
  return {};
}

result<void> entry_stage::add_agent(const rt::commit& c, log_entry& e, staged_entry& out) {
  auto i = agents_.find(c.id);
  agent_ptr before = i != agents_.end() ? i->second : records_.agent_ever({c.id});
  e.prev = before ? before->log_head : 0;
  agent next = before ? *before : agent{};
  core::apply(next, e);
  out.agent = std::make_shared<const agent>(std::move(next));
  out.writes.push_back({table::agents, c.id, pack(*out.agent)});
  return {};
}

// Name and ports of a server that is born with this entry, and ports that an edit adds.
result<void> entry_stage::claim(const server& s, const server* before) {
  if (before && before->spec == s.spec) return {};
  auto wanted = core::claims_of(s);
  const auto held_already = before ? core::claims_of(*before) : std::vector<std::string>{};
  std::erase_if(wanted, [&](const std::string& key) {
    return std::find(held_already.begin(), held_already.end(), key) != held_already.end();
  });
  for (const auto& key : wanted) {
    auto i = claims_.find(key);
    const auto owner = i != claims_.end() ? i->second : records_.claim_owner(key);
    if (owner && owner->id != s.id && !released(*owner))
      return fail(core::claim_taken(key, owner->name, owner->status));
  }
  const auto held = std::make_shared<const server>(s);
  for (const auto& key : wanted) claims_[key] = held;
  return {};
}

server_ptr entry_stage::staged_server(const server_id& id) const {
  auto i = servers_.find(id.value);
  return i != servers_.end() ? i->second : records_.server(id);
}

bool entry_stage::released(const server& owner) const {
  auto i = servers_.find(owner.id.value);
  return i != servers_.end() && i->second->status == server_status::purged;
}

}  // namespace zedops::manager
