#include "persistence/lmdb_store.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "persistence/detail/checks.hpp"
#include "persistence/detail/data_dir.hpp"
#include "persistence/detail/environment.hpp"
#include "persistence/detail/guard.hpp"
#include "persistence/detail/identity.hpp"
#include "persistence/detail/lmdb_ops.hpp"
#include "persistence/detail/mapped_pages.hpp"
#include "persistence/detail/open_steps.hpp"
#include "persistence/envelope.hpp"

namespace zedops::store {
namespace {

using namespace detail;
using msg::ec;
using msg::fail;

// The reads of an LMDB transaction, for readers and writers alike.
template <class Base>
class txn_view : public Base {
 public:
  txn_view(environment& env, txn_ptr txn) : env_(env), handles_(env.handles()), txn_(std::move(txn)) {}
  txn_view(const txn_view&) = delete;
  txn_view& operator=(const txn_view&) = delete;
  ~txn_view() override {
    if (txn_) env_.end(std::move(txn_));
  }
  result<std::optional<std::string>> get(table t, std::string_view key) const final {
    if (!txn_) return fail(writer_spent());
    return get_record(txn_.get(), handles_, t, key);
  }
  result<void> scan(table t, std::string_view from, direction d, record_visitor visit,
                    corrupt_visitor damaged) const final {
    if (!txn_) return fail(writer_spent());
    return scan_records(txn_.get(), handles_, t, from, d, visit, damaged);
  }
  uint64_t count(table t) const final { return txn_ ? count_records(txn_.get(), handles_, t) : 0; }

 protected:
  environment& env_;
  table_handles handles_;
  txn_ptr txn_;
};

using lmdb_reader = txn_view<reader>;

class lmdb_writer final : public txn_view<writer> {
 public:
  lmdb_writer(environment& env, txn_ptr txn, batch_limits limits, std::atomic<bool>& writing)
      : txn_view(env, std::move(txn)), budget_(limits), writing_(writing) {}
  ~lmdb_writer() override {
    if (!txn_) return;  // commit has made way for the next writer
    env_.end(std::move(txn_));
    writing_ = false;
  }

  result<void> put(table t, std::string_view key, std::string_view value) override { return write(t, key, value, 0); }
  result<void> append(table t, std::string_view key, std::string_view value) override {
    return write(t, key, value, MDB_APPEND);
  }

  result<bool> erase(table t, std::string_view key) override {
    if (auto ok = admit(key, 0); !ok) return fail(std::move(ok).error());
    MDB_val k = to_val(key);
    const int rc = mdb_del(txn_.get(), handle(t), &k, nullptr);
    if (rc == MDB_NOTFOUND) return false;
    if (rc) return doom(env_.write_error(rc, "erase"));
    return true;
  }

  result<uint64_t> trim(table t, std::string_view end, uint64_t max) override {
    if (auto ok = admit(end, 0); !ok) return fail(std::move(ok).error());
    MDB_cursor* raw = nullptr;
    if (int rc = mdb_cursor_open(txn_.get(), handle(t), &raw)) return doom(env_.write_error(rc, "trim"));
    const cursor_ptr cursor(raw);
    MDB_val k{}, v{};
    uint64_t erased = 0;
    int rc = mdb_cursor_get(raw, &k, &v, MDB_FIRST);
    // After mdb_cursor_del the cursor stands on the next record, which MDB_NEXT then returns.
    for (; rc == 0 && erased < max && to_view(k) < end; rc = mdb_cursor_get(raw, &k, &v, MDB_NEXT)) {
      if (auto ok = admit(to_view(k), 0); !ok) return fail(std::move(ok).error());
      if ((rc = mdb_cursor_del(raw, 0))) break;
      ++erased;
    }
    if (rc && rc != MDB_NOTFOUND) return doom(env_.write_error(rc, "trim"));
    return erased;
  }

  result<void> commit() override {
    if (failure_) return fail(*failure_);
    if (!txn_) return fail(writer_spent());
    auto done = env_.commit(std::move(txn_));
    writing_ = false;
    if (!done) failure_ = done.error();
    return done;
  }

 private:
  MDB_dbi handle(table t) const { return handles_[static_cast<size_t>(t)]; }

  result<void> admit(std::string_view key, size_t value_bytes) {
    if (failure_) return fail(*failure_);
    if (!txn_) return fail(writer_spent());
    if (auto ok = budget_.take(key, value_bytes); !ok) return doom(std::move(ok).error());
    return {};
  }
  tl::unexpected<msg::error> doom(msg::error e) {
    failure_ = std::move(e);
    return fail(*failure_);
  }
  result<void> write(table t, std::string_view key, std::string_view value, unsigned flags) {
    if (auto ok = admit(key, value.size()); !ok) return ok;
    const int rc = put_record(txn_.get(), handles_, t, key, value, flags);
    if (rc == MDB_KEYEXIST) return doom(append_order(t, key));
    if (rc) return doom(env_.write_error(rc, "write"));
    return {};
  }

  batch_budget budget_;
  std::atomic<bool>& writing_;
  std::optional<msg::error> failure_;
};

class lmdb_store final : public store {
 public:
  lmdb_store(lmdb_options options, dir_lock lock, process_claim claim, std::unique_ptr<environment> env, opening how)
      : options_(std::move(options)),
        claim_(std::move(claim)),
        lock_(std::move(lock)),
        env_(std::move(env)),
        how_(how) {}
  ~lmdb_store() override {
    env_.reset();
    if (!ready_ || options_.mode == access::read_only) return;
    fit_file(options_.dir / data_file);
    lock_.say_clean();
  }

