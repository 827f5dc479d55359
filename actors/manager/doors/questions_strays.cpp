// Containers whose service no longer exists: which of them the agents have.
#include "actors/manager/doors/admission.hpp"
#include "actors/manager/doors/asker.hpp"
#include "actors/manager/doors/new_server.hpp"

namespace zedops::manager {

using namespace msg;
using rt::host_answer;

namespace {

stray_query about_strays(const shared& world) {
  stray_query q;
  for (const auto& s : world.records.services()) q.services.push_back(s->id.value);
  for (const auto& p : world.records.projects()) q.projects.push_back(p->id.value);
  return q;
}

}  // namespace

void list_strays(const asker& a) {
  auto q = body_of<msg::list_strays>(a.call);
  if (!q) return a.refuse(q.error());
  std::optional<error> bad;
  const auto agents = a.agents_named(q->agent, {}, bad);
  if (bad) return a.refuse(*bad);
  auto reply = std::make_shared<stray_list>();
  if (agents.empty()) return answer_result(a.call.who, *reply);
  auto left = std::make_shared<size_t>(agents.size());
  for (const auto& h : agents)
    a.ask(h->id, about_strays(a.world), [=, who = a.call.who, name = h->name](host_answer& got) {
      if (auto* found = got.what ? std::get_if<stray_answer>(&*got.what) : nullptr; found && !found->failure)
        for (auto& s : found->strays) {
          s.agent = name;
          reply->strays.push_back(std::move(s));
        }
      else reply->unasked.push_back(name);
      if (--*left == 0) answer_result(who, *reply);
    });
}

void remove_stray(const asker& a) {
  auto q = body_of<msg::remove_stray>(a.call);
  if (!q) return a.refuse(q.error());
  auto host = agent_for(a.world, q->agent);
  if (!host) return a.refuse(host.error());
  if (q->container.empty())
    return a.refuse({ec::bad_request, "no container was given", "give its name or id: zedctl stray ls", {}});
  auto question = about_strays(a.world);
  question.remove = q->container;
  a.ask((*host)->id, std::move(question), [=, w = &a.world, who = a.call.who, name = (*host)->name](host_answer& got) {
    if (got.failure) return answer_error(*w, who, *got.failure);
    auto* gone = got.what ? std::get_if<stray_answer>(&*got.what) : nullptr;
    if (!gone)
      return answer_error(*w, who, {ec::internal, "the agent's answer does not fit the question", "repeat it", {}});
    if (gone->failure) return answer_error(*w, who, *gone->failure);
    for (auto& s : gone->strays) s.agent = name;
    answer_result(who, stray_list{std::move(gone->strays), {}});
  });
}

}  // namespace zedops::manager
