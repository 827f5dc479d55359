// Clients of the manager: what they were answered, by request id.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "actors/runtime/ports.hpp"
#include "messages/wire/codec.hpp"

namespace zedops::sim {

struct reply {
  rt::answer kind = rt::answer::result;
  std::string body;
};
constexpr bool is_final(rt::answer a) { return a == rt::answer::result || a == rt::answer::error; }

class client_door final : public rt::door {
 public:
  bool reply(const rt::peer& to, rt::answer kind, std::string body) override {
    if (!up) return false;
    if (to.connection.starts_with("gone")) return false;
    auto& r = requests[to.request];
    if (r.final) doubles.push_back(to.request);
    if (kind == rt::answer::accepted || kind == rt::answer::result) answers.emplace_back(to.request, body);
    r.replies.push_back({kind, std::move(body)});
    if (is_final(kind)) r.final = r.replies.size() - 1;
    return true;
  }
  struct request {
    std::string verb;
    uint64_t incarnation = 0;  // of the manager that was asked
    msg::duration asked{};
    std::vector<sim::reply> replies;
    std::optional<size_t> final;
    bool waits = false;  // for the end of an operation
    bool dry_run = false;
  };

  bool up = false;
  std::map<std::string, request> requests;
  std::vector<std::pair<std::string, std::string>> answers;  // accepted ones: request and body
  std::vector<std::string> doubles;                          // answered again after the final answer
};

class event_board final : public rt::event_port {
 public:
  struct item {
    std::string topic;
    uint64_t seq = 0;
    std::string body;
  };
  bool publish(rt::public_event e) override {
    if (!up) return false;
    items.push_back({std::move(e.topic), e.seq, std::move(e.body)});
    return true;
  }
  // Both ways out of the hub are used: the choice must not make a difference.
  bool watched() const override { return items.size() % 2 == 0; }
  bool publish_if_watched(uint64_t, size_t, std::function<std::vector<rt::public_event>()> make) override {
    bool taken = up;
    for (auto& e : make()) taken = publish(std::move(e)) && taken;
    return taken;
  }
  bool up = false;
  std::vector<item> items;
};

}  // namespace zedops::sim
