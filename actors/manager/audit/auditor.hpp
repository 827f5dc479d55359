// The gate's half of the audit: who asked for what, stored before the answer is sent.
#pragma once
#include <caf/all.hpp>
#include <map>

#include "actors/manager/deps.hpp"
#include "actors/manager/doors/refusal_log.hpp"
#include "messages/api/operations.hpp"

namespace zedops::manager {

class auditor final : public rt::door {
 public:
  using record = std::shared_ptr<const msg::audit_record>;

  void begin(rt::gateway_actor::pointer self, shared& world, rt::journal_actor journal);

  // The record of a request, without its outcome. That of an operation is committed with its facts, through its
  // entity's actor.
  record of(const rt::client_call& call, const std::string& target_name) const;

  // Stores the record of a request without facts of its own, then calls `then`. Many refusals of one verb to one caller
  // are only counted, whatever targets they name: made-up names cost nothing, and their records push older ones out.
  void keep(const record& asked, const std::optional<msg::error>& failure, std::function<void()> then);

  // Whether a request leaves a record: it may change something, and is no dry run.
  static bool wants(const rt::client_call& call);

  // The call's answer, whichever actor gives it, passes here: it is sent once the record is stored.
  void watch(rt::client_call& call, const std::string& target_name);
  bool reply(const rt::peer& to, rt::answer kind, std::string body) override;

  // The gate ends: nothing is stored any more, and no answer is held back.
  void close();

 private:
  struct held_answer {
    rt::peer to;
    rt::answer kind{};
    std::string body;
  };
  struct watched {
    rt::peer from;
    record asked;
  };
  rt::gateway_actor::pointer self_ = nullptr;
  shared* world_ = nullptr;
  rt::journal_actor journal_;
  refusal_log refusals_;
  std::map<std::string, watched> open_;   // by a number of ours: a client may use one number for several requests
  std::map<uint64_t, held_answer> held_;  // until their records are stored
  uint64_t last_watched_ = 0, last_held_ = 0;
  bool closed_ = false;
};

}  // namespace zedops::manager
