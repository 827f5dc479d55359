#include "actors/core/plan/adoption.hpp"

#include <algorithm>
#include <charconv>

#include "actors/core/plan/blueprint.hpp"
#include "actors/core/plan/spec_rules.hpp"
#include "messages/base/names.hpp"

namespace zedops::core {

using namespace msg;

namespace {

std::string value_of(const std::map<std::string, std::string>& all, std::string_view key) {
  auto i = all.find(std::string(key));
  return i == all.end() ? std::string{} : i->second;
}

std::string joined(const std::vector<std::string>& list) {
  std::string out;
  for (const auto& x : list) out += (out.empty() ? "" : ", ") + x;
  return out;
}

std::string binding_text(const port_binding& p) {
  const auto inside = p.host_port == p.container_port ? std::string{} : "->" + std::to_string(p.container_port);
  return std::to_string(p.host_port) + inside + "/" + std::string(name_of(p.proto));
}

bool lies_in(std::string_view path, std::string_view dir) {
  return path.size() > dir.size() && path.starts_with(dir) && (path[dir.size()] == '/' || dir == "/");
}

// It belongs to another manager, or to this one already.
std::optional<error> owner_of(const container_answer& c, const std::string& manager_id) {
  const auto manager = value_of(c.view.labels, label_manager);
  if (manager.empty()) return std::nullopt;
  if (manager == manager_id)
    return error{ec::already_exists,
                 "container " + c.view.name + " belongs to server " + value_of(c.view.labels, label_name) + " already",
                 "zedctl server ls --all",
                 {}};
  return error{ec::forbidden,
               "container " + c.view.name + " belongs to another manager (" + manager + ")",
               "purge its server there and keep the data, then adopt or create it here",
               {}};
}

class reader {
 public:
  reader(const adopt_server& r, const container_answer& c, const server_template& t)
      : r_(r), c_(c), t_(t), dirs_(folders_of(r.spec ? &*r.spec : nullptr, t)) {}

  result<adoption> read() {
    if (auto e = image()) return fail(std::move(*e));
    variables();
    for (auto role : {port_role::game, port_role::udp, port_role::rcon})
      if (auto e = port(role)) return fail(std::move(*e));
    if (auto e = mounts()) return fail(std::move(*e));
    others();
    spec();
    if (!left_.empty() && !r_.leave_behind)
      return fail(ec::bad_request,
                  "container " + c_.view.name + " has parts that the server would not have: " + joined(left_),
                  "take over a mount with --folder; use a template that has the rest, or go on without it: "
                  "--leave-behind");
    out_.runs = c_.view.state == container_state::running || c_.view.state == container_state::restarting ||
                c_.view.state == container_state::paused;
    rest();
    describe();
    return std::move(out_);
  }

 private:
  std::optional<error> image() {
    auto& as = out_.as;
    as.image = r_.image;
    as.image_tag = r_.image_tag;
    if (!as.image.empty()) return std::nullopt;
    auto ref = parse_image_ref(c_.view.image);
    if (!ref || c_.view.image.starts_with("sha256:")) {
      if (!t_.image.empty()) return std::nullopt;  // the template's
      return error{
          ec::bad_request,
          "container " + c_.view.name + " was made from an image without a name (" + c_.view.image.substr(0, 80) + ")",
          "name the image: --image REPOSITORY --tag TAG",
          {}};
    }
    as.image = ref->repository;
    if (as.image_tag.empty()) as.image_tag = ref->digest.empty() ? ref->tag : ref->digest;
    return std::nullopt;
  }

  // Its own variables, without what the template sets anyway.
  void variables() {
    for (const auto& [key, value] : c_.env)
      if (!t_.inject_env.contains(key) && (!t_.env.contains(key) || t_.env.at(key) != value))
        out_.as.config[key] = value;
    for (const auto& [key, value] : r_.config) out_.as.config[key] = value;
  }

  uint16_t asked_for(port_role role) const {
    return role == port_role::game ? r_.game_port : role == port_role::udp ? r_.udp_port : r_.rcon_port;
  }
  void set(port_role role, uint16_t number) {
    if (role == port_role::game) out_.as.game_port = number;
    if (role == port_role::udp) out_.as.udp_port = number;
    if (role == port_role::rcon) out_.as.rcon_port = number;
  }

