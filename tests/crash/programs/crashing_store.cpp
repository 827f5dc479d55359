#include "tests/crash/programs/crashing_store.hpp"

#include <set>

#include "messages/wire/codec.hpp"

namespace zedops::crash {
namespace {

using store::result;
using store::table;

using names = std::set<std::string>;
// Inside derived classes the name of a class means the class, not its namespace.
namespace ns = zedops::store;
using real_store = std::unique_ptr<ns::store>;

std::string joined(const names& all) {
  std::string out;
  for (const auto& n : all) out += (out.empty() ? "" : "+") + n;
  return out.empty() ? "nothing" : out;
}

class writer final : public store::writer {
 public:
  writer(std::unique_ptr<store::writer> real, crash_plan& plan) : real_(std::move(real)), plan_(plan) {}

  result<std::optional<std::string>> get(table t, std::string_view key) const override { return real_->get(t, key); }
  result<void> scan(table t, std::string_view from, store::direction d, store::record_visitor visit,
                    store::corrupt_visitor damaged) const override {
    return real_->scan(t, from, d, visit, damaged);
  }
  uint64_t count(table t) const override { return real_->count(t); }
  result<void> put(table t, std::string_view key, std::string_view value) override {
    tables_.emplace(name_of(t));
    return real_->put(t, key, value);
  }
  result<void> append(table t, std::string_view key, std::string_view value) override {
    tables_.emplace(name_of(t));
    if (t == table::log)
      if (auto entry = msg::unpack<msg::log_entry>(value))
        for (const auto& f : entry->facts)
          (f.subject.starts_with("agent.") ? others_ : servers_).emplace(msg::type_of(f.what));
    return real_->append(t, key, value);
  }
  result<bool> erase(table t, std::string_view key) override {
    tables_.emplace(name_of(t));
    return real_->erase(t, key);
  }
  result<uint64_t> trim(table t, std::string_view end, uint64_t max) override {
    tables_.emplace(name_of(t));
    return real_->trim(t, end, max);
  }
  result<void> commit() override {
    const auto name = joined(!servers_.empty() ? servers_ : !others_.empty() ? others_ : tables_);
    plan_.pass("commit", name, side::before);
    auto done = real_->commit();
    plan_.pass("commit", name, side::after);
    return done;
  }

 private:
  std::unique_ptr<store::writer> real_;
  crash_plan& plan_;
  names servers_, others_, tables_;
};

class whole_store final : public ns::store {
 public:
  whole_store(real_store real, crash_plan& plan) : real_(std::move(real)), plan_(plan) {}

  result<std::unique_ptr<ns::writer>> begin_write(ns::write_kind kind) override {
    auto w = real_->begin_write(kind);
    if (!w) return w;
    return std::make_unique<writer>(std::move(*w), plan_);
  }
  result<std::unique_ptr<ns::reader>> begin_read() const override { return real_->begin_read(); }
  uint64_t epoch() const override { return real_->epoch(); }
  ns::stats statistics() const override { return real_->statistics(); }
  result<ns::verify_report> backup(const std::filesystem::path& file) const override { return real_->backup(file); }

 private:
  real_store real_;
  crash_plan& plan_;
};

}  // namespace

std::unique_ptr<store::store> crashing_store(std::unique_ptr<store::store> real, crash_plan& plan) {
  return std::make_unique<whole_store>(std::move(real), plan);
}

}  // namespace zedops::crash
