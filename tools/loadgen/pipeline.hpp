// Clients that keep a number of requests in flight and note how long each answer took.
#pragma once
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "bus/client.hpp"

namespace zedops::load {

struct posted {
  std::string verb;
  std::string body;
  std::string options;  // a MessagePack map, or empty
};

struct pipeline_options {
  std::string clients_uri;
  size_t clients = 1;      // connections, a thread each
  size_t in_flight = 128;  // of all clients together
  std::chrono::milliseconds run_for{5'000};
  size_t requests_max = 0;                                // over all clients; zero: until the time is over
  std::function<posted(size_t client, uint64_t n)> next;  // the n-th request of a client
};

struct pipeline_result {
  uint64_t answered = 0, refused = 0;
  double seconds = 0;
  std::vector<double> latency_us;  // sorted, one per answer
  std::string first_refusal;

  double per_second() const { return seconds > 0 ? static_cast<double>(answered) / seconds : 0; }
  double percentile_us(double p) const {
    return latency_us.empty() ? 0
                              : latency_us[static_cast<size_t>(p / 100 * static_cast<double>(latency_us.size() - 1))];
  }
};

// Errors: those of the connection, and timeout when answers stop coming.
msg::result<pipeline_result> run_pipeline(const pipeline_options& options);

// Ids of all servers, page by page.
msg::result<std::vector<std::string>> list_server_ids(bus::client& client);

}  // namespace zedops::load
