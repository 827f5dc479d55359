#include "actors/manager/doors/deploy_requests.hpp"

#include <algorithm>

#include "actors/core/deploy/deploy_checks.hpp"
#include "actors/core/deploy/project_machine.hpp"
#include "actors/core/deploy/service_machine.hpp"
#include "actors/core/plan/blueprint.hpp"
#include "actors/manager/doors/answers.hpp"
#include "messages/base/names.hpp"

namespace zedops::manager {

using namespace msg;

namespace {

constexpr uint16_t site_port_first = 8080, site_port_last = 8999;

// A project is not removed while a service is being created in it, and the other way round.
std::string in_project(const project_id& id) { return "in-project/" + id.value; }
std::string project_goes(const project_id& id) { return "project-goes/" + id.value; }

struct preparing {
  const shared& world;
  const core::request_info& who;
  choices& chosen;
  std::vector<std::string>& claims;

  void take(std::string claim) {
    chosen.take(claim);
    claims.push_back(std::move(claim));
  }

  template <class Input, class Id, class What>
  static rt::entity_call call_for(const Id& id, What what, bool makes = false) {
    rt::entity_call c(id.value, std::any(Input(std::move(what))));
    c.makes = makes;
    return c;
  }

  result<prepared_request> operator()(create_project& c) {
    if (auto ok = check_site_name(c.name); !ok) return fail(ok.error());
    if (auto ok = core::check_domain(c.base_domain); !ok) return fail(ok.error());
    if (auto ok = core::check_description(c.description); !ok) return fail(ok.error());
    if (auto owner = world.records.claim_owner(core::entity<project>::claim(c.name)))
      return fail(owner.of().taken(core::entity<project>::claim(c.name), owner.get()));
    project p;
    p.id = {world.random.id('p')};
    p.name = c.name;
    p.description = c.description;
    p.base_domain = c.base_domain;
    p.created_at = p.updated_at = world.clock.now();
    return prepared_request{call_for<core::project_input>(p.id, core::new_project{p, who}, true), {}, c.name};
  }
  result<prepared_request> operator()(edit_project& e) {
    auto p = world.records.resolve_project(e.project);
    if (!p) return fail(p.error());
    if (e.base_domain)
      if (auto ok = core::check_domain(*e.base_domain); !ok) return fail(ok.error());
    if (e.description)
      if (auto ok = core::check_description(*e.description); !ok) return fail(ok.error());
    return for_project(**p, e);
  }
  result<prepared_request> operator()(remove_project& r) {
    auto p = world.records.resolve_project(r.project);
    if (!p) return fail(p.error());
    if (chosen.contains(in_project((*p)->id)))
      return fail(ec::busy, "a service is being created in " + (*p)->name, "repeat it in a moment");
    take(project_goes((*p)->id));
    return for_project(**p, r);
  }
  template <class What>
  result<prepared_request> for_project(const project& p, What& what) {
    return prepared_request{
        call_for<core::project_input>(p.id, core::project_requested{deploy_request(std::move(what)), who}), {}, p.name};
  }

