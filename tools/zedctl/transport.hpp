// The manager as the tool sees it: requests with replies, and the stream of events. Bodies are MessagePack maps.
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "bus/client.hpp"
#include "messages/api/views.hpp"

namespace zedops::ctl {

struct endpoints {
  std::string clients;  // URI
  std::string events;
  std::string manager_key{};  // of a manager on the network: its public key
  std::string key_file{};     // and the client's own key
};

// Some events are no longer available: what follows does not continue what came before.
struct event_gap {
  std::string reason;
  std::string after;    // cursor of the last event before the gap
  std::string through;  // cursor of the last event in it
};
using event_item = std::variant<msg::event, event_gap>;

class event_source {
 public:
  virtual ~event_source() = default;
  // The next event or gap; nothing when none came in time. After an error it may be called again and continues where
  // it was.
  virtual msg::result<std::optional<event_item>> next(std::chrono::milliseconds wait) = 0;
};

struct event_query {
  std::vector<std::string> subjects;  // prefixes of subjects; empty: everything
  std::string since;                  // cursor; empty: from now
};

class transport {
 public:
  virtual ~transport() = default;
  // Sends and returns the id of the request. agent_unreachable: no manager can be reached (now).
  virtual msg::result<std::string> post(const std::string& verb, std::string body, bus::send_options options) = 0;
  // The next reply to any request; nothing when none came in time or a signal arrived. agent_unreachable: the
  // connection broke, and no reply will come for the open requests.
  virtual msg::result<std::optional<bus::reply>> receive(std::chrono::milliseconds wait) = 0;
  virtual msg::result<std::unique_ptr<event_source>> events(const event_query& query) = 0;
};

// Over ZeroMQ. Fails at once when no manager can be reached.
msg::result<std::unique_ptr<transport>> connect_bus(const endpoints& where);

}  // namespace zedops::ctl
