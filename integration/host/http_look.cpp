#include "integration/host/http_look.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <optional>

namespace zedops::host {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using namespace msg;

namespace {

constexpr duration proxy_hangs_up{300};

}  // namespace

result<http_answer> http_ask(const http_question& q) {
  asio::io_context io;
  asio::ip::tcp::resolver resolver(io);
  boost::beast::tcp_stream stream(io);
  stream.expires_after(q.timeout);
  const auto where = q.host + ":" + std::to_string(q.port);
  http::request<http::string_body> ask{http::string_to_verb(q.method), q.path, 11};
  ask.set(http::field::host, where);
  ask.set(http::field::user_agent, "zedops");
  ask.set(http::field::connection, "close");
  for (const auto& [name, value] : q.headers) ask.set(name, value);
  ask.body() = q.body;
  ask.prepare_payload();
  boost::beast::flat_buffer buffer;
  http::response_parser<http::string_body> answer;
  answer.body_limit(http_answer_max);
  boost::system::error_code problem = asio::error::would_block;
  const auto failed = [&](boost::system::error_code e) {
    problem = e;
    return static_cast<bool>(e);
  };
  const auto talk = [&](auto& over) {
    http::async_write(over, ask, [&](boost::system::error_code w, size_t) {
      if (failed(w)) return;
      const auto done = [&](boost::system::error_code r, size_t) { failed(r); };
      if (q.head_only) http::async_read_header(over, buffer, answer, done);
      else http::async_read(over, buffer, answer, done);
    });
  };
  asio::ssl::context tls(asio::ssl::context::tls_client);
  asio::ssl::stream<boost::beast::tcp_stream&> secure(stream, tls);
  const auto connected = [&](boost::system::error_code e) {
    if (failed(e)) return;
    if (q.tls_name.empty()) return talk(stream);
    SSL_set_tlsext_host_name(secure.native_handle(), q.tls_name.c_str());
    secure.async_handshake(asio::ssl::stream_base::client, [&](boost::system::error_code h) {
      if (!failed(h)) talk(secure);
    });
  };
  boost::system::error_code no_address;
  const auto address = asio::ip::make_address(q.host, no_address);
  if (!no_address) stream.async_connect(asio::ip::tcp::endpoint(address, q.port), connected);
  else
    resolver.async_resolve(q.host, std::to_string(q.port),
                           [&](boost::system::error_code e, const asio::ip::tcp::resolver::results_type& found) {
                             if (failed(e)) return;
                             stream.async_connect(found,
                                                  [&](boost::system::error_code c, const auto&) { connected(c); });
                           });
  io.run();
  if (problem == boost::beast::error::timeout)
    return fail(ec::timeout, "no answer from " + where + " within " + format_duration(q.timeout), "");
  const bool hung_up = problem == asio::error::connection_reset || problem == asio::error::broken_pipe ||
                       problem == http::error::end_of_stream || problem == http::error::partial_message;
  if (problem)
    return fail(hung_up ? ec::busy : ec::engine_error, "no answer from " + where + ": " + problem.message(), "");
  http_answer out;
  out.status = static_cast<unsigned>(answer.get().result_int());
  for (const auto& field : answer.get()) {
    std::string name(field.name_string().data(), field.name_string().size());
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    out.headers[name] = std::string(field.value().data(), field.value().size());
  }
  out.body = std::move(answer.get().body());
  return out;
}

result<unsigned> http_look(uint16_t port, const std::string& path, duration timeout) {
  http_question q;
  q.port = port;
  q.path = path;
  q.timeout = timeout;
  q.head_only = true;
  auto answer = http_ask(q);
  if (!answer) return fail(answer.error());
  return answer->status;
}

result<void> port_look(uint16_t port, duration timeout) {
  const auto nobody = [&](const char* how) {
    return fail(ec::engine_error, "nothing listens on port " + std::to_string(port) + how, "");
  };
  asio::io_context io;
  asio::ip::tcp::socket socket(io);
  asio::steady_timer over(io);
  std::optional<boost::system::error_code> connected, heard;
  char byte = 0;
  over.expires_after(timeout);
  over.async_wait([&](boost::system::error_code e) {
    if (!e) socket.close(e);
  });
  socket.async_connect({asio::ip::address_v4::loopback(), port}, [&](boost::system::error_code e) {
    connected = e;
    if (e) return (void)over.cancel();
    over.expires_after(std::min<duration>(timeout, proxy_hangs_up));
    over.async_wait([&](boost::system::error_code late) {
      if (!late) socket.cancel(late);
    });
    socket.async_read_some(asio::buffer(&byte, 1), [&](boost::system::error_code end, size_t) {
      heard = end;
      over.cancel();
    });
  });
  io.run();
  if (!connected || *connected == asio::error::operation_aborted)
    return fail(ec::timeout, "port " + std::to_string(port) + " does not answer within " + format_duration(timeout),
                "");
  if (*connected) return nobody("");
  if (heard && *heard && *heard != asio::error::operation_aborted) return nobody(" of the container");
  return {};
}

}  // namespace zedops::host
