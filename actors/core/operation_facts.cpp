#include "actors/core/operation_facts.hpp"

#include <map>

#include "actors/core/overload.hpp"

namespace zedops::core {

using namespace msg;

const operation_id* operation_of(const fact& f) {
  return std::visit(overload{
                        [](const operation_accepted& x) { return &x.op->id; },
                        [](const operation_refused& x) { return &x.op->id; },
                        [](const operation_progressed& x) { return &x.id; },
                        [](const operation_ended& x) { return &x.id; },
                        [](const auto&) { return static_cast<const operation_id*>(nullptr); },
                    },
                    f);
}

std::vector<numbered_fact> number_facts(std::string_view kind, const std::string& id, uint64_t seq,
                                        const operation* open, std::vector<fact> facts, const operation* waiting) {
  std::vector<numbered_fact> out;
  out.reserve(facts.size());
  std::map<std::string, uint64_t> op_seq;
  for (const auto* op : {open, waiting})
    if (op) op_seq[op->id.value] = op->seq;
  const auto subject = std::string(kind) + "." + id;
  for (auto& f : facts) {
    if (const auto* op = operation_of(f)) {
      const auto n = ++op_seq[op->value];
      out.push_back({"operation." + op->value, n, std::move(f)});
    } else {
      out.push_back({subject, ++seq, std::move(f)});
    }
  }
  return out;
}

}  // namespace zedops::core
