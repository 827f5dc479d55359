// The Docker Engine as a port: asynchronous, without a trace of HTTP or JSON.
//
// Every call returns at once; its handler runs exactly once on the adapter's own thread and must not block (hand the
// result on). Handlers still open when the engine is destroyed are called with `cancelled`.
//
// Errors of every call:
//   engine_error   no Engine there, connection lost, answer not understood, or any refusal without a code of its own;
//                  what the Engine said is in the message verbatim, with the HTTP status
//   timeout        no complete answer within the deadline (what the Engine is doing goes on: watch its events)
//   busy           too many requests in flight, or the Engine works on that container already
//   not_found, already_exists (a name is taken; the message names the holder), wrong_state, bad_request, port_conflict
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "messages/base/error.hpp"
#include "messages/base/time.hpp"
#include "messages/records/container.hpp"
#include "messages/records/spec.hpp"

namespace zedops::docker {

template <class T>
using handler = std::function<void(msg::result<T>)>;

inline constexpr size_t file_bytes_max = 1 << 20;  // of what read_file reads

using labels = std::map<std::string, std::string>;

struct call_options {
  msg::duration deadline{30'000};  // connecting and negotiating included
};

enum class effect { done, already };  // `already`: nothing had to change
enum class removal { stopped_only, force };
enum class anonymous_volumes { keep, remove };
enum class output : uint8_t { out, err };

struct engine_info {
  std::string engine_version;   // "20.10.24"
  std::string api_version;      // newest the Engine speaks
  std::string min_api_version;  // oldest it accepts
  std::string spoken_version;   // what we speak with it
  std::string id;               // of this Engine; empty if it gave none, as are the next three
  std::string data_root;        // "/var/lib/docker"
  std::string os;               // "Debian GNU/Linux 12 (bookworm)"
  std::string hostname;
  std::string architecture;  // of its machine, in Docker's words: "amd64"
};

struct created_container {
  std::string id;
  std::vector<std::string> warnings;
};

// A line of the list: enough to find containers and ports; inspect for the rest.
struct container_summary {
  std::string id;
  std::string name;
  std::string image;
  msg::container_state state = msg::container_state::created;
  docker::labels labels;
  std::vector<msg::port_binding> ports;  // published ones of running containers, one row per address family
};

struct container_details {
  msg::container_view view;
  std::string image_id;
  bool tty = false;
  std::map<std::string, std::string> env;  // the image's included
  std::vector<msg::port_binding> ports;    // as asked for at create
  std::vector<msg::mount> mounts;          // bind mounts
  std::vector<msg::mount> volumes;         // named and anonymous ones, by their place on the host
  std::vector<std::string> volume_names;   // of `volumes`, in their order
  std::vector<std::string> entrypoint;     // in force, maybe the image's; so are the next two
  std::vector<std::string> command;
  std::string user;
  bool auto_remove = false;                 // the Engine removes it, with its anonymous volumes, once it has ended
  std::vector<std::string> plugin_volumes;  // volumes whose data another driver than the Engine's own holds
  std::vector<std::string> unusual;  // "privileged", "devices", "host network": what our own containers never have
  std::vector<std::string> networks;
  msg::server_spec spec;  // in force, maybe the image's; without ports, mounts, labels and the four above
  std::map<std::string, std::string>
      addresses;  // network -> the container's address there, while it runs; IPv6 if it has no other
};

struct image_info {
  std::string id;                  // sha256:…
  std::vector<std::string> names;  // repository:tag
  docker::labels labels;
  std::map<std::string, std::string> env;
  std::vector<std::string> entrypoint;
  std::vector<std::string> command;
  std::string user;
  std::vector<std::string> volumes;  // paths that it declares
  std::string working_dir;
  std::string stop_signal;
  std::optional<msg::healthcheck> health;
  std::string architecture;  // "amd64"; empty: it does not say
  uint64_t bytes = 0;
};

// What a container has written outside of its mounts: lost with the container.
struct container_layer {
  uint64_t bytes = 0;
  std::vector<std::string> files;  // made or changed; folders that only contain such are left out
};

struct volume_info {
  std::string name;
  std::string driver;                          // "local"; else a plugin's
  std::map<std::string, std::string> options;  // of the driver: what is mounted there while a container uses it
  docker::labels labels;
};

struct network_info {
  std::string id;
  std::string name;
  docker::labels labels;
};

struct container_stats {
  uint64_t cpu_total_ns = 0;  // of all its cores since start: subtract two samples
  uint64_t memory_bytes = 0;  // without the page cache
  uint64_t memory_max = 0;    // the limit in force; the host's memory when none was set
  uint64_t received_bytes = 0;
  uint64_t sent_bytes = 0;
  uint64_t read_bytes = 0;  // of block devices
  uint64_t written_bytes = 0;
};

struct pull_state {
  double fraction = 0;  // 0..1, never falls
  uint64_t done_bytes = 0;
  uint64_t total_bytes = 0;  // of the layers known so far
  std::string status;        // "Downloading"
};

struct pull_options {
  msg::duration deadline{30 * 60'000};
  msg::duration idle{120'000};  // silence of the Engine for this long ends the pull with `timeout`
};

struct build_options {
  std::string context;     // a tar archive on this host
  std::string dockerfile;  // in it
  std::string tag;         // "zedops/shop-web:3"
  docker::labels labels;   // of the image
  msg::duration deadline{24 * 3'600'000};
};

struct log_options {
  uint32_t tail = 0;  // number of last lines to begin with; zero: all
  bool follow = false;
  bool timestamps = false;  // each line begins with its time, RFC 3339 with nine digits, and a blank
  int64_t since_ns = 0;     // zero: from the beginning; else lines of then and later
};

struct event_options {
  docker::labels labels{};           // only of containers that carry all of them; an empty value matches any
  std::vector<std::string> types{};  // e.g. "container"; empty: all
  int64_t since_ns = 0;              // time_ns of the last event seen; zero: from now on
  std::function<void()> on_open{};   // the stream is open: every later event arrives, so list now (may be empty)
};

struct event {
  std::string type;    // "container"
  std::string action;  // "die", "start", "health_status: healthy"
  std::string id;
  std::map<std::string, std::string> attributes;  // name, image, exitCode, and the labels
  int64_t time_ns = 0;
};

using progress_handler = std::function<void(const pull_state&)>;
using line_handler = std::function<void(output, std::string_view line)>;
using event_handler = std::function<void(const event&)>;
// How a stream ended; exactly once, also after cancel (`cancelled`).
using end_handler = std::function<void(msg::result<void>)>;

// A stream in progress. Destruction cancels it; a callback already running on the adapter's thread may still finish.
class [[nodiscard]] subscription {
 public:
  subscription() = default;
  explicit subscription(std::function<void()> cancel) : cancel_{std::move(cancel)} {}
  subscription(subscription&& other) noexcept : cancel_{std::exchange(other.cancel_, nullptr)} {}
  subscription& operator=(subscription&& other) noexcept {
    if (this != &other) {
      cancel();
      cancel_ = std::exchange(other.cancel_, nullptr);
    }
    return *this;
  }
  ~subscription() { cancel(); }
  void cancel() {
    if (auto f = std::exchange(cancel_, nullptr)) f();
  }

 private:
  std::function<void()> cancel_;
};

class engine {
 public:
  virtual ~engine() = default;

  // Liveness; the value is the API version spoken. An idle event stream cannot show a hung daemon: this can.
  virtual void ping(call_options, handler<std::string>) = 0;
  virtual void version(call_options, handler<engine_info>) = 0;

  // Containers in every state that carry all labels; an empty value matches any.
  virtual void list_containers(labels, call_options, handler<std::vector<container_summary>>) = 0;
  virtual void inspect_container(std::string id_or_name, call_options, handler<container_details>) = 0;
  // Networks beyond the first are connected before the handler runs; when that fails the container is removed again.
  // (Engine 20.10 notices an absent network only at start: `not_found` there.)
  virtual void create_container(msg::container_spec, call_options, handler<created_container>) = 0;
  virtual void start_container(std::string id_or_name, call_options, handler<effect>) = 0;
  // `grace`: between the stop signal and SIGKILL; the deadline counts from its end.
  virtual void stop_container(std::string id_or_name, msg::duration grace, call_options, handler<effect>) = 0;
  virtual void unpause_container(std::string id_or_name, call_options, handler<effect>) = 0;
  virtual void rename_container(std::string id_or_name, std::string new_name, call_options, handler<effect>) = 0;
  // An absent container is `already`; one that is being removed by somebody else is `busy`.
  virtual void remove_container(std::string id_or_name, removal, anonymous_volumes, call_options, handler<effect>) = 0;
  // One regular file of it, file_bytes_max at most; also while it does not run. Links are not followed.
  virtual void read_file(std::string id_or_name, std::string path, call_options, handler<std::string>) = 0;
  // Walks the container's whole layer: takes seconds for a large one.
  virtual void look_at_layer(std::string id_or_name, call_options, handler<container_layer>) = 0;
  virtual void container_stats_once(std::string id_or_name, call_options, handler<container_stats>) = 0;

  virtual void inspect_image(std::string reference, call_options, handler<image_info>) = 0;
  // A reference without tag means :latest. Failures are `pull_failed`, also those in mid-stream; the value is the
  // Engine's closing status. Progress is reported when the whole percentage or the status changes.
  virtual subscription pull_image(std::string reference, pull_options, progress_handler, handler<std::string>) = 0;

  // Succeeds with the image's id. Lines are what the build writes. When cancelled, the Engine ends the build. Errors
  // beside the common ones: bad_request (a step failed; the message is what the Engine reports about it).
  virtual subscription build_image(build_options, line_handler, handler<std::string> done) = 0;
  virtual void tag_image(std::string image, std::string repository, std::string tag, call_options, handler<effect>) = 0;
  // A name of an image, and the image with its last name; `already`: there is none; busy: a container uses it.
  virtual void remove_image(std::string reference, call_options, handler<effect>) = 0;

  // `already`: there is none; busy: a container uses it.
  virtual void remove_volume(std::string name, call_options, handler<effect>) = 0;
  // Volumes that carry all labels.
  virtual void list_volumes(labels, call_options, handler<std::vector<volume_info>>) = 0;
  virtual void inspect_volume(std::string name, call_options, handler<volume_info>) = 0;
  virtual void inspect_network(std::string id_or_name, call_options, handler<network_info>) = 0;
  virtual void create_network(std::string name, labels, call_options, handler<std::string>) = 0;  // id
  virtual void connect_network(std::string network, std::string container, call_options, handler<effect>) = 0;

  // Lines come without their newline; longer ones than line_max arrive in pieces.
  virtual subscription logs(std::string id_or_name, log_options, line_handler, end_handler) = 0;
  // Never ends without an error: every end means "list again after reconnecting". A replay with since_ns is incomplete.
  virtual subscription events(event_options, event_handler, end_handler) = 0;
};

}  // namespace zedops::docker
