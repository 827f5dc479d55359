#include "tools/loadgen/fill.hpp"

#include "actors/core/agent/agent_machine.hpp"
#include "actors/core/server/server_machine.hpp"
#include "messages/wire/codec.hpp"
#include "persistence/lmdb_store.hpp"
#include "tools/loadgen/sim_agent.hpp"

namespace zedops::load {
namespace {

using namespace msg;
using store::table;

constexpr size_t records_per_commit = 1'000;
constexpr uint16_t first_port = 10'000;
constexpr uint32_t ports_per_agent = 50'000;

// As the manager writes them: eight bytes, big endian.
std::string log_key(uint64_t n) {
  std::string key(8, '\0');
  for (size_t i = 8; i-- > 0; n >>= 8) key[i] = static_cast<char>(n & 0xff);
  return key;
}

class filler {
 public:
  filler(store::store& into, const fill_options& o) : options_(o), store_(into), at_(o.at) {
    if (at_ == never) at_ = std::chrono::time_point_cast<duration>(std::chrono::system_clock::now());
  }

  result<void> run() {
    if (auto n = store_.statistics().records[static_cast<size_t>(table::servers)]; n != 0)
      return fail(ec::wrong_state, "the store holds " + std::to_string(n) + " servers already", "give a new directory");
    auto w = store_.begin_write();
    if (!w) return fail(w.error());
    writer_ = std::move(*w);
    for (size_t i = 0; i < options_.agents; ++i) {
      if (auto ok = add_agent(i); !ok) return ok;
      if (i % records_per_commit == records_per_commit - 1)
        if (auto ok = turn_over(); !ok) return ok;
    }
    for (size_t i = 0; i < options_.servers; ++i) {
      if (auto ok = add_server(i); !ok) return ok;
      if (i % records_per_commit == records_per_commit - 1)
        if (auto ok = turn_over(); !ok) return ok;
    }
    return writer_->commit();
  }

 private:
  result<void> turn_over() {
    if (auto ok = writer_->commit(); !ok) return ok;
    writer_.reset();
    auto w = store_.begin_write();
    if (!w) return fail(w.error());
    writer_ = std::move(*w);
    return {};
  }

  // One decision's facts, folded into the record and written as the journal does.
  template <class Record>
  result<void> write(table where, Record& record, const std::string& id, std::vector<fact> facts) {
    log_entry e;
    e.entity = id;
    e.prev = record.log_head;
    e.first_seq = next_seq_;
    e.time = at_;
    e.facts = core::number(record, std::move(facts));
    next_seq_ += e.facts.size();
    core::apply(record, e);
    if (auto ok = writer_->append(table::log, log_key(e.first_seq), pack(e)); !ok) return ok;
    return writer_->put(where, id, pack(record));
  }

  result<void> add_agent(size_t i) {
    sim_agent simulated({options_.name_prefix + std::to_string(i), "/srv/load", {}});
    const auto h = simulated.greeting();
    agent record, a;
    a.id = h.id;
    a.name = h.name;
    a.created_at = at_;
    agents_.push_back(h.id);
    std::vector<fact> facts{
        agent_registered{a},
        agent_connected{h.hostname, h.data_path, h.software, h.engine_version, h.api_version, true, at_, {}}};
    if (options_.deleted) facts.emplace_back(agent_lost{at_});
    return write(table::agents, record, h.id.value, std::move(facts));
  }

  result<void> add_server(size_t i) {
    const auto nth = static_cast<uint32_t>(i / options_.agents);  // on its agent
    server s, record;
    s.id = server_id{id_text('s', text_hash("high/" + std::to_string(i)), text_hash("low/" + std::to_string(i)))};
    s.name = "srv-" + std::to_string(i);
    s.agent = agents_[i % options_.agents];
    s.template_name = "generic";
    s.image = "registry.example/game-server";
    s.image_tag = "stable";
    s.env = {{"SERVER_NAME", s.name}, {"MAX_PLAYERS", "32"}, {"ADMIN_PASSWORD", "correct-horse-battery"}};
    if (nth < ports_per_agent)
      for (auto proto : {protocol::tcp, protocol::udp})
        s.ports.push_back({port_role::game, proto, static_cast<uint16_t>(first_port + nth)});
    s.created_at = s.updated_at = at_;
    if (options_.deleted)
      return write(table::servers, record, s.id.value,
                   {server_created{s}, status_changed{server_status::creating, server_status::deleted, "deleted"},
                    desired_changed{desired_state::deleted}, server_deleted{at_, at_}});
    server_observed seen;
    seen.container = container_state::running;
    seen.data = data_state::present;
    seen.observed_at = at_;
    const auto half = id_text('c', text_hash(s.id.value), i);
    std::string container;
    while (container.size() < 64) container += half;
    container.resize(64);
    return write(table::servers, record, s.id.value,
                 {server_created{s}, container_bound{container, {}}, seen,
                  status_changed{server_status::creating, server_status::running, "created"}});
  }

  const fill_options& options_;
  store::store& store_;
  std::unique_ptr<store::writer> writer_;
  std::vector<agent_id> agents_;
  time_point at_{};
  uint64_t next_seq_ = 1;
};

}  // namespace

result<void> fill_store(store::store& into, const fill_options& options) {
  if (options.agents == 0) return fail(ec::bad_request, "servers need at least one agent", "--agents 1");
  return filler(into, options).run();
}

result<void> fill_store(const fill_options& options) {
  store::lmdb_options lmdb;
  lmdb.dir = options.data_dir;
  auto opened = store::open_lmdb(std::move(lmdb));
  if (!opened) return fail(opened.error());
  return fill_store(**opened, options);
}

}  // namespace zedops::load
