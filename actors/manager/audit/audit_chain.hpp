// The audit as the store keeps it: each record is chained to the one before it. The journal appends; queries read a
// snapshot.
#pragma once
#include "actors/runtime/interfaces.hpp"
#include "messages/api/requests.hpp"
#include "messages/api/views.hpp"
#include "persistence/store.hpp"

namespace zedops::manager {

// The end of the chain; the next record continues it.
struct audit_head {
  uint64_t seq = 0;
  std::string chain;
};

// Gives the record its number and its link, and moves the head on to it.
void link(msg::audit_record& r, audit_head& head);

// Fills in what the journal knows and the gate does not: what became of the target, and when.
void complete(msg::audit_record& r, const rt::any_record& before, const rt::any_record& after,
              const msg::log_entry& entry);

msg::result<audit_head> read_audit_head(const store::reader& r);

// Drops all but the newest `keep`, at most `batch` at once. The rest still verifies: the head of the dropped part is
// kept. Returns how many were dropped.
msg::result<uint64_t> trim_audit(store::writer& w, uint64_t last, uint64_t keep, uint64_t batch);

msg::result<msg::audit_page> audit_page_of(const store::store& s, const msg::list_audit& q);
msg::result<msg::audit_verdict> verified(const store::store& s, const msg::verify_audit& q);

}  // namespace zedops::manager
