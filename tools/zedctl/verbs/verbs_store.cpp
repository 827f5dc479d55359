// The store, without a manager: verify, dump, backup, restore.
#include <fmt/format.h>

#include "messages/base/names.hpp"
#include "persistence/inspect.hpp"
#include "tools/zedctl/cli/commands.hpp"
#include "tools/zedctl/cli/context.hpp"
#include "tools/zedctl/input/confirm.hpp"
#include "tools/zedctl/output/json_text.hpp"

namespace zedops::ctl {
namespace {

namespace fs = std::filesystem;

fs::path data_dir(session& s, const arguments& a) {
  return a.has("data-dir") ? fs::path(a.one("data-dir")) : default_data_dir(s.outside());
}

constexpr msg::duration where_is_it_max{1'000};

// A running manager knows best where its data is: zedctl does not know the settings that it was started with.
fs::path living_data_dir(session& s, const arguments& a) {
  if (a.has("data-dir")) return a.one("data-dir");
  auto status = s.ask<msg::manager_status>("status", msg::get_status{}, where_is_it_max);
  return status && !status->data_dir.empty() ? fs::path(status->data_dir) : default_data_dir(s.outside());
}

std::string readable(std::string_view key) {
  std::string out;
  for (char c : key) {
    auto u = static_cast<unsigned char>(c);
    if (u >= 0x20 && u < 0x7f && c != '\\') out += c;
    else out += fmt::format("\\x{:02x}", u);
  }
  return out;
}

int show_report(session& s, const store::verify_report& r) {
  if (s.machine()) {
    std::vector<json_field> fields{{"sound", r.sound() ? "true" : "false", true},
                                   {"schema", std::to_string(r.schema), true},
                                   {"epoch", std::to_string(r.epoch)},
                                   {"file_bytes", std::to_string(r.file_bytes), true},
                                   {"damaged", std::to_string(r.damaged), true},
                                   {"structure", r.structure},
                                   {"complete", r.complete ? "true" : "false", true}};
    for (size_t i = 0; i < store::table_count; ++i)
      fields.push_back({"records_" + std::string(store::table_names[i]), std::to_string(r.records[i]), true});
    s.print(s.structured(object_json(fields)));
    return r.sound() ? exit_ok : exit_failed;
  }
  sheet page;
  auto verdict = r.sound() ? "sound" : !r.structure.empty() ? r.structure : r.damaged > 0 ? "damaged" : "not finished";
  page.add("Verdict", std::string(verdict), r.sound() ? style::good : style::bad);
  page.add("Schema", std::to_string(r.schema));
  page.add("Epoch", std::to_string(r.epoch));
  page.add("File", msg::format_bytes(r.file_bytes));
  for (size_t i = 0; i < store::table_count; ++i)
    page.add(std::string(store::table_names[i]), counted(r.records[i], "record"));
  if (r.damaged > 0) page.add("Damaged", counted(r.damaged, "record"), style::bad);
  std::string list;
  for (const auto& c : r.listed) list += fmt::format("{} {}: {}\n", name_of(c.where), readable(c.key), c.reason);
  page.section("Damaged records", list);
  s.print(page.render(s.colour_out()));
  if (!r.sound()) s.say("next: stop the manager and restore a backup: zedctl store restore FILE");
  return r.sound() ? exit_ok : exit_failed;
}

int verify(session& s, const arguments& a) {
  auto r = store::verify(living_data_dir(s, a));
  return r ? show_report(s, *r) : s.report(r.error());
}

std::string undecodable(std::string_view value) {
  return object_json({{"undecodable_bytes", std::to_string(value.size()), true}}, -1);
}

msg::project_view project_form(const msg::project& p) {
  msg::project_view v;
  v.id = p.id;
  v.name = p.name;
  v.description = p.description;
  v.base_domain = p.base_domain;
  v.created_at = msg::shown(p.created_at);
  return v;
}

// A record in its public form; of one that cannot be decoded, only the size.
std::string record_json(store::table t, std::string_view value) {
  switch (t) {
    case store::table::servers:
      if (auto r = msg::unpack<msg::server>(value)) return msg::to_json(msg::view_of(*r, nullptr));
      break;
    case store::table::agents:
      if (auto r = msg::unpack<msg::agent>(value)) return msg::to_json(msg::view_of(*r));
      break;
    case store::table::operations:
      if (auto r = msg::unpack<msg::operation>(value)) return msg::to_json(msg::view_of(*r));
      break;
    case store::table::audit:
      if (auto r = msg::unpack<msg::audit_record>(value)) return msg::to_json(*r);
      break;
    case store::table::log:
      if (auto r = msg::unpack<msg::log_entry>(value)) {
        std::vector<std::string> events;
        for (size_t i = 0; i < r->facts.size(); ++i)
          events.push_back(msg::to_json(msg::event{
              {}, r->first_seq + i, r->facts[i].subject, r->facts[i].subject_seq, r->time, r->why, r->facts[i].what}));
        std::string out = "[";
        for (const auto& e : events) out += (out.size() > 1 ? "," : "") + e;
        return out + "]";
      }
      break;
    case store::table::projects:
      if (auto r = msg::unpack<msg::project>(value))
        return msg::to_json(project_form(*r));
      break;
    case store::table::services:
      if (auto r = msg::unpack<msg::service>(value)) return msg::to_json(msg::view_of(*r, nullptr));
      break;
    case store::table::orphans:
      if (auto r = msg::unpack<msg::orphan_data>(value))
        return object_json({{"agent", r->agent.value},
                            {"name", r->name},
                            {"path", r->path},
                            {"former_id", r->former_id.value},
                            {"since", msg::to_rfc3339(r->since)}},
                           -1);
      break;
    case store::table::usage:
      if (auto r = msg::unpack<msg::usage_sample>(value)) return msg::to_json(*r);
      break;
    case store::table::meta:
    case store::table::claims: return object_json({{"value", readable(value)}}, -1);
  }
  return undecodable(value);
}

int dump(session& s, const arguments& a) {
  auto name = a.one("table");
  for (size_t i = 0; i < store::table_count; ++i) {
    auto t = static_cast<store::table>(i);
    if (!name.empty() && name != name_of(t)) continue;
    std::string out;
    uint64_t damaged = 0;
    auto visit = [&](std::string_view key, std::string_view value) {
      out += object_json(
                 {{"table", std::string(name_of(t))}, {"key", readable(key)}, {"record", record_json(t, value), true}},
                 -1) +
             '\n';
      constexpr size_t chunk = 1 << 16;
      if (out.size() >= chunk) s.print(out), out.clear();
      return !s.was_interrupted();
    };
    auto ok = store::dump(living_data_dir(s, a), t, visit, [&](const store::corrupt_record& c) {
      ++damaged;
      s.tell(fmt::format("damaged: {} {}: {}", name_of(c.where), readable(c.key), c.reason));
    });
    if (!ok) return s.report(ok.error());
    s.print(out);
    if (s.was_interrupted()) return exit_interrupted;
    if (damaged > 0) return exit_failed;
  }
  return exit_ok;
}

int backup(session& s, const arguments& a) {
  auto r = store::backup(living_data_dir(s, a), a.one("FILE"));
  return r ? show_report(s, *r) : s.report(r.error());
}

int restore(session& s, const arguments& a) {
  store::restore_options o;
  o.file = a.one("FILE");
  o.dir = data_dir(s, a);
  o.present = a.has("set-aside") ? store::existing::set_aside : store::existing::refuse;
  auto text = fmt::format("Restore {} into {}: everything since that backup is lost.", o.file.string(), o.dir.string());
  if (s.flags().dry_run) {
    s.print(text + '\n');
    return exit_ok;
  }
  if (auto ok = confirm(s, text); !ok) return s.report(ok.error());
  auto r = store::restore(o);
  if (!r) return s.report(r.error());
  if (!r->set_aside.empty()) s.say(fmt::format("the previous store is in {}", r->set_aside.string()));
  return show_report(s, r->restored);
}

}  // namespace

std::vector<command> store_commands() {
  using enum value_kind;
  const parameter dir{"--data-dir", path, "DIR",
                      "The manager's data directory; default: the running manager's, else the default one"};
  std::vector<std::string> tables(store::table_names.begin(), store::table_names.end());
  return {
      {"store verify", "Check every record; possible while the manager runs", {dir}, verify, {"zedctl store verify"}},
      {"store dump",
       "Print records as JSON, one per line",
       {dir, {"--table", choice, "T", joined(tables, "or"), arity::optional, tables}},
       dump,
       {"zedctl store dump --table servers"}},
      {"store backup",
       "Copy the store into one new file; possible while the manager runs",
       {{"FILE", path, "", "The new file, which must not exist", arity::one}, dir},
       backup,
       {"zedctl store backup /var/backups/zedops.mdb"}},
      {"store restore",
       "Restore a backup; the manager must be stopped",
       {{"FILE", path, "", "A backup", arity::one},
        dir,
        {"--set-aside", none, "", "Keep the existing store under another name"}},
       restore,
       {"zedctl store restore /var/backups/zedops.mdb --set-aside"}},
  };
}

}  // namespace zedops::ctl
