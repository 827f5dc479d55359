// THE table of operations and reads: client verbs, REST routes, buttons, docs and the guard of the server machine all
// follow from it. A new server operation is a struct in requests.hpp, a row here, and the overload of core::decide that
// the compiler then demands (docs/recipes/add-an-operation.md).
#pragma once
#include <array>
#include <span>
#include <string>
#include <string_view>

#include "messages/requests.hpp"

namespace zedops::msg {

ZEDOPS_ENUM(danger, none, interrupts, destroys)
// What becomes of a request whose agent is not there: refused, or accepted and kept until it is back. resume: refused,
// but one that was at work when its agent went goes on when it is back.
ZEDOPS_ENUM(offline_rule, refuse, keep, irrelevant, resume)

constexpr bool needs_agent(offline_rule r) { return r == offline_rule::refuse || r == offline_rule::resume; }

using status_set = uint16_t;
constexpr status_set in(std::initializer_list<server_status> list) {
  status_set out = 0;
  for (auto s : list) out |= static_cast<status_set>(1u << static_cast<unsigned>(s));
  return out;
}
constexpr bool contains(status_set set, server_status s) { return (set >> static_cast<unsigned>(s)) & 1; }

struct operation_row {
  op_kind kind;
  std::string_view verb;  // on the wire and, after "server.", in zedctl and REST
  status_set allowed;     // states that permit it
  danger risk;
  offline_rule offline;
  duration time_max;      // default deadline
  std::string_view done;  // "Started"
  std::string_view help;
};

inline constexpr std::array operation_table = [] {
  using enum server_status;
  using namespace std::chrono_literals;
  constexpr auto settled = in({running, stopped, missing, failed});
  return std::array{
      operation_row{op_kind::create, "create", 0, danger::none, offline_rule::refuse, 600s, "Created",
                    "Make a server and start it"},
      operation_row{op_kind::start, "start", in({stopped, missing, failed}), danger::none, offline_rule::refuse, 600s,
                    "Started", "Start it; a missing container is made again from the record"},
      operation_row{op_kind::stop, "stop", in({running}), danger::interrupts, offline_rule::keep, 120s, "Stopped",
                    "Save and stop it"},
      operation_row{op_kind::restart, "restart", in({running}), danger::interrupts, offline_rule::refuse, 180s,
                    "Restarted", "Save, stop and start the same container"},
      operation_row{op_kind::rebuild, "rebuild", settled, danger::interrupts, offline_rule::refuse, 900s, "Rebuilt",
                    "Pull the image and replace the container; a failure puts the old one back"},
      operation_row{op_kind::recreate, "recreate", settled, danger::interrupts, offline_rule::refuse, 600s, "Recreated",
                    "Replace the container without pulling an image that is there"},
      operation_row{op_kind::edit, "edit", settled, danger::none, offline_rule::irrelevant, 10s, "Changed",
                    "Change environment, image or recovery; applied by rebuild or recreate"},
      operation_row{op_kind::remove, "rm", settled, danger::interrupts, offline_rule::keep, 180s, "Deleted",
                    "Soft delete: container away; data, name and ports stay until purge"},
      operation_row{op_kind::restore, "restore", in({deleted}), danger::none, offline_rule::keep, 600s, "Restored",
                    "Undo a soft delete and bring the server back"},
      operation_row{op_kind::purge, "purge", in({running, stopped, missing, failed, deleted, deleting}),
                    danger::destroys, offline_rule::keep, 600s, "Purged",
                    "Forget the server for good; ports and name become free"},
      operation_row{op_kind::move, "move", settled, danger::interrupts, offline_rule::resume, 6h, "Moved",
                    "Move its data to another folder on its host; a failure puts everything back"},
      operation_row{op_kind::adopt, "adopt", 0, danger::interrupts, offline_rule::resume, 6h, "Adopted",
                    "Take over a container that was made by hand; a failure puts everything back"},
  };
}();

constexpr const operation_row& row_of(op_kind kind) { return operation_table[static_cast<size_t>(kind)]; }

static_assert(
    [] {
      if (operation_table.size() != enum_names<op_kind>::list.size()) return false;
      if (operation_table.size() != std::variant_size_v<server_request>) return false;
      for (size_t i = 0; i < operation_table.size(); ++i)
        if (static_cast<size_t>(operation_table[i].kind) != i) return false;
      return true;
    }(),
    "one row per kind of operation, one request struct per row, in the same order");

// "stopped, missing or failed"
std::string states_text(status_set set);
// Verbs that a state permits.
std::vector<std::string> verbs_allowed(server_status s);

struct read_row {
  std::string_view verb;
  std::string_view help;
};
inline constexpr std::array read_table = {
    read_row{"server.ls", "List servers, page by page"},
    read_row{"server.get", "One server"},
    read_row{"server.history", "What happened to a server, newest first"},
    read_row{"server.explain", "Why a server is in its state, and what happens next"},
    read_row{"server.logs", "The last lines its container wrote"},
    read_row{"server.check-data", "Look at the data on disk, with sizes if asked"},
    read_row{"server.check-layer", "What its container has written outside of its folders, lost at the next rebuild"},
    read_row{"server.sync", "Compare records with what the agents see, now"},
    read_row{"agent.ls", "List agents"},
    read_row{"agent.get", "One agent"},
    read_row{"agent.rm", "Forget an agent that has no servers"},
    read_row{"agent.forget", "Give up an agent whose host is lost, and its servers with it"},
    read_row{"agent.recover", "Let the servers of an agent recover by themselves although most were gone at once"},
    read_row{"port.check", "Which of these ports are taken, and by whom"},
    read_row{"port.suggest", "Free ports for a new server"},
    read_row{"op.ls", "List operations, newest first"},
    read_row{"op.get", "One operation"},
    read_row{"op.wait", "Follow an operation to its end"},
    read_row{"op.cancel", "Cancel an operation that still waits for its agent"},
    read_row{"event.replay", "Stored events after a cursor"},
    read_row{"status", "The manager itself"},
};

}  // namespace zedops::msg
