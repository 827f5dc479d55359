#include "actors/core/operation_facts.hpp"

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
                                        const operation* open, std::vector<fact> facts) {
  std::vector<numbered_fact> out;
  out.reserve(facts.size());
  operation_id current = open ? open->id : operation_id{};
  uint64_t op_seq = open ? open->seq : 0;
  const auto subject = std::string(kind) + "." + id;
  for (auto& f : facts) {
    if (const auto* op = operation_of(f)) {
      if (*op != current) {
        current = *op;
        op_seq = 0;
      }
      out.push_back({"operation." + current.value, ++op_seq, std::move(f)});
    } else {
      out.push_back({subject, ++seq, std::move(f)});
    }
  }
  return out;
}

}  // namespace zedops::core
