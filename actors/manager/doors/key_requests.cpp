#include "actors/manager/doors/key_requests.hpp"

#include "actors/manager/doors/answers.hpp"
#include "actors/manager/doors/dispatch.hpp"

namespace zedops::manager {
namespace {

using namespace msg;

constexpr duration ttl_min{10'000}, ttl_max{std::chrono::hours(24 * 30)};

// What a role holds on has to be there: a word that is misspelt would be a right that nobody has.
result<void> there(const shared& w, const add_key& k) {
  if (!k.agent.empty())
    if (auto a = w.records.resolve_agent(k.agent); !a) return fail(a.error());
  if (!k.server.empty())
    if (auto s = w.records.resolve(k.server); !s) return fail(s.error());
  return {};
}

result<key_list> add(shared& w, const rt::client_call&, const add_key& k) {
  if (auto ok = there(w, k); !ok) return fail(ok.error());
  return w.keys->add(k);
}
result<key_list> remove(shared& w, const rt::client_call&, const remove_key& k) { return w.keys->remove(k); }
result<token_reply> token(shared& w, const rt::client_call&, const make_token& t) {
  if (auto ok = check_agent_name(t.agent); !ok) return fail(ok.error());
  if (t.ttl < ttl_min || t.ttl > ttl_max)
    return fail(ec::bad_request, "a token lives from 10s to 30d, not " + format_duration(t.ttl), "--ttl 1h");
  return w.keys->make_token(t, w.clock.now());
}
result<enrol_reply> enrol(shared& w, const rt::client_call& call, const enrol_agent& e) {
  return w.keys->enrol(e, *call.by, w.clock.now());
}
result<enrol_reply> approve(shared& w, const rt::client_call&, const approve_agent& a) { return w.keys->approve(a); }

template <auto F>
void serve(shared& w, const rt::client_call& call) {
  [&]<class R, class Q>(R (*f)(shared&, const rt::client_call&, const Q&)) {
    auto q = body_of<Q>(call);
    if (!q) answer_error(w, call.who, q.error());
    else answer_either(w, call.who, f(w, call, *q));
  }(F);
}

}  // namespace

void serve_keys(shared& world, const rt::client_call& call) {
  using serve_fn = void (*)(shared&, const rt::client_call&);
  constexpr handler<serve_fn> all[] = {
      {"agent.token", serve<token>}, {"agent.enrol", serve<enrol>}, {"agent.approve", serve<approve>},
      {"key.add", serve<add>},       {"key.rm", serve<remove>},
  };
  static constexpr auto by_row = handlers_of<serve_fn>(served_by::keys, all);
  if (world.keys) return by_row[call.row](world, call);
  answer_error(world, call.who,
               {ec::wrong_state, "this manager has no keys", "it must listen on a network: docs/network.md", {}});
}

}  // namespace zedops::manager
