// Deployments, rollbacks, and the uploads that they are made from.
#include "tools/zedctl/verbs/verbs_deploy.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "integration/archive/pack.hpp"
#include "messages/base/names.hpp"
#include "tools/zedctl/cli/commands.hpp"
#include "tools/zedctl/output/progress.hpp"
#include "tools/zedctl/verbs/verbs.hpp"

namespace zedops::ctl {
namespace {

style style_of(msg::deploy_status status) {
  switch (status) {
    case msg::deploy_status::success: return style::good;
    case msg::deploy_status::failed: return style::bad;
    case msg::deploy_status::cancelled: return style::faint;
    case msg::deploy_status::pending:
    case msg::deploy_status::queued:
    case msg::deploy_status::building:
    case msg::deploy_status::deploying: return style::busy;
  }
  return style::plain;
}

std::string label_of(const msg::deployment_view& d) { return fmt::format("{}#{}", d.service, d.number); }

std::string deployment_lines(const session& s, const std::vector<msg::deployment_view>& list) {
  std::string out;
  if (s.flags().quiet || s.flags().output == form::name) {
    for (const auto& d : list) out += (s.flags().quiet ? d.id.value : label_of(d)) + '\n';
    return out;
  }
  const auto l = s.looks();
  table t({"DEPLOYMENT", "STATUS", "PHASE", "PROGRESS", "SOURCE", "ENVIRONMENT", "AGE"});
  for (const auto& d : list)
    t.add({{label_of(d) + (d.current ? " *" : "")},
           {std::string(name_of(d.status)), style_of(d.status)},
           {std::string(name_of(d.phase))},
           {fmt::format("{}%", d.phase_progress)},
           {d.source.name},
           {std::string(name_of(d.environment))},
           {age_text(d.created_at, l)}});
  return s.render(t);
}

std::string deployment_text(const msg::deployment_view& d, const look& l) {
  sheet out;
  out.add("Deployment", label_of(d), style::strong);
  out.add("Id", d.id.value);
  out.add("Status",
          std::string(name_of(d.status)) + (d.current         ? ", currently served"
                                            : d.can_roll_back ? ", can be rolled back to"
                                                              : ""),
          style_of(d.status));
  out.add("Phase", fmt::format("{}, {}%{}", name_of(d.phase), d.phase_progress, d.note.empty() ? "" : ": " + d.note));
  out.add("Requested by", d.trigger);
  out.add("Environment", std::string(name_of(d.environment)));
  if (d.source.kind == msg::source_kind::image)
    out.add("Source", fmt::format("{}, image {}", d.source.image, d.source.digest.substr(0, 19)));
  else if (d.source.kind == msg::source_kind::git)
    out.add("Source", fmt::format("{} {}, commit {}", d.source.url, d.source.revision, d.source.commit));
  else
    out.add("Source", fmt::format("{}, {}, sha256 {}", d.source.name, msg::format_bytes(d.source.bytes),
                                  d.source.sha256.substr(0, 12)));
  out.add("Folder", d.source.folder);
  out.add("Address", d.url);
  out.add("Started", ago_text(d.created_at, l));
  out.add("Ended", d.ended_at ? ago_text(d.ended_at, l) : std::string{});
  if (d.failure) out.add("Error", d.failure->message, style::bad);
  if (d.failure) out.add("Remedy", d.failure->hint);
  std::string phases, proof;
  for (const auto& p : d.phases) {
    const auto took =
        p.started_at && p.ended_at ? msg::format_duration(*p.ended_at - *p.started_at) : std::string{"..."};
    phases += fmt::format("{:<18} {}\n", name_of(p.phase), took);
  }
  for (const auto& [key, value] : d.phase_metadata) proof += fmt::format("{:<18} {}\n", key, value);
  out.section("Phases", phases);
  out.section("What the phases left", proof);
  return out.render(l.colour);
}

int ls(session& s, const arguments& a) {
  auto list = s.ask<msg::deployment_list>("deployment.ls", msg::list_deployments{a.one("SERVICE"), a.one("status")});
  if (!list) return s.report(list.error());
  if (list->deployments.empty() && !s.machine()) {
    s.say("Nothing has been deployed yet: zedctl deploy PROJECT/SERVICE --dir DIR");
    return exit_ok;
  }
  return s.show(*list, [&] { return deployment_lines(s, list->deployments); });
}

int get(session& s, const arguments& a) {
  return for_each_name(s, a.all("DEPLOYMENT"), [&](const std::string& name) -> msg::result<std::string> {
    auto d = s.ask<msg::deployment_view>("deployment.get", msg::get_deployment{name});
    if (!d) return msg::fail(d.error());
    return s.machine() ? msg::to_json(*d, 2) : deployment_text(*d, s.looks());
  });
}

// An archive that exists only for its upload.
struct temporary_file {
  std::string path;
  temporary_file() {
    auto name = (std::filesystem::temp_directory_path() / "zedops-deploy-XXXXXX").string();
    if (const int fd = ::mkstemp(name.data()); fd >= 0) ::close(fd), path = name;
  }
  ~temporary_file() {
    if (!path.empty()) ::unlink(path.c_str());
  }
  temporary_file(const temporary_file&) = delete;
  temporary_file& operator=(const temporary_file&) = delete;
};

int deploy_to(session& s, const std::string& service, msg::deploy_environment environment, const arguments& a) {
  if (int(a.has("dir")) + int(a.has("archive")) + int(a.has("upload")) + int(a.has("git")) + int(a.has("image")) != 1)
    return s.report({msg::ec::bad_request,
                     "deploy needs exactly one source",
                     "give one of --dir, --archive, --git, --image and --upload",
                     {}});
  // Before anything is sent.
  if (auto known = s.ask<msg::service_view>("service.get", msg::get_service{service}); !known)
    return s.report(known.error());
  auto upload = a.one("upload");
  if (!a.has("upload") && !a.has("git") && !a.has("image")) {
    temporary_file packed;
    auto file = a.one("archive");
    if (a.has("dir")) {
      if (packed.path.empty())
        return s.report(
            {msg::ec::internal, "no file can be made for the archive", "set TMPDIR to a folder with room for it", {}});
      file = packed.path;
      auto done = archive::pack(a.one("dir"), file);
      if (!done) return s.report(done.error());
      s.say(fmt::format("packed {}, {}", counted(done->files, "file"), msg::format_bytes(done->bytes)));
    }
    if (s.flags().dry_run) {
      s.say("a dry run uploads nothing");
      return exit_ok;
    }
    const auto called = std::filesystem::path(a.has("dir") ? a.one("dir") : file).lexically_normal();
    auto sent = send_upload(
        s, file, called.has_filename() ? called.filename().string() : called.parent_path().filename().string(),
        !a.has("dir"));
    if (!sent) return s.report(sent.error());
    upload = *sent;
  }
  msg::deploy_service d;
  d.service = service;
  d.upload = upload;
  d.git = a.one("git");
  d.image = a.one("image");
  d.revision = a.one("ref");
  d.folder = a.one("folder");
  d.environment = environment;
  return perform_deploy(s, "deployment.create", service, msg::pack_map(d));
}

int deploy(session& s, const arguments& a) {
  const auto environment = msg::enum_from_name<msg::deploy_environment>(a.one("env", "production"));
  return deploy_to(s, a.one("SERVICE"), environment.value_or(msg::deploy_environment::production), a);
}

// A service of its own beside the one that it previews, made on first use.
int preview(session& s, const arguments& a) {
  const auto of = a.one("SERVICE");
  auto like = s.ask<msg::service_view>("service.get", msg::get_service{of});
  if (!like) return s.report(like.error());
  const auto name = like->project + "/" + a.one("as");
  auto there = s.ask<msg::service_view>("service.get", msg::get_service{name});
  if (there && there->preview_of != like->name)
    return s.report(
        {msg::ec::already_exists, name + " is not a preview of " + of, "give the preview another name: --as", {}});
  if (!there && there.error().code != msg::ec::not_found) return s.report(there.error());
  if (!there) {
    msg::create_service c;
    c.project = like->project;
    c.name = a.one("as");
    c.preview_of = like->name;
    c.retention = 1;
    c.lives = a.time("lives").value_or(msg::duration{0});
    if (const int made = perform_deploy(s, "service.create", name, msg::pack_map(c), false); made != exit_ok)
      return made;
    if (s.flags().dry_run) return exit_ok;
  } else if (const auto lives = a.time("lives"); lives && *lives != there->lives) {
    msg::edit_service e;
    e.service = name;
    e.lives = lives;
    if (const int made = perform_deploy(s, "service.edit", name, msg::pack_map(e), false); made != exit_ok) return made;
  }
  return deploy_to(s, name, msg::deploy_environment::preview, a);
}

int roll_back(session& s, const arguments& a) {
  return perform_deploy(s, "service.rollback", a.one("SERVICE"),
                        msg::pack_map(msg::rollback_service{a.one("SERVICE"), a.count("to", 0)}));
}

// The operation of a deployment, whichever of its names is given.
msg::result<std::string> operation_of(session& s, const std::string& name) {
  auto d = s.ask<msg::deployment_view>("deployment.get", msg::get_deployment{name});
  if (!d) return msg::fail(d.error());
  return d->id.value;
}

int cancel(session& s, const arguments& a) {
  auto id = operation_of(s, a.one("DEPLOYMENT"));
  if (!id) return s.report(id.error());
  auto op = s.ask<msg::operation_view>("op.cancel", msg::cancel_operation{*id});
  if (!op) return s.report(op.error());
  return s.show(*op, [&] { return fmt::format("{}: {}\n", op->target_name, operation_phrase(*op, s.looks()).text); });
}

int retry(session& s, const arguments& a) {
  auto d = s.ask<msg::deployment_view>("deployment.get", msg::get_deployment{a.one("DEPLOYMENT")});
  if (!d) return s.report(d.error());
  return perform_deploy(
      s, "deployment.create", d->service,
      msg::pack_map(msg::deploy_service{d->service, d->source.upload.value, d->environment, d->source.url,
                                        d->source.commit.empty() ? d->source.revision : d->source.commit,
                                        d->source.folder, d->source.image, d->source.digest}));
}

int uploads(session& s, const arguments&) {
  auto list = s.ask<msg::upload_list>("upload.ls", msg::list_uploads{});
  if (!list) return s.report(list.error());
  return s.show(*list, [&] {
    const auto l = s.looks();
    table t({"ID", "NAME", "BYTES", "STATE", "NEEDED", "AGE"});
    for (const auto& u : list->uploads)
      t.add({{u.id.value},
             {u.name},
             {msg::format_bytes(u.bytes)},
             {u.state == msg::upload_state::complete ? "complete"
                                                     : fmt::format("{}%", u.bytes ? u.received * 100 / u.bytes : 0)},
             {u.needed ? "yes" : "no"},
             {age_text(u.created_at, l)}});
    return s.render(t);
  });
}

int remove_upload(session& s, const arguments& a) {
  auto gone = s.ask<msg::upload_list>("upload.rm", msg::remove_upload{a.one("ID")});
  if (!gone) return s.report(gone.error());
  return s.show(*gone, [&] { return fmt::format("Removed {}\n", a.one("ID")); });
}

}  // namespace

int perform_deploy(session& s, std::string_view verb, const std::string& name, std::string body, bool tells) {
  const auto& row = msg::verb_table[msg::find_verb(verb)];
  const bool wait = s.flags().wait;
  exchange x;
  x.name = name;
  x.verb = verb;
  x.body = std::move(body);
  x.options = s.packed_options(wait);
  if (!wait && !s.flags().dry_run) x.expect = answer::accepted;
  std::vector<exchange> all{std::move(x)};
  auto& w = s.outside();
  ending end;
  {
    progress_options how{w.err_tty, s.colour_err(), !w.err_tty && (s.machine() || s.flags().quiet), w.width};
    progress_view view(w.err, how, w.ticks);
    exchange_listener listener;
    if (wait) listener.progress = [&](size_t, const msg::operation_view& op) { view.update(name, op); };
    listener.idle = [&] { view.tick(); };
    end = s.run(all, std::move(listener), s.flags().timeout);
  }
  const auto& done = all.front();
  if (!done.outcome) {
    const auto follow = "zedctl op wait " + (done.operation.empty() ? "ID (zedctl op ls)" : done.operation);
    s.tell((end == ending::interrupted ? "stopped watching; the operation goes on. "
                                       : "timed out; the operation goes on. ") +
           follow);
    return end == ending::interrupted ? exit_interrupted : exit_timeout;
  }
  auto reply = done.outcome->and_then(msg::unpack_map<msg::deploy_reply>);
  if (!reply) return s.report(reply.error(), name);
  if (reply->operation.failure && !s.flags().dry_run) {
    auto e = *reply->operation.failure;
    if (e.operation.empty()) e.operation = reply->operation.id.value;
    return s.report(e, name);
  }
  if (!tells && !s.flags().dry_run) return exit_ok;
  if (s.machine()) {
    s.print(s.structured(msg::to_json(*reply, 2)));
    return exit_ok;
  }
  if (s.flags().dry_run) {
    for (const auto& line : reply->plan) s.print(line + "\n");
    return exit_ok;
  }
  if (s.flags().quiet || !wait) {
    s.print(reply->operation.id.value + "\n");
    return exit_ok;
  }
  if (reply->operation.status == msg::op_status::cancelled) {
    s.print(fmt::format("{}: cancelled\n", name));
    return exit_failed;
  }
  std::string more;
  if (reply->service && msg::enum_from_name<msg::op_kind>("deploy") == row.kind) more = " " + reply->service->url;
  if (row.kind == msg::op_kind::rollback && reply->service)
    more = fmt::format(" to #{} {}", reply->service->current, reply->service->url);
  s.print(fmt::format("{} {}{}\n", row.done, reply->deployment ? label_of(*reply->deployment) : name, more));
  return exit_ok;
}

std::vector<command> deploy_commands() {
  using enum value_kind;
  const parameter service{"SERVICE", text, "", "PROJECT/SERVICE, or its id", arity::one};
  const parameter one{"DEPLOYMENT", text, "", "PROJECT/SERVICE#NUMBER, an id, or PROJECT/SERVICE for the newest",
                      arity::one};
  std::vector<std::string> environments(msg::enum_names<msg::deploy_environment>::list.begin(),
                                        msg::enum_names<msg::deploy_environment>::list.end());
  std::vector<std::string> states(msg::enum_names<msg::deploy_status>::list.begin(),
                                  msg::enum_names<msg::deploy_status>::list.end());
  const auto with_source = [](std::vector<parameter> first, const std::vector<parameter>& last) {
    const std::vector<parameter> source = {
        {"--dir", path, "DIR", "A folder; files named in its .zedopsignore or .gitignore are left out"},
        {"--archive", path, "FILE", "An archive: tar, tar.gz, tar.zst or zip"},
        {"--git", text, "URL", "A repository, fetched by the service's host"},
        {"--ref", text, "REF", "With --git: a branch, a tag or a commit; default: the default branch"},
        {"--folder", text, "F", "The folder of it that is served, docs/public; default: all of it"},
        {"--image", text, "IMAGE", "For a container service: repository:tag, or the id of one on its host"},
        {"--upload", text, "ID", "An upload that exists already"}};
    first.insert(first.end(), source.begin(), source.end());
    first.insert(first.end(), last.begin(), last.end());
    return first;
  };
  return {
      {"preview",
       "Deploy a preview beside a service, with its own host name; it is removed when nothing was deployed for a while",
       with_source({service, {"--as", text, "NAME", "Name of the preview, a service of the same project", arity::one}},
                   {{"--lives", duration, "T", "It is removed this long after its newest deployment; default 7d"}}),
       preview,
       {"zedctl preview shop/web --as pr-12 --dir ./public",
        "zedctl preview shop/api --as pr-12 --image ghcr.io/owner/api:pr-12 --lives 2d"}},
      {"deploy create",
       "Deploy a folder or an archive, and switch to it once it is in place; the word create may be left out",
       with_source({service}, {{"--env", choice, "E", joined(environments, "or"), arity::optional, environments}}),
       deploy,
       {"zedctl deploy shop/web --dir ./public", "zedctl deploy shop/web --git https://example.org/shop.git --ref main",
        "zedctl deploy shop/web --archive site.tar.gz --env staging",
        "zedctl deploy shop/api --image ghcr.io/owner/api:1.4"}},
      {"deploy ls",
       "List deployments, newest first; * marks the one that is served",
       {{"SERVICE", text, "", "Only those of this service"},
        {"--status", choice, "S", "Only those that are " + joined(states, "or"), arity::optional, states}},
       ls,
       {"zedctl deploy ls shop/web", "zedctl deploy ls --status failed"}},
      {"deploy get",
       "Show a deployment: its phases, their times and results",
       {{one.flags, one.kind, one.value, one.help, arity::some}},
       get,
       {"zedctl deploy get shop/web#3"}},
      {"service stop",
       "Stop the container of a service; it stays stopped until it is started, or deployed",
       {service},
       [](session& s, const arguments& a) {
         return perform_deploy(s, "service.stop", a.one("SERVICE"), msg::pack_map(msg::stop_service{a.one("SERVICE")}));
       },
       {"zedctl service stop shop/api"}},
      {"service start",
       "Start the container of a service that was stopped",
       {service},
       [](session& s, const arguments& a) {
         return perform_deploy(s, "service.start", a.one("SERVICE"),
                               msg::pack_map(msg::start_service{a.one("SERVICE")}));
       },
       {"zedctl service start shop/api"}},
      {"deploy cancel",
       "Cancel a deployment; the previous version keeps serving, or is restored",
       {one},
       cancel,
       {"zedctl deploy cancel shop/web"}},
      {"deploy retry", "Deploy the same source again", {one}, retry, {"zedctl deploy retry shop/web#3"}},
      {"rollback",
       "Switch back to a deployment that worked, without a build",
       {service, {"--to", number, "N", "Number of the deployment; default: the one before"}},
       roll_back,
       {"zedctl rollback shop/web", "zedctl rollback shop/web --to 3"}},
      {"upload ls", "List uploads", {}, uploads, {"zedctl upload ls"}},
      {"upload rm",
       "Remove an upload that no deployment needs",
       {{"ID", text, "", "Its id", arity::one}},
       remove_upload,
       {"zedctl upload rm u4mzk2w9c8d1x7q"}},
  };
}

}  // namespace zedops::ctl
