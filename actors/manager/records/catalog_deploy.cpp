// Projects and services in the read model.
#include <mutex>

#include "actors/manager/records/catalog.hpp"
#include "messages/base/names.hpp"

namespace zedops::manager {

using namespace msg;
using read_lock = std::shared_lock<std::shared_mutex>;

namespace {
std::vector<service_ptr> all_of(const service_records::rows* rows) {
  std::vector<service_ptr> out;
  if (!rows) return out;
  out.reserve(rows->size());
  for (const auto* r : *rows) out.push_back(r->second);
  return out;
}
}  // namespace

std::vector<project_ptr> catalog::projects() const {
  read_lock lock(mutex_);
  std::vector<project_ptr> out;
  for (const auto& [id, p] : projects_.all())
    if (!p->removed) out.push_back(p);
  return out;
}

std::vector<service_ptr> catalog::services() const {
  read_lock lock(mutex_);
  std::vector<service_ptr> out;
  for (const auto& [id, s] : services_.all())
    if (!s->removed) out.push_back(s);
  return out;
}

std::vector<service_ptr> catalog::services_of(const project_id& id) const {
  read_lock lock(mutex_);
  return all_of(services_.of_project(id));
}
std::vector<service_ptr> catalog::services_of(const agent_id& id) const {
  read_lock lock(mutex_);
  return all_of(services_.of_agent(id));
}

service_ptr catalog::service(const service_id& id) const {
  read_lock lock(mutex_);
  auto s = services_.at(id);
  return s && !s->removed ? s : nullptr;
}

result<project_ptr> catalog::resolve_project(std::string_view text) const {
  if (text.empty()) return fail(ec::bad_request, "no project was given", "give a name or an id; zedctl project ls");
  read_lock lock(mutex_);
  if (auto p = projects_.at({std::string(text)}); p && !p->removed) return p;
  if (auto p = projects_.holder(core::entity<project>::claim(text))) return p;
  std::vector<std::string> names;
  for (const auto& [id, p] : projects_.all())
    if (!p->removed) names.push_back(p->name);
  auto hint = did_you_mean(text, names);
  return fail(ec::not_found, "there is no project '" + std::string(text.substr(0, 64)) + "'",
              hint.empty() ? "zedctl project ls" : hint);
}

result<service_ptr> catalog::resolve_service(std::string_view text) const {
  if (auto s = service({std::string(text)})) return s;
  const auto slash = text.find('/');
  if (slash == text.npos)
    return fail(text.empty() ? ec::bad_request : ec::not_found,
                text.empty() ? "no service was given" : "there is no service '" + std::string(text.substr(0, 64)) + "'",
                "write PROJECT/SERVICE; zedctl service ls");
  auto p = resolve_project(text.substr(0, slash));
  if (!p) return fail(p.error());
  read_lock lock(mutex_);
  const auto name = text.substr(slash + 1);
  if (auto s = services_.holder(core::entity<msg::service>::claim((*p)->id, name))) return s;
  std::vector<std::string> names;
  for (const auto& s : all_of(services_.of_project((*p)->id))) names.push_back(s->name);
  auto hint = did_you_mean(name, names);
  return fail(ec::not_found, "project " + (*p)->name + " has no service '" + std::string(name.substr(0, 64)) + "'",
              hint.empty() ? "zedctl service ls " + (*p)->name : hint);
}

}  // namespace zedops::manager
