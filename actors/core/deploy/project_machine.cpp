#include "actors/core/deploy/project_machine.hpp"

#include "actors/core/deploy/requests.hpp"
#include "actors/core/operation_facts.hpp"
#include "actors/core/overload.hpp"

namespace zedops::core {

using namespace msg;

namespace {

project_decision edit(const project& p, const edit_project& e, const request_info& who, time_point now) {
  auto op = detail::operation_for(op_kind::edit_project, p.id.value, p.name, who, now);
  msg::project_edited f{e.description.value_or(p.description), e.base_domain.value_or(p.base_domain)};
  return detail::at_once<project_decision>(std::move(op), {std::move(f)});
}

project_decision remove(const project& p, const request_info& who, const project_context& cx) {
  auto op = detail::operation_for(op_kind::remove_project, p.id.value, p.name, who, cx.now);
  if (cx.services > 0)
    return detail::refused<project_decision>(std::move(op), who,
                                             {ec::wrong_state,
                                              p.name + " still has " + std::to_string(cx.services) + " services",
                                              "remove them first: zedctl service ls " + p.name,
                                              {}});
  return detail::at_once<project_decision>(std::move(op), {msg::project_removed{p.name}});
}

// Two services are made at once, and each was given a port: the other one's is in the record already.
project_decision served_elsewhere(const project& p, uint16_t port) {
  project_decision d;
  d.refusal = error{ec::busy,
                    "the services of " + p.name + " on this host have just been given port " + std::to_string(port),
                    "try again in a moment",
                    {}};
  return d;
}

project_decision on_request(const project& p, const project_requested& r, const project_context& cx) {
  if (const auto* e = std::get_if<edit_project>(&r.what)) return edit(p, *e, r.who, cx.now);
  if (std::holds_alternative<remove_project>(r.what)) return remove(p, r.who, cx);
  auto op = detail::operation_for(op_kind::edit_project, p.id.value, p.name, r.who, cx.now);
  return detail::refused<project_decision>(
      std::move(op), r.who,
      {ec::internal, "a project cannot carry out this request", "this is a defect: report it", {}});
}

}  // namespace

project_decision decide(const project& p, const project_input& in, const project_context& cx) {
  project_decision d;
  if (const auto* made = std::get_if<new_project>(&in)) {
    auto op =
        detail::operation_for(op_kind::create_project, made->record.id.value, made->record.name, made->who, cx.now);
    if (!p.id.empty())
      return detail::refused<project_decision>(std::move(op), made->who,
                                               {ec::already_exists, "this project exists already", "", {}});
    return detail::at_once<project_decision>(std::move(op), {msg::project_created{made->record}});
  }
  if (p.id.empty() || p.removed) {
    d.refusal = error{ec::not_found, "there is no such project", "zedctl project ls", {}};
    return d;
  }
  if (const auto* r = std::get_if<project_requested>(&in)) return on_request(p, *r, cx);
  if (const auto* s = std::get_if<serve_at>(&in)) {
    const auto i = p.ports.find(s->agent.value);
    if (i != p.ports.end()) return i->second == s->port ? d : served_elsewhere(p, i->second);
    d.why = {cause_kind::request, "service.create", {}};
    d.facts.emplace_back(msg::project_served{s->agent, s->port});
  }
  if (std::holds_alternative<cancel_requested>(in))
    d.refusal = error{ec::wrong_state, "the operation has ended", "zedctl op ls", {}};
  return d;
}

void apply(project& p, const log_entry& e) {
  for (const auto& n : e.facts) {
    std::visit(overload{
                   [&](const msg::project_created& x) { p = *x.record; },
                   [&](const msg::project_edited& x) {
                     p.description = x.description;
                     p.base_domain = x.base_domain;
                   },
                   [&](const msg::project_served& x) { p.ports[x.agent.value] = x.port; },
                   [&](const msg::project_removed&) { p.removed = true; },
                   [](const auto&) {},
               },
               n.what);
    if (fold_operation(p.op, n.what)) p.op.reset();
    if (!operation_of(n.what)) p.seq = n.subject_seq;
  }
  if (p.id.empty()) return;
  p.log_head = e.first_seq;
  if (is_refusal(e)) return;
  p.updated_at = e.time;
  ++p.revision;
}

std::vector<numbered_fact> entity<project>::number(const project& p, std::vector<fact> facts) {
  auto id = p.id.value;
  for (const auto& f : facts)
    if (const auto* made = std::get_if<msg::project_created>(&f)) id = made->record->id.value;
  return number_facts(kind, id, p.seq, p.op ? &*p.op : nullptr, std::move(facts));
}

error entity<project>::taken(std::string_view claimed, const project& owner) {
  if (claimed == claim(owner.name))
    return {ec::already_exists, "there is a project named " + owner.name + " already", "choose another name", {}};
  return {ec::port_conflict,
          "port " + std::string(claimed.substr(claimed.rfind('/') + 1)) + " belongs to project " + owner.name,
          "choose another, or leave it out to get a free one",
          {}};
}

}  // namespace zedops::core
