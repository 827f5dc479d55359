#include "tools/loadgen/pipeline.hpp"

#include <algorithm>
#include <thread>
#include <unordered_map>

#include "messages/wire/codec.hpp"

namespace zedops::load {
namespace {

using clock = std::chrono::steady_clock;
using msg::result;
using namespace std::chrono_literals;

constexpr auto answer_max = 30s;

class one_client {
 public:
  one_client(const pipeline_options& o, size_t index) : options_(o), index_(index) {}

  result<void> run(clock::time_point until) {
    auto c = bus::client::connect(options_.clients_uri);
    if (!c) return msg::fail(c.error());
    const size_t window = std::max<size_t>(1, options_.in_flight / options_.clients);
    const uint64_t mine = options_.requests_max == 0
                              ? UINT64_MAX
                              : (options_.requests_max + options_.clients - 1 - index_) / options_.clients;
    uint64_t sent = 0;
    while (!open_.empty() || (sent < mine && clock::now() < until)) {
      while (open_.size() < window && sent < mine && clock::now() < until) {
        auto p = options_.next(index_, sent++);
        const auto start = clock::now();
        auto id = c->post(p.verb, std::move(p.body), {{}, answer_max, std::move(p.options)});
        if (!id) return msg::fail(id.error());
        open_.emplace(std::move(*id), start);
      }
      if (open_.empty()) break;
      auto r = c->receive(answer_max);
      if (!r) return msg::fail(r.error());
      if (!*r) return msg::fail(msg::ec::timeout, "no answer for half a minute", "check the manager's log");
      if (bus::is_final((*r)->kind)) settle(**r);
    }
    return {};
  }
  pipeline_result out;

 private:
  void settle(const bus::reply& r) {
    auto i = open_.find(r.request_id);
    if (i == open_.end()) return;
    out.latency_us.push_back(std::chrono::duration<double, std::micro>(clock::now() - i->second).count());
    open_.erase(i);
    ++out.answered;
    if (r.kind != bus::reply_kind::error) return;
    ++out.refused;
    if (auto e = msg::unpack_map<msg::error>(r.body); e && out.first_refusal.empty()) out.first_refusal = e->message;
  }

  const pipeline_options& options_;
  const size_t index_;
  std::unordered_map<std::string, clock::time_point> open_;
};

}  // namespace

result<pipeline_result> run_pipeline(const pipeline_options& options) {
  std::vector<one_client> clients;
  for (size_t i = 0; i < options.clients; ++i) clients.emplace_back(options, i);
  std::vector<result<void>> ends(options.clients);
  std::vector<std::thread> threads;
  const auto start = clock::now();
  const auto until = start + options.run_for;
  for (size_t i = 1; i < options.clients; ++i) threads.emplace_back([&, i] { ends[i] = clients[i].run(until); });
  ends[0] = clients[0].run(until);
  for (auto& t : threads) t.join();
  pipeline_result all;
  all.seconds = std::chrono::duration<double>(clock::now() - start).count();
  for (size_t i = 0; i < options.clients; ++i) {
    if (!ends[i]) return msg::fail(ends[i].error());
    auto& one = clients[i].out;
    all.answered += one.answered;
    all.refused += one.refused;
    if (all.first_refusal.empty()) all.first_refusal = one.first_refusal;
    all.latency_us.insert(all.latency_us.end(), one.latency_us.begin(), one.latency_us.end());
  }
  std::sort(all.latency_us.begin(), all.latency_us.end());
  return all;
}

result<std::vector<std::string>> list_server_ids(bus::client& client) {
  std::vector<std::string> out;
  msg::list_servers q;
  do {
    auto r = client.request("server.ls", msg::pack_map(q));
    if (!r) return msg::fail(r.error());
    if (r->kind == bus::reply_kind::error) {
      auto e = msg::unpack_map<msg::error>(r->body);
      return msg::fail(e ? *e : e.error());
    }
    auto page = msg::unpack_map<msg::server_list>(r->body);
    if (!page) return msg::fail(page.error());
    for (const auto& s : page->servers) out.push_back(s.id.value);
    q.where.after = page->next;
  } while (!q.where.after.empty());
  return out;
}

}  // namespace zedops::load
