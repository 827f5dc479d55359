// The audit: one record for every request that may change something, whether it was accepted or refused.
#pragma once
#include <string>

#include "messages/base/fields.hpp"
#include "messages/base/time.hpp"
#include "messages/records/principal.hpp"

namespace zedops::msg {

struct audit_record {
  uint64_t seq = 0;  // counts from 1, without holes
  time_point time{};
  std::string who;  // as authenticated: "key:ann", "uid:1000"
  authentication how = authentication::local;
  std::string from;         // "ipc", "192.0.2.7"
  std::string label;        // who the request says it is from
  std::string request;      // its id, given by the client
  std::string verb;         // "server.start"
  std::string target;       // id of the entity; empty: none, or one that does not exist
  std::string target_name;  // as the request named it
  std::string operation;    // that it opened, or that it repeats
  uint64_t before = 0;      // revision of the target; zero: it did not exist
  uint64_t after = 0;
  std::string result = "ok";  // or the code of the error
  std::string problem;        // the error's message
  // Hexadecimal BLAKE2b-256 over the chain of the record before this one and this record with an empty chain. A record
  // that is changed, removed or inserted afterwards breaks it.
  std::string chain;
  ZEDOPS_FIELDS(seq, time, who, how, from, label, request, verb, target, target_name, operation, before, after, result,
                problem, chain)
};

}  // namespace zedops::msg