  result<prepared_request> operator()(create_service& c) {
    auto p = world.records.resolve_project(c.project);
    if (!p) return fail(p.error());
    if (auto ok = as_preview(c, **p); !ok) return fail(ok.error());
    auto a = agent_for(world, c.agent);
    if (!a) return fail(a.error());
    if (auto ok = check_site_name(c.name); !ok) return fail(ok.error());
    if (auto ok = core::check_lives(c.lives); !ok) return fail(ok.error());
    if (auto ok = core::check_retention(c.retention); !ok) return fail(ok.error());
    if (auto ok = core::check_health_path(c.health_path); !ok) return fail(ok.error());
    const auto claim = core::entity<service>::claim((*p)->id, c.name);
    if (auto owner = world.records.claim_owner(claim)) return fail(owner.of().taken(claim, owner.get()));
    if (chosen.contains(project_goes((*p)->id)))
      return fail(ec::busy, "the project " + (*p)->name + " is being removed", "repeat it in a moment");
    if (auto ok = core::check_settings(c.type, c.settings); !ok) return fail(ok.error());
    if (auto ok = free_hosts(c.settings, {}); !ok) return fail(ok.error());
    const bool shared_port = c.type == service_kind::static_site;
    auto port = shared_port ? port_for(**p, (*a)->id, c.port) : port_of_its_own((*a)->id, c.port);
    if (!port) return fail(port.error());
    auto beside = shared_port ? result<uint16_t>(0) : port_of_its_own((*a)->id, 0);
    if (!beside) return fail(beside.error());
    take(in_project((*p)->id));
    service s;
    s.kind = c.type;
    s.settings = c.settings;
    s.port_beside = *beside;
    s.id = {world.random.id('v')};
    s.project = (*p)->id;
    s.project_name = (*p)->name;
    s.name = c.name;
    s.agent = (*a)->id;
    s.retention = c.retention;
    s.health_path = c.health_path;
    s.port = *port;
    s.preview_of = c.preview_of;
    s.lives = c.lives;
    s.created_at = s.updated_at = world.clock.now();
    if (s.lives != duration{0}) s.expires_at = s.created_at + s.lives;
    prepared_request out{
        call_for<core::service_input>(s.id, core::new_service{s, who}, true), {}, (*p)->name + "/" + c.name};
    if (shared_port) out.first = call_for<core::project_input>((*p)->id, core::serve_at{(*a)->id, *port});
    return out;
  }
  // As the service that it previews, except for its name, its host names, and its lifetime.
  result<void> as_preview(create_service& c, const project& p) {
    if (c.preview_of.empty()) return {};
    auto of = world.records.resolve_service(p.name + "/" + c.preview_of);
    if (!of) return fail(of.error());
    const auto& like = **of;
    if (!like.preview_of.empty())
      return fail(ec::bad_request, c.preview_of + " is a preview itself", "give " + like.preview_of);
    c.type = like.kind;
    if (c.agent.empty()) c.agent = like.agent.value;
    // It gets the secrets of that service: a caller with rights on one host only must not get those of another host.
    auto a = agent_for(world, c.agent);
    if (!a) return fail(a.error());
    if ((*a)->id != like.agent)
      return fail(ec::bad_request, "a preview has to be on the same host as the service that it previews",
                  "give the host of " + p.name + "/" + c.preview_of + ", or leave it out");
    if (c.health_path.empty()) c.health_path = like.health_path;
    if (c.lives == duration{0}) c.lives = preview_lives;
    if (c.settings == service_settings{}) {
      c.settings = like.settings;
      c.settings.hosts.clear();
    }
    if (c.settings.route == route_kind::none || !c.settings.hosts.empty()) return {};
    if (p.base_domain.empty())
      return fail(ec::bad_request, p.name + " has no domain below which a preview could get a host name",
                  "zedctl project edit " + p.name + " --domain example.org, or give the preview a host name");
    c.settings.hosts = {c.name + "." + p.base_domain};
    return {};
  }
  // Each host name leads to one service.
  result<void> free_hosts(const service_settings& s, const service_id& self) {
    for (const auto& host : s.hosts) {
      const auto claim = core::entity<service>::host_claim(host);
      if (auto owner = world.records.claim_owner(claim); owner && owner.id() != self.value)
        return fail(owner.of().taken(claim, owner.get()));
      if (chosen.contains(claim))
        return fail(ec::busy, host + " is being assigned to a service", "repeat it in a moment");
      take(claim);
    }
    return {};
  }
  // All static services of a project are served at one port of a host, also those that are being made at once.
  result<uint16_t> port_for(const project& p, const agent_id& agent, uint16_t wanted) {
    const auto known = p.ports.find(agent.value);
    const auto at = known != p.ports.end() ? known->second : port_being_given(p, agent);
    if (at != 0 && wanted != 0 && wanted != at)
      return fail(ec::bad_request,
                  "the services of " + p.name + " on this host are served at port " + std::to_string(at),
                  "leave the port out");
    if (known != p.ports.end()) return at;
    if (at != 0) take(core::port_claim(agent, protocol::tcp, at));
    auto port = at != 0 ? result<uint16_t>(at) : port_of_its_own(agent, wanted);
    if (port) take(port_of_project(p, agent, *port));
    return port;
  }
  static std::string port_of_project(const project& p, const agent_id& agent, uint16_t port) {
    return "project-port/" + p.id.value + "/" + agent.value + "/" + std::to_string(port);
  }
  // Zero: none, or one that a request named; then the project's actor refuses the second.
  uint16_t port_being_given(const project& p, const agent_id& agent) const {
    for (uint16_t n = site_port_first; n <= site_port_last; ++n)
      if (chosen.contains(port_of_project(p, agent, n))) return n;
    return 0;
  }
  result<uint16_t> port_of_its_own(const agent_id& agent, uint16_t wanted) {
    const auto claim = [&](uint16_t n) { return core::port_claim(agent, protocol::tcp, n); };
    const auto use = [&](uint16_t n) {
      take(claim(n));
      return n;
    };
    if (wanted != 0) {
      if (auto owner = world.records.claim_owner(claim(wanted)))
        return fail(owner.of().taken(claim(wanted), owner.get()));
      return use(wanted);
    }
    for (uint16_t n = site_port_first; n <= site_port_last; ++n)
      if (!chosen.contains(claim(n)) && !world.records.claim_owner(claim(n))) return use(n);
    return fail(
        ec::port_conflict,
        "no port from " + std::to_string(site_port_first) + " to " + std::to_string(site_port_last) + " is free",
        "choose one with --port");
  }

