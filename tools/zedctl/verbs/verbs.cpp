#include "tools/zedctl/verbs/verbs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "messages/base/names.hpp"
#include "tools/zedctl/output/json_text.hpp"

namespace zedops::ctl {

msg::result<msg::server_list> all_servers(session& s, msg::list_servers query) {
  msg::server_list out;
  query.where.limit = page_rows;
  do {
    auto part = s.ask<msg::server_list>("server.ls", query);
    if (!part) return msg::fail(part.error());
    if (out.servers.empty()) out.servers = std::move(part->servers);
    else std::move(part->servers.begin(), part->servers.end(), std::back_inserter(out.servers));
    out.hidden = part->hidden;
    if (part->next == query.where.after && !part->next.empty())
      return msg::fail(msg::ec::internal, "the manager's list of servers does not advance after " + part->next,
                       "compare the versions with zedctl doctor");
    query.where.after = part->next;
  } while (!query.where.after.empty() && out.servers.size() < rows_max);
  return out;
}

msg::error with_guess(session& s, msg::error e, const std::string& name) {
  if (e.code != msg::ec::not_found || e.hint.find("did you mean") != std::string::npos) return e;
  msg::list_servers query;
  query.all = true;
  auto known = all_servers(s, query);
  if (!known) return e;
  std::vector<std::string> names;
  for (const auto& v : known->servers) names.push_back(v.name);
  if (std::ranges::find(names, name) != names.end()) return e;  // the server exists: something else was not found
  if (auto guess = msg::did_you_mean(name, names); !guess.empty()) e.hint = guess;
  else if (e.hint.empty()) e.hint = "zedctl server ls --all shows every server";
  return e;
}

namespace {

using view_order = bool (*)(const msg::server_view&, const msg::server_view&);
struct sort_column {
  std::string_view name;
  view_order less;
};

// The columns of the wide table; what a column counts is compared as a number.
constexpr std::array sort_table = {
    sort_column{"name", [](const auto& a, const auto& b) { return a.name < b.name; }},
    sort_column{"id", [](const auto& a, const auto& b) { return a.id.value < b.id.value; }},
    sort_column{"agent", [](const auto& a, const auto& b) { return a.agent < b.agent; }},
    sort_column{"status", [](const auto& a, const auto& b) { return name_of(a.status) < name_of(b.status); }},
    sort_column{"condition", [](const auto& a, const auto& b) { return a.condition > b.condition; }},
    sort_column{"desired",
                [](const auto& a, const auto& b) { return name_of(a.desired_state) < name_of(b.desired_state); }},
    sort_column{"crash",
                [](const auto& a, const auto& b) { return name_of(a.crash_policy) < name_of(b.crash_policy); }},
    sort_column{"priority", [](const auto& a, const auto& b) { return a.priority > b.priority; }},
    sort_column{"data",
                [](const auto& a, const auto& b) { return a.data_bytes.value_or(0) > b.data_bytes.value_or(0); }},
    sort_column{"health", [](const auto& a, const auto& b) { return name_of(a.health) < name_of(b.health); }},
    sort_column{"image", [](const auto& a, const auto& b) { return image_text(a) < image_text(b); }},
    sort_column{"ports",
                [](const auto& a, const auto& b) {
                  const auto first = [](const auto& v) { return v.ports.empty() ? 0 : v.ports.front().number; };
                  return first(a) < first(b);
                }},
    sort_column{"container", [](const auto& a, const auto& b) { return a.container_id < b.container_id; }},
    sort_column{"path", [](const auto& a, const auto& b) { return a.server_data_path < b.server_data_path; }},
    sort_column{"age", [](const auto& a, const auto& b) { return a.created_at > b.created_at; }},
};

}  // namespace

std::vector<std::string> sort_columns() {
  std::vector<std::string> out;
  for (const auto& c : sort_table) out.emplace_back(c.name);
  return out;
}

msg::result<void> sort_servers(std::vector<msg::server_view>& list, std::string_view column) {
  std::ranges::stable_sort(list, [](const auto& a, const auto& b) {
    return std::tie(a.agent, a.name, a.id.value) < std::tie(b.agent, b.name, b.id.value);
  });
  if (column.empty()) return {};
  auto c = std::ranges::find(sort_table, column, &sort_column::name);
  if (c == sort_table.end())
    return msg::fail(msg::ec::bad_request, fmt::format("there is no column '{}' to sort by", column),
                     "--sort takes " + joined(sort_columns(), "or"));
  std::ranges::stable_sort(list, c->less);
  return {};
}

table server_table(const session& s) {
  if (s.flags().output == form::wide)
    return table({"NAME", "ID", "AGENT", "STATUS", "DESIRED", "CRASH", "PRIORITY", "DATA", "HEALTH", "IMAGE", "PORTS",
                  "CONTAINER", "PATH", "AGE"});
  return table({"NAME", "AGENT", "STATUS", "DATA", "IMAGE", "PORTS", "AGE"});
}

void add_row(table& t, const msg::server_view& v, const session& s, const look& l) {
  auto status = status_phrase(v, l);
  if (s.flags().output == form::wide) {
    t.add({{v.name, style::plain},
           {v.id.value, style::plain},
           {v.agent, style::plain},
           std::move(status),
           {std::string(name_of(v.desired_state)), style::plain},
           {std::string(name_of(v.crash_policy)), style::plain},
           {std::to_string(v.priority), style::plain},
           {data_text(v, l), v.data_problem.empty() ? style::plain : style::warn},
           {std::string(name_of(v.health)), style::plain},
           {image_text(v), style::plain},
           {ports_text(v), style::plain},
           {v.container_id.substr(0, 12), style::plain},
           {v.server_data_path, style::plain},
           {age_text(v.created_at, l), style::plain}});
    return;
  }
  t.add({{v.name, style::plain},
         {v.agent, style::plain},
         std::move(status),
         {data_text(v, l), v.data_problem.empty() ? style::plain : style::warn},
         {image_text(v), style::plain},
         {ports_text(v), style::plain},
         {age_text(v.created_at, l), style::plain}});
}

std::string server_lines(const session& s, const std::vector<msg::server_view>& list) {
  std::string out;
  if (s.flags().quiet || s.flags().output == form::name) {
    for (const auto& v : list) (out += s.flags().quiet ? v.id.value : v.name) += '\n';
    return out;
  }
  auto t = server_table(s);
  t.reserve(list.size());
  auto l = s.looks();
  for (const auto& v : list) add_row(t, v, s, l);
  return s.render(t);
}

std::string operation_lines(const session& s, const std::vector<msg::operation_view>& list) {
  std::string out;
  if (s.flags().quiet || s.flags().output == form::name) {
    for (const auto& op : list) (out += op.id.value) += '\n';
    return out;
  }
  table t({"ID", "KIND", "SERVER", "STATUS", "BY", "STARTED", "TOOK"});
  auto l = s.looks();
  for (const auto& op : list) {
    auto took = op.started_at && op.ended_at ? msg::format_age(*op.ended_at - *op.started_at) : std::string("-");
    t.add({{op.id.value, style::plain},
           {std::string(name_of(op.kind)), style::plain},
           {op.target_name, style::plain},
           operation_phrase(op, l),
           {op.actor, style::plain},
           {ago_text(op.started_at, l), style::plain},
           {took, style::plain}});
  }
  return s.render(t);
}

void tally::add(int status) {
  if (status == exit_ok) {
    any_good_ = true;
    return;
  }
  if (bad_ != 0 && bad_ != status) mixed_ = true;
  bad_ = status;
}

int tally::status() const {
  if (bad_ == 0 || bad_ == exit_interrupted) return bad_;
  if (any_good_) return exit_partly;
  return mixed_ ? exit_failed : bad_;
}

int for_each_name(session& s, const std::vector<std::string>& names,
                  const std::function<msg::result<std::string>(const std::string& name)>& one) {
  tally count;
  std::vector<std::string> records;
  for (const auto& name : names) {
    auto text = one(name);
    if (!text) {
      count.add(s.report(text.error(), names.size() > 1 ? name : std::string{}));
      if (s.was_interrupted()) break;
      continue;
    }
    count.add(exit_ok);
    if (s.machine()) records.push_back(std::move(*text));
    else s.print((&name != &names.front() && !text->empty() ? "\n" : "") + *text);
  }
  if (s.machine() && !records.empty()) s.print(s.structured(names.size() == 1 ? records.front() : array_json(records)));
  return count.status();
}

}  // namespace zedops::ctl