  // Which number the game was given, by the variable that the template uses for it.
  uint16_t told(port_role role) const {
    const auto pattern = "{" + std::string(name_of(role)) + "_port}";
    for (const auto& [key, value] : t_.inject_env) {
      if (value != pattern) continue;
      const auto text = value_of(c_.env, key);
      uint16_t n = 0;
      if (auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), n);
          err == std::errc{} && end == text.data() + text.size())
        return n;
    }
    return 0;
  }

  // The host's number of what the template publishes for this role.
  std::vector<uint16_t> candidates(port_role role, uint16_t said) const {
    std::vector<uint16_t> out;
    for (const auto& p : t_.ports) {
      if (!p.published || role_of(p) != role) continue;
      for (const auto& b : c_.ports) {
        const bool fits = p.container_port != 0 ? b.container_port == p.container_port
                          : said != 0           ? b.container_port == said
                                                : b.container_port == b.host_port;
        const bool free = std::find(used_.begin(), used_.end(), b.host_port) == used_.end();
        if (b.proto == p.proto && fits && free && std::find(out.begin(), out.end(), b.host_port) == out.end())
          out.push_back(b.host_port);
      }
    }
    return out;
  }

  std::optional<error> port(port_role role) {
    const auto& plan = plan_of(t_, role);
    if (plan.rule == port_rule::none && asked_for(role) == 0) return std::nullopt;
    const auto said = told(role);
    const bool published =
        std::any_of(t_.ports.begin(), t_.ports.end(), [&](const auto& p) { return p.published && role_of(p) == role; });
    uint16_t number = asked_for(role);
    if (number == 0 && !published) number = said;
    if (number == 0 && published) {
      const auto found = candidates(role, said);
      if (found.size() == 1) number = found.front();
      const bool follows = plan.game_offset != 0;  // the template has a rule of its own
      if (number == 0 && plan.rule == port_rule::assigned && !follows) return unclear(role);
    }
    if (number != 0) used_.push_back(number);
    set(role, number);
    return std::nullopt;
  }
  error unclear(port_role role) const {
    std::vector<std::string> list;
    for (const auto& p : c_.ports) list.push_back(binding_text(p));
    const std::string word(name_of(role));
    return {ec::bad_request,
            "it is not clear which port of container " + c_.view.name + " is its " + word + " port; it publishes " +
                (list.empty() ? "none" : joined(list)),
            "name it: --" + word + "-port N",
            {}};
  }

  // Each directory of the template must be one whole mount: what is in the container's own layer is not seen here.
  std::optional<error> mounts() {
    if (dirs_.empty())
      return error{ec::bad_request,
                   "template " + t_.name + " has no directories: there is no data to take over",
                   "choose another template, or create a server of this one and remove the container",
                   {}};
    for (const auto& d : dirs_) {
      for (const auto& m : c_.mounts) {
        if (lies_in(m.target, d.target))
          return error{ec::bad_request,
                       "container " + c_.view.name + " has a mount at " + m.target + ", within " + d.target +
                           ": that directory is not one tree",
                       "put all of it under one directory of the host first, then repeat",
                       {}};
      }
      auto place = placement_of(c_.mounts, d.target);
      if (!place)
        return error{ec::no_data,
                     "container " + c_.view.name + " has nothing mounted at " + d.target +
                         ": what it wrote there is in its own layer",
                     "if its data is mounted elsewhere: --folder " + d.path +
                         ":PLACE; else copy it out (docker cp), "
                         "make the container again with that directory mounted, then repeat",
                     {}};
      taken_.push_back(place->in);
      sources_.push_back(std::move(place->path));
    }
    return std::nullopt;
  }

  // What a container made from the template will not have.
  void others() {
    for (const auto& m : c_.mounts)
      if (std::find(taken_.begin(), taken_.end(), &m) == taken_.end()) left_.push_back("mount " + m.target);
    for (const auto& b : c_.ports) {
      const bool kept = std::any_of(t_.ports.begin(), t_.ports.end(), [&](const template_port& p) {
        if (!p.published || p.proto != b.proto) return false;
        const auto role = role_of(p);
        const auto number = !role                      ? port_number(p.host)
                            : *role == port_role::game ? out_.as.game_port
                            : *role == port_role::udp  ? out_.as.udp_port
                                                       : out_.as.rcon_port;
        return number == b.host_port;
      });
      (kept ? ours_ : further_).push_back(b);
    }
    if (!one_address())
      for (const auto& b : ours_)
        if (!address_of(b).empty())
          left_.push_back("address " + b.host_ip + " of port " + binding_text(b) +
                          ", which would be open on all addresses");
    for (const auto& n : c_.networks)
      if (std::find(t_.networks.begin(), t_.networks.end(), n) == t_.networks.end()) left_.push_back("network " + n);
    left_.insert(left_.end(), c_.unusual.begin(), c_.unusual.end());
  }
  static uint16_t port_number(const std::string& text) {
    uint16_t n = 0;
    std::from_chars(text.data(), text.data() + text.size(), n);
    return n;
  }