  template <class What>
  result<prepared_request> for_service(const std::string& name, What& what, deploy_source source = {}) {
    auto s = world.records.resolve_service(name);
    if (!s) return fail(s.error());
    return prepared_request{
        call_for<core::service_input>((*s)->id,
                                      core::service_requested{deploy_request(std::move(what)), who, std::move(source)}),
        {},
        (*s)->project_name + "/" + (*s)->name};
  }
  result<prepared_request> operator()(edit_service& e) {
    if (e.retention)
      if (auto ok = core::check_retention(*e.retention); !ok) return fail(ok.error());
    if (e.health_path)
      if (auto ok = core::check_health_path(*e.health_path); !ok) return fail(ok.error());
    if (e.lives)
      if (auto ok = core::check_lives(*e.lives); !ok) return fail(ok.error());
    if (e.settings) {
      auto s = world.records.resolve_service(e.service);
      if (!s) return fail(s.error());
      auto given = *e.settings;  // a masked value stays as it is
      std::erase_if(given.env, [](const auto& x) { return x.second == masked_value; });
      if (auto ok = core::check_settings((*s)->kind, given); !ok) return fail(ok.error());
      if (auto ok = free_hosts(*e.settings, (*s)->id); !ok) return fail(ok.error());
    }
    if (e.hook)
      if (auto ok = core::check_hook(*e.hook); !ok) return fail(ok.error());
    return for_service(e.service, e);
  }
  result<prepared_request> operator()(remove_service& r) { return for_service(r.service, r); }
  // The host names that it had then may belong to another service by now.
  result<prepared_request> operator()(rollback_service& r) {
    auto s = world.records.resolve_service(r.service);
    if (!s) return fail(s.error());
    const auto* to = r.to == 0 ? core::previous_deployment(**s) : core::find_deployment(**s, r.to);
    if (to && to->settings)
      if (auto ok = free_hosts(*to->settings, (*s)->id); !ok) return fail(ok.error());
    return for_service(r.service, r);
  }
  result<prepared_request> operator()(start_service& r) { return for_service(r.service, r); }
  result<prepared_request> operator()(stop_service& r) { return for_service(r.service, r); }
  result<prepared_request> operator()(deploy_service& d) {
    if (int(d.upload.empty()) + int(d.git.empty()) + int(d.image.empty()) != 2)
      return fail(ec::bad_request, "a deployment needs exactly one source", "give one of upload, git and image");
    if (auto ok = check_source_folder(d.folder); !ok) return fail(ok.error());
    if (!d.digest.empty() && (d.image.empty() || !is_image_digest(d.digest)))
      return fail(ec::bad_request, "the digest is not that of an image: '" + d.digest.substr(0, 80) + "'",
                  "give it beside the image, as sha256: and 64 hexadecimal digits");
    if (!d.image.empty()) return from_image(d);
    return d.git.empty() ? from_upload(d) : from_git(d);
  }
  result<prepared_request> from_image(deploy_service& d) {
    if (!d.image.starts_with("sha256:"))  // the id of an image on the host
      if (auto ref = parse_image_ref(d.image); !ref) return fail(ref.error());
    auto v = world.records.resolve_service(d.service);
    if (!v) return fail(v.error());
    if ((*v)->kind != service_kind::container)
      return fail(ec::bad_request, d.service + " serves files, and an image is not a folder of files",
                  "create a service with --kind container for it");
    deploy_source s;
    s.kind = source_kind::image;
    s.image = s.name = d.image;
    s.digest = d.digest;
    return for_service(d.service, d, std::move(s));
  }
  result<prepared_request> from_git(deploy_service& d) {
    if (auto ok = check_git_url(d.git); !ok) return fail(ok.error());
    if (auto ok = check_git_revision(d.revision); !ok) return fail(ok.error());
    deploy_source s;
    s.kind = source_kind::git;
    s.url = d.git;
    s.revision = d.revision;
    s.folder = d.folder;
    auto last = d.git.substr(d.git.find_last_of("/:") + 1);
    if (last.ends_with(".git")) last.resize(last.size() - 4);
    s.name = last + (d.revision.empty() ? "" : "@" + d.revision);
    return for_service(d.service, d, std::move(s));
  }
  result<prepared_request> from_upload(deploy_service& d) {
    const auto v = world.uploads ? world.uploads->find(d.upload) : std::nullopt;
    if (!v)
      return fail(ec::not_found, "there is no upload '" + d.upload.substr(0, 40) + "'",
                  "zedctl deploy PROJECT/SERVICE --dir DIR makes one");
    if (v->state != upload_state::complete)
      return fail(
          ec::wrong_state,
          "the upload " + d.upload + " is not complete: " + format_bytes(v->received) + " of " + format_bytes(v->bytes),
          "send the rest, then upload.end");
    deploy_source s;
    s.upload = v->id;
    s.name = v->name;
    s.sha256 = v->sha256;
    s.bytes = v->bytes;
    s.folder = d.folder;
    return for_service(d.service, d, std::move(s));
  }
};

// The request of a kind, decoded.
template <size_t I = 0>
result<deploy_request> decoded(op_kind kind, const rt::client_call& call) {
  if constexpr (I < std::variant_size_v<deploy_request>) {
    using body = std::variant_alternative_t<I, deploy_request>;
    if (body::kind != kind) return decoded<I + 1>(kind, call);
    auto b = body_of<body>(call);
    if (!b) return fail(b.error());
    return deploy_request{std::move(*b)};
  } else {
    return fail(ec::internal, "an operation without a request", "");
  }
}

}  // namespace

result<prepared_request> prepare(const shared& world, op_kind kind, const rt::client_call& call,
                                 const core::request_info& who, choices& chosen, std::vector<std::string>& claims) {
  auto what = decoded(kind, call);
  if (!what) return fail(what.error());
  return std::visit(preparing{world, who, chosen, claims}, *what);
}

}  // namespace zedops::manager
