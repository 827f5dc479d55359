#include "integration/host/http_look.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

namespace zedops::host {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using namespace msg;

result<unsigned> http_look(uint16_t port, const std::string& path, duration timeout) {
  asio::io_context io;
  boost::beast::tcp_stream stream(io);
  stream.expires_after(timeout);  // of all of it together
  http::request<http::empty_body> ask{http::verb::get, path, 11};
  ask.set(http::field::host, "127.0.0.1:" + std::to_string(port));
  ask.set(http::field::user_agent, "zedops");
  ask.set(http::field::connection, "close");
  boost::beast::flat_buffer buffer;
  http::response_parser<http::empty_body> answer;  // its head says all
  boost::system::error_code problem = asio::error::would_block;
  const auto failed = [&](boost::system::error_code e) {
    problem = e;
    return static_cast<bool>(e);
  };
  const asio::ip::tcp::endpoint there(asio::ip::address_v4::loopback(), port);
  stream.async_connect(there, [&](boost::system::error_code e) {
    if (failed(e)) return;
    http::async_write(stream, ask, [&](boost::system::error_code w, size_t) {
      if (failed(w)) return;
      http::async_read_header(stream, buffer, answer, [&](boost::system::error_code r, size_t) { failed(r); });
    });
  });
  io.run();
  if (!problem) return static_cast<unsigned>(answer.get().result_int());
  const auto where = "127.0.0.1:" + std::to_string(port);
  if (problem == boost::beast::error::timeout)
    return fail(ec::timeout, "no answer from " + where + " within " + format_duration(timeout), "");
  return fail(ec::engine_error, "no answer from " + where + ": " + problem.message(), "");
}

}  // namespace zedops::host
