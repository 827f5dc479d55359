// Entities of any kind, on their way through actors that need not know which.
#pragma once
#include <any>
#include <functional>
#include <memory>

#include "actors/core/entity.hpp"
#include "messages/base/error.hpp"
#include "messages/wire/codec.hpp"

namespace zedops::rt {

struct kind;

// The committed record of some entity; empty: there is none.
class any_record {
 public:
  any_record() = default;
  any_record(std::nullptr_t) {}
  template <core::entity_record R>
  any_record(std::shared_ptr<const R> r);  // implicit on purpose: it stands where records of one kind stood

  explicit operator bool() const { return data_ != nullptr; }
  const kind& of() const { return *kind_; }
  const void* get() const { return data_.get(); }
  // Null: it is of another kind.
  template <core::entity_record R>
  std::shared_ptr<const R> as() const;

  // What all of them have; only of one that is there.
  const std::string& id() const;
  uint64_t log_head() const;
  uint64_t revision() const;
  bool gone() const;
  const msg::operation* open() const;
  const msg::operation* waiting() const;
  // Whichever of the two has this id, or null.
  const msg::operation* operation(const msg::operation_id& id) const;

 private:
  const kind* kind_ = nullptr;
  std::shared_ptr<const void> data_;
};

// core::entity<Record> as a table of functions; the records they take are of this kind.
struct kind {
  std::string_view name;
  char letter;
  any_record (*fold)(const any_record& before, const msg::log_entry& e);  // empty: the entry makes none
  std::string (*pack)(const void*);
  msg::result<any_record> (*unpack)(std::string_view bytes);
  const std::string& (*id)(const void*);
  uint64_t (*log_head)(const void*);
  uint64_t (*revision)(const void*);  // zero: it counts none
  msg::time_point (*updated_at)(const void*);
  std::vector<msg::numbered_fact> (*number)(const void*, std::vector<msg::fact>);
  bool (*gone)(const void*);
  bool (*ends)(const msg::fact&);
  const msg::operation* (*open)(const void*);
  const msg::operation* (*waiting)(const void*);
  bool (*same_claims)(const void*, const void*);
  void (*each_claim)(const void*, const std::function<void(std::string_view)>&);
  msg::error (*taken)(std::string_view claim, const void* owner);
  std::any (*tick)();    // inputs of its machine; empty: it has none
  std::any (*resume)();  // after its actor has crashed: what was about to be sent is still to be sent
  std::vector<msg::fact> (*rests)(const msg::error& why);  // its actor crashed too often; may be none
  std::any (*cancel)(const msg::operation_id&, const std::string& actor);
};

template <core::entity_record R>
const R& record_at(const void* p) {
  return *static_cast<const R*>(p);
}

// A kind whose machine has an actor.
template <class R>
concept has_machine = requires {
  typename core::entity<R>::input;
};

template <core::entity_record R>
inline constexpr kind kind_of{
    core::entity<R>::kind,
    core::entity<R>::letter,
    [](const any_record& before, const msg::log_entry& e) -> any_record {
      R next = before ? record_at<R>(before.get()) : R{};
      core::entity<R>::apply(next, e);
      if (next.id.value.empty()) return {};
      return std::make_shared<const R>(std::move(next));
    },
    [](const void* p) -> std::string {
      if constexpr (requires(const R& r) { core::entity<R>::pack(r); }) return core::entity<R>::pack(record_at<R>(p));
      else return msg::pack(record_at<R>(p));
    },
    [](std::string_view bytes) -> msg::result<any_record> {
      auto r = [&]() -> msg::result<R> {
        if constexpr (requires { core::entity<R>::unpack(bytes); }) return core::entity<R>::unpack(bytes);
        else return msg::unpack<R>(bytes);
      }();
      if (!r) return msg::fail(r.error());
      return any_record(std::make_shared<const R>(std::move(*r)));
    },
    [](const void* p) -> const std::string& { return record_at<R>(p).id.value; },
    [](const void* p) -> uint64_t { return record_at<R>(p).log_head; },
    [](const void* p) -> uint64_t {
      if constexpr (requires(const R& r) { r.revision; }) return record_at<R>(p).revision;
      else return 0;
    },
    [](const void* p) -> msg::time_point { return record_at<R>(p).updated_at; },
    [](const void* p, std::vector<msg::fact> facts) {
      return core::entity<R>::number(record_at<R>(p), std::move(facts));
    },
    [](const void* p) { return core::entity<R>::gone(record_at<R>(p)); },
    [](const msg::fact& f) { return core::entity<R>::ends(f); },
    [](const void* p) { return core::entity<R>::open(record_at<R>(p)); },
    [](const void* p) { return core::waiting_of(record_at<R>(p)); },
    [](const void* a, const void* b) { return core::entity<R>::same_claims(record_at<R>(a), record_at<R>(b)); },
    [](const void* p, const std::function<void(std::string_view)>& f) {
      core::entity<R>::each_claim(record_at<R>(p), f);
    },
    [](std::string_view claim, const void* owner) { return core::entity<R>::taken(claim, record_at<R>(owner)); },
    []() -> std::any {
      if constexpr (has_machine<R>) return typename core::entity<R>::input{core::tick{}};
      else return {};
    },
    []() -> std::any {
      if constexpr (requires { core::entity<R>::resume(); }) return core::entity<R>::resume();
      else return {};
    },
    [](const msg::error& why) -> std::vector<msg::fact> {
      if constexpr (requires { core::entity<R>::rests(why); }) return core::entity<R>::rests(why);
      else return {};
    },
    [](const msg::operation_id& op, const std::string& actor) -> std::any {
      if constexpr (has_machine<R>) return typename core::entity<R>::input{core::cancel_requested{op, actor}};
      else return {};
    },
};

template <core::entity_record R>
any_record::any_record(std::shared_ptr<const R> r) : kind_(&kind_of<R>), data_(std::move(r)) {}
template <core::entity_record R>
std::shared_ptr<const R> any_record::as() const {
  return kind_ == &kind_of<R> ? std::static_pointer_cast<const R>(data_) : nullptr;
}
inline const std::string& any_record::id() const { return kind_->id(get()); }
inline uint64_t any_record::log_head() const { return kind_->log_head(get()); }
inline uint64_t any_record::revision() const { return kind_->revision(get()); }
inline bool any_record::gone() const { return kind_->gone(get()); }
inline const msg::operation* any_record::open() const { return kind_->open(get()); }
inline const msg::operation* any_record::waiting() const { return kind_->waiting(get()); }
inline const msg::operation* any_record::operation(const msg::operation_id& id) const {
  for (const auto* op : {open(), waiting()})
    if (op && op->id == id) return op;
  return nullptr;
}

}  // namespace zedops::rt
