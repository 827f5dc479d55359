// Operations.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "messages/api/operations.hpp"
#include "tools/zedctl/cli/commands.hpp"
#include "tools/zedctl/output/json_text.hpp"
#include "tools/zedctl/output/progress.hpp"
#include "tools/zedctl/reports/describe.hpp"
#include "tools/zedctl/verbs/verbs.hpp"

namespace zedops::ctl {
namespace {

constexpr uint32_t listed = 50;

int ls(session& s, const arguments& a) {
  msg::list_operations query;
  query.server = a.one("server");
  query.status = a.one("status");
  const auto limit = a.count("limit", listed);
  msg::result<msg::operation_list> list{msg::operation_list{}};
  do {  // a page may have fewer rows than asked for
    query.where.limit = std::min<uint32_t>(limit - static_cast<uint32_t>(list->operations.size()), page_rows);
    query.where.after = list->next;
    auto page = s.ask<msg::operation_list>("op.ls", query);
    if (!page) return s.report(page.error());
    list->next = page->next;
    std::move(page->operations.begin(), page->operations.end(), std::back_inserter(list->operations));
  } while (!list->next.empty() && list->operations.size() < limit);
  if (list->operations.empty() && !s.machine()) {
    s.say("No operations.");
    return exit_ok;
  }
  if (!list->next.empty()) s.say("older ones are not shown; --limit shows more");
  return s.show(*list, [&] { return operation_lines(s, list->operations); });
}

int get(session& s, const arguments& a) {
  return for_each_name(s, a.all("ID"), [&](const std::string& id) -> msg::result<std::string> {
    auto op = s.ask<msg::operation_view>("op.get", msg::get_operation{id});
    if (!op) return msg::fail(op.error());
    return s.machine() ? msg::to_json(*op, 2) : describe_text(*op, s.looks());
  });
}

int cancel(session& s, const arguments& a) {
  return for_each_name(s, a.all("ID"), [&](const std::string& id) -> msg::result<std::string> {
    auto op = s.ask<msg::operation_view>("op.cancel", msg::cancel_operation{id});
    if (!op) return msg::fail(op.error());
    if (s.machine()) return msg::to_json(*op, 2);
    return fmt::format("{} {} of {}: {}\n", op->id.value, name_of(op->kind), op->target_name,
                       operation_phrase(*op, s.looks()).text);
  });
}

int report_ends(session& s, const std::vector<exchange>& all) {
  tally count;
  std::vector<std::string> records;
  for (const auto& x : all) {
    if (!x.outcome) continue;
    auto op = x.outcome->and_then(msg::unpack_map<msg::operation_view>);
    if (!op) {
      count.add(s.report(op.error(), all.size() > 1 ? x.name : std::string{}));
      continue;
    }
    if (s.machine()) records.push_back(msg::to_json(*op, 2));
    if (op->failure) {
      auto e = *op->failure;
      if (e.operation.empty()) e.operation = op->id.value;
      count.add(s.report(e, op->target_name));
      continue;
    }
    bool good = op->status == msg::op_status::succeeded;
    count.add(good ? exit_ok : exit_failed);
    if (!s.machine())
      s.print(good ? fmt::format("{} {}\n", msg::row_of(op->kind).done, op->target_name)
                   : fmt::format("{} of {}: {}\n", name_of(op->kind), op->target_name, name_of(op->status)));
  }
  if (!records.empty()) s.print(s.structured(all.size() == 1 ? records.front() : array_json(records)));
  return count.status();
}

// How far each is now: the manager reports only changes from here on.
void show_present(session& s, const std::vector<exchange>& all, progress_view& view) {
  if (!s.outside().err_tty) return;
  for (const auto& x : all)
    if (auto op = s.ask<msg::operation_view>("op.get", msg::get_operation{x.operation}); op && !msg::ended(op->status))
      view.update(op->target_name, *op);
}

int wait(session& s, const arguments& a) {
  std::vector<exchange> all;
  for (const auto& id : a.all("ID")) {
    exchange x;
    x.name = id;
    x.verb = "op.wait";
    x.body = msg::pack_map(msg::wait_operation{id});
    x.options = s.packed_options(true);
    x.expect = answer::patient;
    x.operation = id;
    all.push_back(std::move(x));
  }
  auto& w = s.outside();
  ending end;
  {
    progress_options how{w.err_tty, s.colour_err(), !w.err_tty && (s.machine() || s.flags().quiet), w.width};
    progress_view view(w.err, how, w.ticks);
    exchange_listener listener;
    listener.progress = [&](size_t, const msg::operation_view& op) { view.update(op.target_name, op); };
    listener.idle = [&] { view.tick(); };
    show_present(s, all, view);
    end = s.run(all, std::move(listener), s.flags().timeout);
  }
  int status = report_ends(s, all);
  if (end == ending::done) return status;
  std::string open;
  for (const auto& x : all)
    if (!x.outcome) open += ' ' + x.name;
  if (end == ending::interrupted) {
    s.say("stopped watching; the operation goes on. Follow it with: zedctl op wait" + open);
    return exit_interrupted;
  }
  return s.report({msg::ec::timeout, "the operation has not ended in time; it goes on", "zedctl op wait" + open, {}});
}

}  // namespace

std::vector<command> op_commands() {
  using enum value_kind;
  const parameter ids{"ID", operation, "", "Id of the operation, as --no-wait and errors show it", arity::some};
  std::vector<std::string> states(msg::enum_names<msg::op_status>::list.begin(),
                                  msg::enum_names<msg::op_status>::list.end());
  return {
      {"op ls",
       "List operations, newest first",
       {{"--server", server, "N", "Only those of this server"},
        {"--status", choice, "S", "Only those that are " + joined(states, "or"), arity::optional, states},
        {"--limit", number, "N", "At most this many; default 50"}},
       ls,
       {"zedctl op ls --status running"}},
      {"op get", "Show an operation", {ids}, get, {"zedctl op get o4mzk2w9c8d1x7q"}},
      {"op wait",
       "Follow operations to their end; the exit status is theirs",
       {ids},
       wait,
       {"zedctl op wait o4mzk2w9c8d1x7q --timeout 5m"}},
      {"op cancel",
       "Cancel an operation that still waits for its agent",
       {ids},
       cancel,
       {"zedctl op cancel o4mzk2w9c8d1x7q"}},
  };
}

}  // namespace zedops::ctl
