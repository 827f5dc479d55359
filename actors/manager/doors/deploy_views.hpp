// Projects, services and deployments as clients see them.
#pragma once
#include "actors/manager/deps.hpp"
#include "messages/api/deploy_views.hpp"

namespace zedops::manager {

// The answer to an operation on a project or service: what it is about, as it is now.
msg::deploy_reply deploy_reply_of(const shared& world, const rt::any_record& record,
                                  const std::optional<msg::operation>& op);

msg::result<msg::project_list> list_of_projects(const shared& world, const msg::list_projects& q);
msg::result<msg::project_view> project_of(const shared& world, const msg::get_project& q);
msg::result<msg::service_list> list_of_services(const shared& world, const msg::principal& who,
                                                const msg::list_services& q);
msg::result<msg::service_view> service_of(const shared& world, const msg::get_service& q);
msg::result<msg::event_page> past_of_service(const shared& world, const msg::service_history& q);
msg::result<msg::deployment_list> list_of_deployments(const shared& world, const msg::principal& who,
                                                      const msg::list_deployments& q);
msg::result<msg::deployment_view> deployment_of(const shared& world, const msg::get_deployment& q);

}  // namespace zedops::manager
