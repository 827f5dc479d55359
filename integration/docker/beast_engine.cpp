#include "integration/docker/beast_engine.hpp"

#include <mutex>

#include "integration/docker/engine_json.hpp"
#include "integration/docker/http/http_client.hpp"
#include "integration/docker/http/streams.hpp"
#include "integration/docker/http/tar.hpp"
#include "integration/docker/http/target.hpp"
#include "integration/docker/refusal.hpp"

namespace zedops::docker {
namespace {

// Limits of the answers' size; everything else is small.
constexpr std::size_t list_body_max = 64 * 1024 * 1024;
constexpr std::size_t inspect_body_max = 4 * 1024 * 1024;
constexpr msg::duration stream_open_max{30'000};

bool good(int status) { return status >= 200 && status < 300; }

class beast_engine final : public engine {
 public:
  beast_engine(endpoint where, std::string shown) : http_{std::move(where), std::move(shown)} {}

  void ping(call_options o, handler<std::string> done) override {
    // The unversioned /_ping is the handshake; the versioned one shows which version was agreed on.
    send("GET", "/_ping", o, [done = std::move(done)](msg::result<http_response> r) {
      if (!r) return done(msg::fail(r.error()));
      if (!good(r->status)) return done(msg::fail(refused("cannot ping the Docker Engine", *r)));
      done(to_string(r->version));
    });
  }

  void version(call_options o, handler<engine_info> done) override {
    send("GET", "/version", o, [this, o, done = std::move(done)](msg::result<http_response> r) {
      auto info = read(r, "cannot read the Engine's version", json::parse_version);
      if (!info) return done(std::move(info));
      info->spoken_version = to_string(r->version);
      // It can be slow, or hang on a plug-in, while everything else works: the Engine counts as reached all the same.
      send("GET", "/info", o, [info = std::move(*info), done](msg::result<http_response> more) {
        auto all = read(more, "cannot read the Engine's info",
                        [&](std::string_view body) { return json::parse_info(info, body); });
        done(all ? std::move(all) : msg::result<engine_info>{info});
      });
    });
  }

  void list_containers(labels labels, call_options o, handler<std::vector<container_summary>> done) override {
    auto target = docker::target{"/containers/json"}.with("all", "1");
    if (!labels.empty()) target.with("filters", json::filters(labels));
    get(target.text(), o, list_body_max, "cannot list containers", json::parse_list, std::move(done));
  }

  void inspect_container(std::string id, call_options o, handler<container_details> done) override {
    get(container(id, "/json").text(), o, inspect_body_max, "cannot inspect container " + id, json::parse_details,
        std::move(done));
  }

  void create_container(msg::container_spec spec, call_options o, handler<created_container> done) override {
    auto shared = std::make_shared<const msg::container_spec>(std::move(spec));
    http_request request = make("POST", docker::target{"/containers/create"}.with("name", shared->name).text(), o);
    http_.request(
        std::move(request),
        [this, o, shared, done = std::move(done)](msg::result<http_response> r) {
          auto made = read(r, "cannot create container " + shared->name, json::parse_created);
          if (!made || r->version >= api_multi_network || shared->networks.size() < 2) return done(std::move(made));
          connect_rest(std::move(*made), shared, 1, o, done);
        },
        [shared](api_version v) { return json::create_body(*shared, v); });
  }

  void start_container(std::string id, call_options o, handler<effect> done) override {
    act("POST", container(id, "/start"), o, "cannot start container " + id, std::move(done));
  }
  void stop_container(std::string id, msg::duration grace, call_options o, handler<effect> done) override {
    act_within("/stop", "stop", id, grace, o, std::move(done));
  }
  void unpause_container(std::string id, call_options o, handler<effect> done) override {
    act("POST", container(id, "/unpause"), o, "cannot unpause container " + id, std::move(done));
  }
  void rename_container(std::string id, std::string name, call_options o, handler<effect> done) override {
    act("POST", container(id, "/rename").with("name", name), o, "cannot rename container " + id + " to " + name,
        std::move(done));
  }

  void remove_container(std::string id, removal how, anonymous_volumes volumes, call_options o,
                        handler<effect> done) override {
    auto target = container(id, "");
    if (how == removal::force) target.with("force", "1");
    if (volumes == anonymous_volumes::remove) target.with("v", "1");
    act("DELETE", target, o, "cannot remove container " + id, [done = std::move(done)](msg::result<effect> r) {
      if (!r && r.error().code == msg::ec::not_found) return done(effect::already);
      done(std::move(r));
    });
  }

  void look_at_layer(std::string id, call_options o, handler<container_layer> done) override {
    using text_parser = msg::result<std::string> (*)(std::string_view);
    const text_parser as_text = [](std::string_view body) -> msg::result<std::string> { return std::string(body); };
    get(container(id, "/changes").text(), o, list_body_max, "cannot list the changed files of container " + id, as_text,
        handler<std::string>([this, id, o, as_text, done = std::move(done)](msg::result<std::string> changes) mutable {
          if (!changes) return done(msg::fail(std::move(changes.error())));
          get(container(id, "/json").with("size", "1").text(), o, inspect_body_max, "cannot measure container " + id,
              as_text,
              handler<std::string>(
                  [changes = std::move(*changes), done = std::move(done)](msg::result<std::string> seen) {
                    if (!seen) return done(msg::fail(std::move(seen.error())));
                    done(json::parse_layer(changes, *seen));
                  }));
        }));
  }

  void container_stats_once(std::string id, call_options o, handler<container_stats> done) override {
    get(container(id, "/stats").with("stream", "0").with("one-shot", "1").text(), o, inspect_body_max,
        "cannot read the statistics of container " + id, json::parse_stats, std::move(done));
  }

  void inspect_image(std::string reference, call_options o, handler<image_info> done) override {
    get(docker::target{"/images/"}.image(reference).raw("/json").text(), o, inspect_body_max,
        "cannot inspect image " + reference, json::parse_image, std::move(done));
  }

  subscription pull_image(std::string reference, pull_options o, progress_handler on_progress,
                          handler<std::string> done) override;

  subscription build_image(build_options o, line_handler on_line, handler<std::string> done) override;

  void tag_image(std::string image, std::string repository, std::string tag, call_options o,
                 handler<effect> done) override {
    auto target = docker::target{"/images/"}.image(image).raw("/tag").with("repo", repository).with("tag", tag);
    act("POST", target, o, "cannot name image " + image, std::move(done));
  }
  void remove_image(std::string reference, call_options o, handler<effect> done) override {
    act("DELETE", docker::target{"/images/"}.image(reference), o, "cannot remove image " + reference,
        [done = std::move(done)](msg::result<effect> r) {
          if (!r && r.error().code == msg::ec::not_found) return done(effect::already);
          if (!r && r.error().code == msg::ec::wrong_state) r.error().code = msg::ec::busy;
          done(std::move(r));
        });
  }

  void read_file(std::string id, std::string path, call_options o, handler<std::string> done) override {
    auto request = make("GET", container(id, "/archive").with("path", path).text(), o);
    request.body_max = 2 * file_bytes_max;
    http_.request(std::move(request), [id, path, done = std::move(done)](msg::result<http_response> r) {
      auto file =
          read(r, "cannot read " + path + " of container " + id, [](std::string_view body) -> msg::result<std::string> {
            auto text = first_file_of_tar(body);
            if (!text) return msg::fail(msg::ec::not_found, "it is not a regular file", "check the image");
            return std::move(*text);
          });
      done(std::move(file));
    });
  }

  void remove_volume(std::string name, call_options o, handler<effect> done) override {
    act("DELETE", docker::target{"/volumes/"}.path(name), o, "cannot remove volume " + name,
        [done = std::move(done)](msg::result<effect> r) {
          if (!r && r.error().code == msg::ec::not_found) return done(effect::already);
          done(std::move(r));
        });
  }

  void list_volumes(labels labels, call_options o, handler<std::vector<volume_info>> done) override {
    auto target = docker::target{"/volumes"};
    if (!labels.empty()) target.with("filters", json::filters(labels));
    get(target.text(), o, list_body_max, "cannot list volumes", json::parse_volumes, std::move(done));
  }

  void inspect_volume(std::string name, call_options o, handler<volume_info> done) override {
    get(docker::target{"/volumes/"}.path(name).text(), o, inspect_body_max, "cannot inspect volume " + name,
        json::parse_volume, std::move(done));
  }

  void inspect_network(std::string name, call_options o, handler<network_info> done) override {
    handler<network_info> named = [name, done = std::move(done)](msg::result<network_info> found) {
      if (found && found->name != name)  // the Engine accepts the beginning of an id as well
        return done(msg::fail(msg::ec::not_found, "there is no network named " + name, "create it, or name another"));
      done(std::move(found));
    };
    get(docker::target{"/networks/"}.path(name).text(), o, inspect_body_max, "cannot inspect network " + name,
        json::parse_network, std::move(named));
  }

  void create_network(std::string name, labels labels, call_options o, handler<std::string> done) override {
    auto request = make("POST", "/networks/create", o);
    request.body = json::network_body(name, labels);
    http_.request(std::move(request), [name, done = std::move(done)](msg::result<http_response> r) {
      auto id = read(r, "cannot create network " + name, json::parse_id);
      // The one conflict without its own shape: a network's name is taken.
      if (!id && r && r->status == 409)
        return done(msg::fail(msg::ec::already_exists, id.error().message,
                              "use the network that exists already, or choose another name"));
      done(std::move(id));
    });
  }

  void connect_network(std::string network, std::string id, call_options o, handler<effect> done) override {
    auto request = make("POST", docker::target{"/networks/"}.path(network).raw("/connect").text(), o);
    request.body = json::connect_body(id);
    http_.request(std::move(request), [id, network, done = std::move(done)](msg::result<http_response> r) {
      if (!r) return done(msg::fail(r.error()));
      if (good(r->status)) return done(effect::done);
      if (json::refusal_text(r->body).find("already exists in network") != std::string::npos)
        return done(effect::already);
      done(msg::fail(refused("cannot connect container " + id + " to network " + network, *r)));
    });
  }

  subscription logs(std::string id, log_options o, line_handler on_line, end_handler on_end) override;
  subscription events(event_options o, event_handler on_event, end_handler on_end) override;

 private:
  using answer = std::function<void(msg::result<http_response>)>;

  static target container(const std::string& id, const char* verb) {
    return docker::target{"/containers/"}.path(id).raw(verb);
  }
  static http_request make(const char* method, std::string target, call_options o) {
    http_request r;
    r.method = method;
    r.target = std::move(target);
    r.deadline = o.deadline;
    return r;
  }
  void send(const char* method, std::string target, call_options o, answer done) {
    http_.request(make(method, std::move(target), o), std::move(done));
  }

  static msg::error refused(const std::string& what, const http_response& r) {
    return refusal(what, r.status, json::refusal_text(r.body));
  }
  template <class Parse>
  static auto read(const msg::result<http_response>& r, const std::string& what, Parse&& parse)
      -> decltype(parse(std::string_view{})) {
    if (!r) return msg::fail(r.error());
    if (!good(r->status)) return msg::fail(refused(what, *r));
    return parse(std::string_view{r->body});
  }
  template <class T>
  void get(std::string target, call_options o, std::size_t body_max, std::string what,
           msg::result<T> (*parse)(std::string_view), handler<T> done) {
    auto request = make("GET", std::move(target), o);
    request.body_max = body_max;
    http_.request(std::move(request), [what = std::move(what), parse, done = std::move(done)](
                                          msg::result<http_response> r) { done(read(r, what, parse)); });
  }

  void act(const char* method, const docker::target& target, call_options o, std::string what, handler<effect> done) {
    send(method, target.text(), o, [what = std::move(what), done = std::move(done)](msg::result<http_response> r) {
      if (!r) return done(msg::fail(r.error()));
      if (r->status == 304) return done(effect::already);
      if (!good(r->status)) return done(msg::fail(refused(what, *r)));
      done(effect::done);
    });
  }
  void act_within(const char* path, const std::string& verb, const std::string& id, msg::duration grace, call_options o,
                  handler<effect> done) {
    auto seconds = std::chrono::ceil<std::chrono::seconds>(grace);
    o.deadline += seconds;
    act("POST", container(id, path).with("t", std::to_string(seconds.count())), o,
        "cannot " + verb + " container " + id, std::move(done));
  }

  void connect_rest(created_container made, std::shared_ptr<const msg::container_spec> spec, std::size_t index,
                    call_options o, handler<created_container> done) {
    if (index == spec->networks.size()) return done(std::move(made));
    auto id = made.id;
    connect_network(spec->networks[index], id, o,
                    [this, made = std::move(made), spec, index, o, done = std::move(done)](msg::result<effect> r) {
                      if (r) return connect_rest(made, spec, index + 1, o, done);
                      remove_container(made.id, removal::force, anonymous_volumes::remove, o,
                                       [done, why = r.error()](const msg::result<effect>&) { done(msg::fail(why)); });
                    });
  }

  http_client http_;
};

subscription beast_engine::pull_image(std::string reference, pull_options o, progress_handler on_progress,
                                      handler<std::string> done) {
  auto request = make("POST", pull_target(reference).text(), {o.deadline});
  request.idle = o.idle;
  request.total = o.deadline;
  struct state {
    line_splitter lines{json_line_max, line_splitter::overflow::refuse};
    pull_progress progress;
  };
  auto s = std::make_shared<state>();
  auto on_line = [s, on_progress = std::move(on_progress)](std::string_view line) {
    if (s->progress.feed(line) == pull_progress::news::progress && on_progress) on_progress(s->progress.state());
  };
  return subscription{http_.stream(
      std::move(request), {{},
                           [s, on_line](std::string_view bytes) { return s->lines.feed(bytes, on_line); },
                           [s, on_line, reference, done = std::move(done)](msg::result<http_response> r) {
                             if (r && !good(r->status))
                               return done(msg::fail(pull_refusal(reference, r->status, json::refusal_text(r->body))));
                             s->lines.finish(on_line);
                             if (!s->progress.failure().empty())
                               return done(msg::fail(pull_refusal(reference, 200, s->progress.failure())));
                             if (!r && r.error().code != msg::ec::engine_error) return done(msg::fail(r.error()));
                             if (!r)
                               return done(msg::fail(msg::ec::pull_failed,
                                                     "cannot pull " + reference + ": " + r.error().message,
                                                     r.error().hint));
                             done(s->progress.state().status);
                           }})};
}

subscription beast_engine::build_image(build_options o, line_handler on_line, handler<std::string> done) {
  auto target = docker::target{"/build"}
                    .with("t", o.tag)
                    .with("dockerfile", o.dockerfile)
                    .with("labels", json::object(o.labels))
                    .with("rm", "1")
                    .with("forcerm", "1");
  auto request = make("POST", target.text(), {o.deadline});
  request.total = o.deadline;
  request.body_file = std::move(o.context);
  struct state {
    line_splitter lines{json_line_max, line_splitter::overflow::refuse};
    build_output output;
    explicit state(line_handler f) : output(std::move(f)) {}
  };
  auto s = std::make_shared<state>(std::move(on_line));
  auto feed = [s](std::string_view line) {
    if (!line.empty()) s->output.feed(line);
  };
  return subscription{http_.stream(
      std::move(request), {{},
                           [s, feed](std::string_view bytes) { return s->lines.feed(bytes, feed); },
                           [s, feed, tag = o.tag, done = std::move(done)](msg::result<http_response> r) {
                             if (!r) return done(msg::fail(r.error()));
                             if (!good(r->status)) return done(msg::fail(refused("cannot build " + tag, *r)));
                             s->lines.finish(feed);
                             s->output.finish();
                             if (!s->output.failure().empty())
                               return done(msg::fail(msg::ec::bad_request, "the build failed: " + s->output.failure(),
                                                     "its last lines say why"));
                             if (s->output.image().empty())
                               return done(msg::fail(msg::ec::engine_error,
                                                     "the Docker Engine ended the build without an image",
                                                     "deploy again; the log of dockerd on that host says more"));
                             done(s->output.image());
                           }})};
}

subscription beast_engine::logs(std::string id, log_options o, line_handler on_line, end_handler on_end) {
  auto target = container(id, "/logs").with("stdout", "1").with("stderr", "1");
  if (o.tail > 0) target.with("tail", std::to_string(o.tail));
  if (o.follow) target.with("follow", "1");
  if (o.timestamps) target.with("timestamps", "1");
  if (o.since_ns > 0) target.with("since", seconds_text(std::chrono::nanoseconds{o.since_ns}));
  // The cancel of a stream that is still to be opened; cancel comes from any thread.
  struct shared {
    std::mutex lock;
    bool cancelled = false;
    std::function<void()> stop;
  };
  auto s = std::make_shared<shared>();
  // Whether the log has frames depends on the container (Tty), which older API versions do not repeat in the answer.
  inspect_container(
      id, {},
      [this, s, id, request = make("GET", target.text(), {stream_open_max}), on_line = std::move(on_line),
       on_end = std::move(on_end)](auto seen) {
        if (!seen) return on_end(msg::fail(seen.error()));
        auto reader =
            std::make_shared<log_reader>(seen->tty ? log_reader::format::raw : log_reader::format::frames, on_line);
        std::unique_lock guard{s->lock};
        if (s->cancelled) {
          guard.unlock();
          return on_end(msg::fail(msg::ec::cancelled, "cancelled: logs of container " + id));
        }
        s->stop = http_.stream(request, {{},
                                         [reader](std::string_view bytes) { return reader->feed(bytes); },
                                         [reader, id, on_end](msg::result<http_response> r) {
                                           reader->finish();
                                           if (!r) return on_end(msg::fail(r.error()));
                                           if (good(r->status)) return on_end({});
                                           on_end(msg::fail(refused("cannot read the logs of container " + id, *r)));
                                         }});
      });
  return subscription{[s] {
    std::unique_lock guard{s->lock};
    s->cancelled = true;
    auto stop = std::move(s->stop);
    guard.unlock();
    if (stop) stop();
  }};
}

subscription beast_engine::events(event_options o, event_handler on_event, end_handler on_end) {
  auto target = docker::target{"/events"};
  if (!o.labels.empty() || !o.types.empty()) target.with("filters", json::filters(o.labels, o.types));
  if (o.since_ns > 0) target.with("since", seconds_text(std::chrono::nanoseconds{o.since_ns}));
  auto lines = std::make_shared<line_splitter>(json_line_max, line_splitter::overflow::refuse);
  auto intact = std::make_shared<bool>(true);
  auto on_line = [intact, on_event = std::move(on_event)](std::string_view line) {
    if (line.empty() || !*intact) return;
    auto e = json::parse_event(line);
    if (!e) return void(*intact = false);
    on_event(*e);
  };
  return subscription{
      http_.stream(make("GET", target.text(), {stream_open_max}),
                   {std::move(o.on_open),
                    [lines, intact, on_line](std::string_view bytes) { return lines->feed(bytes, on_line) && *intact; },
                    [on_end = std::move(on_end)](msg::result<http_response> r) {
                      if (!r) return on_end(msg::fail(r.error()));
                      if (!good(r->status)) return on_end(msg::fail(refused("cannot watch the Engine's events", *r)));
                      on_end(msg::fail(msg::ec::engine_error, "the Docker Engine ended its event stream",
                                       "reconnect and list the containers again"));
                    }})};
}

}  // namespace

msg::result<std::unique_ptr<engine>> make_engine(const std::string& docker_host) {
  auto where = parse_endpoint(docker_host);
  if (!where) return msg::fail(where.error());
  return std::make_unique<beast_engine>(std::move(*where), docker_host);
}

}  // namespace zedops::docker
