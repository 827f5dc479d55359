// The manager's users and tokens: their file, which the actors change and the web door queries.
#pragma once
#include "actors/runtime/ports.hpp"
#include "bus/security/accounts.hpp"

namespace zedops::app {

class known_accounts final : public rt::account_port {
 public:
  // `url`: where users reach the page, for links.
  known_accounts(std::filesystem::path file, std::string url) : book_(std::move(file)), url_(std::move(url)) {}
  bus::account_book& book() { return book_; }

  msg::result<msg::user_list> users() override;
  msg::result<msg::user_link> add(const msg::add_user& u, msg::time_point now) override;
  msg::result<msg::user_list> remove(const msg::remove_user& u) override;
  msg::result<msg::user_link> reset(const msg::reset_user& u, msg::time_point now) override;
  msg::result<msg::token_list> tokens() override;
  msg::result<msg::token_made> add(const msg::add_token& t, msg::time_point now) override;
  msg::result<msg::token_list> remove(const msg::remove_token& t) override;

 private:
  using link_fn = std::function<msg::result<std::string>(bus::account_list&)>;  // the secret of a link, or none
  msg::result<msg::user_link> linked(const std::string& name, msg::time_point now, const link_fn& how);
  bus::account_book book_;
  const std::string url_;
};

}  // namespace zedops::app
