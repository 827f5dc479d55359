#include "actors/manager/deploy/uploads.hpp"

#include <sys/resource.h>

#include <caf/all.hpp>

#include "actors/manager/doors/answers.hpp"
#include "actors/manager/doors/dispatch.hpp"

namespace zedops::manager {

using namespace msg;
using rt::kept;

namespace {

constexpr int uploads_nice = 10;

kept refused(const error& e) { return {rt::answer::error, pack_map(e)}; }
template <class T>
kept answered(const T& value) {
  return {rt::answer::result, pack_map(value)};
}

upload_view shown(const shared& w, upload_view v) {
  v.needed = is_needed(w, v.id);
  return v;
}
result<upload_view> begin(shared& w, const begin_upload& b) { return w.uploads->begin(b, w.clock.now()); }
result<upload_view> add(shared& w, upload_chunk& c) {
  return w.uploads->add(c.id, c.offset, std::move(c.data), w.clock.now());
}
result<upload_view> end(shared& w, const end_upload& e) { return w.uploads->end(e.id); }
result<upload_list> list(shared& w, const list_uploads&) {
  upload_list out;
  for (auto& v : w.uploads->list()) out.uploads.push_back(shown(w, std::move(v)));
  return out;
}
result<upload_list> remove(shared& w, const remove_upload& r) {
  auto v = w.uploads->find(r.id);
  if (v && is_needed(w, v->id))
    return fail(ec::wrong_state, "a deployment that has not ended needs this upload",
                "cancel it, or wait for its end: zedctl deploy ls");
  if (auto ok = w.uploads->remove(r.id); !ok) return fail(ok.error());
  return upload_list{{*v}};
}

using serve_fn = kept (*)(shared&, const rt::client_call&);
template <auto F, class Q>
kept serve_as(shared& w, const rt::client_call& call) {
  auto q = body_of<Q>(call);
  if (!q) return refused(q.error());
  auto r = F(w, *q);
  return r ? answered(*r) : refused(r.error());
}

kept serve(shared& w, const rt::client_call& call) {
  static constexpr handler<serve_fn> all[] = {
      {"upload.begin", serve_as<begin, begin_upload>}, {"upload.chunk", serve_as<add, upload_chunk>},
      {"upload.end", serve_as<end, end_upload>},       {"upload.ls", serve_as<list, list_uploads>},
      {"upload.rm", serve_as<remove, remove_upload>},
  };
  static constexpr auto by_row = handlers_of<serve_fn>(served_by::uploads, all);
  if (!w.uploads) return refused({ec::wrong_state, "this manager accepts no uploads", "", {}});
  return by_row[call.row](w, call);
}

void send_piece(shared& w, const rt::piece_wanted& p) {
  upload_piece out;
  out.request = p.what.request;
  auto data = w.uploads ? w.uploads->read(p.what.id.value, p.what.offset, upload_piece_max)
                        : result<std::string>(fail(ec::not_found, "this manager accepts no uploads", ""));
  if (data) out.data = std::move(*data);
  else out.failure = data.error();
  (void)w.agents.send(p.routing_id, p.session, out);  // the agent asks again for a lost one
}

}  // namespace

// No host fetches the upload of a deployment that has ended: a rollback uses files that were kept.
bool is_needed(const shared& world, const upload_id& id) {
  for (const auto& s : world.records.services())
    for (const auto& d : s->deployments)
      if (d.source.upload == id && d.ended_at == never) return true;
  return false;
}

rt::uploads_actor spawn_uploads(caf::actor_system& sys, shared& world, rt::spawn_mode mode) {
  const bool own_thread = mode == rt::spawn_mode::own_thread;
  const auto keeps = [w = &world, own_thread](rt::uploads_actor::pointer self) -> rt::uploads_actor::behavior_type {
    // Uploads have the lowest priority of all that the manager does: servers do not wait for them.
    if (own_thread) (void)::setpriority(PRIO_PROCESS, 0, uploads_nice);  // 0: this thread
    rt::install_defaults(self);
    self->delayed_send(self, uploads_collected_every, rt::tick_atom::value);
    return {[w](const rt::client_call& call) { return serve(*w, call); },
            [w](const rt::piece_wanted& p) { send_piece(*w, p); },
            [w, self](rt::tick_atom) {
              if (w->uploads)
                w->uploads->collect(w->clock.now(), [w](const upload_id& id) { return is_needed(*w, id); });
              self->delayed_send(self, uploads_collected_every, rt::tick_atom::value);
            }};
  };
  if (own_thread) return sys.spawn<caf::detached>(keeps);
  return sys.spawn(keeps);
}

}  // namespace zedops::manager
