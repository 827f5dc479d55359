// Answers that every part of the web door uses.
#pragma once
#include "integration/http/pages/pages.hpp"
#include "integration/http/transport/server.hpp"
#include "messages/wire/codec.hpp"

namespace zedops::app {

inline void send(web::exchange& e, web::response r) {
  web::add_safety(r);
  e.respond(std::move(r));
}
inline void send(web::exchange& e, const msg::error& x) { send(e, web::error_response(x)); }

// The error in the body of an answer.
inline msg::error error_in(const std::string& body) {
  auto e = msg::unpack_map<msg::error>(body);
  return e ? *e : e.error();
}

// The head of an endless answer.
inline web::response stream_head() {
  web::response head{200, "text/event-stream", nullptr, {{"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}}};
  web::add_safety(head);
  return head;
}

}  // namespace zedops::app