  // Identity and schema: makes them in a new store, checks and migrates them in an older one.
  result<void> prepare() {
    auto found = identify();
    if (!found) return fail(std::move(found).error());
    if (!*found) {
      if (how_.how != opened_as::created)
        return fail(ec::internal, "the schema and epoch of the store in " + options_.dir.string() + " are missing",
                    "restore a backup with zedctl store restore --set-aside");
      identity_ = {options_.schema, random_epoch()};
      return write_once([&](writer& w) { return write_identity(w, identity_); });
    }
    identity_ = **found;
    if (auto plan = plan_migration(identity_.schema, options_); !plan) {
      return fail(std::move(plan).error());
    } else if (!plan->empty() && options_.mode == access::read_write) {
      return migrate(*plan);
    }
    return {};
  }
  // Complete: from now on DIR/lock says that there is a store, and closing it is a clean end.
  result<void> confirm_open() {
    if (options_.mode == access::read_write)
      if (auto ok = lock_.say_open(); !ok) return ok;
    ready_ = true;
    return {};
  }

  result<std::unique_ptr<writer>> begin_write(write_kind kind) override { return begin(kind, options_.batch); }

  result<std::unique_ptr<reader>> begin_read() const override {
    auto txn = env_->begin_read();
    if (!txn) return fail(std::move(txn).error());
    return std::make_unique<lmdb_reader>(*env_, std::move(*txn));
  }

  uint64_t epoch() const override { return identity_.epoch; }

  stats statistics() const override {
    stats s;
    s.schema = identity_.schema;
    s.epoch = identity_.epoch;
    const auto sizes = env_->measure();
    s.used_bytes = sizes.used_bytes;
    s.map_bytes = sizes.map_bytes;
    s.map_max_bytes = options_.map_max_bytes;
    std::error_code none;
    const auto bytes = std::filesystem::file_size(options_.dir / data_file, none);
    s.file_bytes = none ? 0 : bytes;
    s.opened = how_.how;
    s.damaged_at_open = how_.damaged;
    if (auto r = begin_read())
      for (size_t i = 0; i < table_count; ++i) s.records[i] = (*r)->count(static_cast<table>(i));
    return s;
  }

  void release_memory() const override {
    // A transaction keeps the map where it is.
    if (auto open = begin_read()) release_mapped_pages(options_.dir / data_file);
  }

  result<verify_report> backup(const std::filesystem::path& file) const override {
    return write_backup(file, options_.check_deadline, [&](int fd) { return env_->copy_to(fd); });
  }

 private:
  result<std::unique_ptr<writer>> begin(write_kind kind, batch_limits limits) {
    if (writing_.exchange(true)) return fail(writer_busy());
    auto txn = env_->begin_write(kind);
    if (!txn) {
      writing_ = false;
      return fail(std::move(txn).error());
    }
    return std::make_unique<lmdb_writer>(*env_, std::move(*txn), limits, writing_);
  }

  result<std::optional<identity>> identify() const {
    auto r = begin_read();
    if (!r) return fail(std::move(r).error());
    return read_identity(**r);
  }

  template <class F>
  result<void> write_once(F&& change) {
    constexpr batch_limits whole_store{~uint64_t{0}, ~uint64_t{0}};  // a migration rewrites every record at once
    auto w = begin(write_kind::ordinary, whole_store);
    if (!w) return fail(std::move(w).error());
    if (auto ok = change(**w); !ok) return ok;
    return (*w)->commit();
  }

  result<void> migrate(const std::vector<const migration*>& plan) {
    if (auto ok = env_->reserve_map(3 * env_->measure().used_bytes + (uint64_t{64} << 20)); !ok) return ok;
    auto done = write_once([&](writer& w) -> result<void> {
      for (const migration* step : plan)
        if (auto ok = run_step(*step, w); !ok) return ok;
      return w.put(table::meta, meta_schema, std::to_string(options_.schema));
    });
    if (done) identity_.schema = options_.schema;
    return done;
  }

  lmdb_options options_;
  process_claim claim_;
  dir_lock lock_;
  std::unique_ptr<environment> env_;
  opening how_;
  identity identity_;
  bool ready_ = false;  // opened in full: closing it is a clean end
  mutable std::atomic<bool> writing_{false};
};

}  // namespace

result<std::unique_ptr<store>> open_lmdb(lmdb_options options) {
  dir_lock lock;
  if (options.mode == access::read_write) {
    auto taken = dir_lock::take(options.dir);
    if (!taken) return fail(std::move(taken).error());
    lock = std::move(*taken);
  }
  auto claim = process_claim::take(options.dir);
  if (!claim) return fail(std::move(claim).error());
  auto how = check_before_open(options, lock);
  if (!how) return fail(std::move(how).error());
  auto env = environment::open(options);
  if (!env) return fail(std::move(env).error());
  auto opened =
      std::make_unique<lmdb_store>(std::move(options), std::move(lock), std::move(*claim), std::move(*env), *how);
  if (auto ok = opened->prepare(); !ok) return fail(std::move(ok).error());
  if (auto ok = opened->confirm_open(); !ok) return fail(std::move(ok).error());
  return opened;
}

}  // namespace zedops::store