  static std::string address_of(const port_binding& b) {
    return b.host_ip == "0.0.0.0" || b.host_ip == "::" ? std::string{} : b.host_ip;
  }
  bool one_address() const {
    return std::all_of(ours_.begin(), ours_.end(), [&](auto& b) { return address_of(b) == address_of(ours_[0]); });
  }

  // Its settings beyond the template, with those of this request over them.
  void spec() {
    auto found = c_.spec ? *c_.spec : server_spec{};
    if (!c_.entrypoint.empty()) found.entrypoint = c_.entrypoint;
    if (!c_.command.empty()) found.command = c_.command;
    if (!c_.user.empty()) found.user = c_.user;
    if (!further_.empty()) found.ports = further_;
    if (!ours_.empty() && one_address() && !address_of(ours_[0]).empty()) found.address = address_of(ours_[0]);
    if (found.cap_add)
      std::erase_if(*found.cap_add, [&](const std::string& c) {
        if (may_add(c)) return false;
        left_.push_back("capability " + c);
        return true;
      });
    if (found.cap_add && found.cap_add->empty()) found.cap_add.reset();
    found = beyond_template(found, t_);
    for (auto field : given_fields(found))
      if (locks(t_, field)) {
        left_.push_back(std::string(field) + " " + spec_text(found, field));
        clear_field(found, field);
      }
    if (r_.spec) overlay(found, *r_.spec);
    if (!nothing_given(found)) out_.as.spec = std::move(found);
  }

  void rest() {
    auto& as = out_.as;
    as.name = r_.name;
    as.agent = r_.agent;
    as.template_name = t_.name;
    as.server_data_path = r_.server_data_path;
    as.recovery = r_.recovery;
    as.crash = r_.crash;
    as.priority = r_.priority;
  }

  void describe() {
    auto& steps = out_.steps;
    if (out_.runs) steps.push_back("stop container " + c_.view.name + " as the template says");
    for (size_t i = 0; i < sources_.size(); ++i)
      steps.push_back("copy " + sources_[i] + " to " + r_.name + (dirs_[i].path.empty() ? "" : "/" + dirs_[i].path) +
                      " below the data path; each file is compared by size and hash");
    steps.push_back(out_.runs ? "make its container on the copy and prove that it runs; else everything is rolled back"
                              : "make its container on the copy; it stays stopped");
    if (out_.as.spec)
      for (auto& line : spec_changes(t_.spec, effective_spec(&*out_.as.spec, t_))) steps.push_back("spec." + line);
    steps.push_back("then remove container " + c_.view.name + "; what was mounted in it stays where it is");
    if (!left_.empty()) steps.push_back("left behind: " + joined(left_));
  }

  const adopt_server& r_;
  const container_answer& c_;
  const server_template& t_;
  const std::vector<template_dir> dirs_;
  adoption out_;
  std::vector<port_binding> further_;  // ports that the template does not have
  std::vector<port_binding> ours_;     // those that are
  std::vector<uint16_t> used_;         // host ports that have a role
  std::vector<const mount*> taken_;    // one per directory of the template
  std::vector<std::string> sources_;
  std::vector<std::string> left_;
};

}  // namespace

std::optional<placement> placement_of(const std::vector<mount>& mounts, const std::string& directory) {
  const mount* at = nullptr;
  for (const auto& m : mounts)
    if ((m.target == directory || lies_in(directory, m.target)) && (!at || m.target.size() > at->target.size()))
      at = &m;
  if (!at) return std::nullopt;
  return placement{at, at->source + directory.substr(at->target == "/" ? 0 : at->target.size())};
}

result<adoption> adoption_of(const adopt_server& r, const container_answer& c, const server_template& t,
                             const std::string& manager_id) {
  if (auto e = owner_of(c, manager_id)) return fail(std::move(*e));
  return reader(r, c, t).read();
}

}  // namespace zedops::core
