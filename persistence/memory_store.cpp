#include "persistence/memory_store.hpp"

#include <algorithm>
#include <cassert>
#include <vector>

#include "persistence/detail/checks.hpp"
#include "persistence/detail/identity.hpp"
#include "persistence/envelope.hpp"

namespace zedops::store {

using namespace detail;
using msg::ec;
using msg::fail;
using records = memory_store::records;

namespace {

constexpr std::string_view mismatch = "checksum does not match";

msg::error full_error() { return {ec::store_full, "the (simulated) disk is full", "set the disk to has_room", {}}; }
msg::error crashed_error() { return {ec::internal, "the store has crashed", "restart it", {}}; }

// One merged step over the committed rows and a writer's own changes, in either direction.
template <class RowIt, class ChangeIt>
struct merged_range {
  RowIt row, row_end;
  ChangeIt change, change_end;
};
template <class RowIt, class ChangeIt>  // clang 14 does not deduce the arguments of an aggregate
merged_range(RowIt, RowIt, ChangeIt, ChangeIt)->merged_range<RowIt, ChangeIt>;

// Visits in the order of the iterators; `before` is the order of keys in that direction.
template <class Range, class Before>
void walk_merged(Range r, Before before, const records& base, table t, record_visitor visit, corrupt_visitor damaged) {
  while (r.row != r.row_end || r.change != r.change_end) {
    const bool from_change = r.row == r.row_end || (r.change != r.change_end && !before(r.row->first, r.change->first));
    if (from_change) {
      if (r.row != r.row_end && r.row->first == r.change->first) ++r.row;
      const auto& [key, value] = *r.change;
      ++r.change;
      if (value && !visit(key, *value)) return;
    } else {
      const auto& [key, value] = *r.row;
      ++r.row;
      if (base.damaged.contains(key)) {
        damaged(describe_damage(t, key, mismatch, value));
      } else if (!visit(key, value)) {
        return;
      }
    }
  }
}

template <class Map>
auto backward_from(const Map& map, std::string_view from) {
  return std::make_reverse_iterator(from.empty() ? map.end() : map.upper_bound(from));
}

}  // namespace

// Reads of both kinds; a plain reader has no changes of its own.
template <class Base>
class memory_view : public Base {
 public:
  memory_view(const memory_store& home, memory_store::snapshot base, uint64_t life)
      : home_(home), base_(std::move(base)), life_(life) {}

  result<std::optional<std::string>> get(table t, std::string_view key) const final {
    if (auto ok = check_key(key); !ok) return fail(std::move(ok).error());
    if (auto ok = usable(); !ok) return fail(std::move(ok).error());
    const auto i = static_cast<size_t>(t);
    if (const auto c = changes_[i].find(key); c != changes_[i].end()) return c->second;
    const auto r = base_[i]->rows.find(key);
    if (r == base_[i]->rows.end()) return std::nullopt;
    if (base_[i]->damaged.contains(key)) return fail(damaged_record_error(t, key, mismatch));
    return r->second;
  }

  result<void> scan(table t, std::string_view from, direction d, record_visitor visit,
                    corrupt_visitor damaged) const final {
    if (from.size() > key_bytes_max) return check_key(from);
    if (auto ok = usable(); !ok) return ok;
    const auto& rows = base_[static_cast<size_t>(t)]->rows;
    const auto& own = changes_[static_cast<size_t>(t)];
    const records& base = *base_[static_cast<size_t>(t)];
    if (d == direction::forward) {
      walk_merged(merged_range{rows.lower_bound(from), rows.end(), own.lower_bound(from), own.end()}, std::less<>{},
                  base, t, visit, damaged);
    } else {
      walk_merged(merged_range{backward_from(rows, from), rows.rend(), backward_from(own, from), own.rend()},
                  std::greater<>{}, base, t, visit, damaged);
    }
    return {};
  }

  uint64_t count(table t) const final {
    if (!usable()) return 0;
    const auto& rows = base_[static_cast<size_t>(t)]->rows;
    uint64_t n = rows.size();
    for (const auto& [key, value] : changes_[static_cast<size_t>(t)]) {
      const bool was = rows.contains(key);
      if (value && !was) ++n;
      if (!value && was) --n;
    }
    return n;
  }

 protected:
  virtual bool spent() const { return false; }
  result<void> usable() const {
    if (spent()) return fail(writer_spent());
    if (!home_.alive(life_)) return fail(crashed_error());
    return {};
  }
  bool exists(table t, std::string_view key) const {
    const auto i = static_cast<size_t>(t);
    if (const auto c = changes_[i].find(key); c != changes_[i].end()) return c->second.has_value();
    return base_[i]->rows.contains(key);
  }

  const memory_store& home_;
  memory_store::snapshot base_;
  memory_store::changes changes_;
  uint64_t life_;
};

class memory_reader final : public memory_view<reader> {
 public:
  using memory_view::memory_view;
  ~memory_reader() override { home_.release(base_); }
};

class memory_writer final : public memory_view<writer> {
 public:
  memory_writer(memory_store& home, memory_store::snapshot base, uint64_t life, write_kind kind)
      : memory_view(home, std::move(base), life), home_(home), budget_(home.options_.batch), kind_(kind) {}
  ~memory_writer() override {
    home_.release(base_);
    if (spent_) return;  // commit has made way for the next writer
    const std::lock_guard lock(home_.mutex_);
    if (life_ == home_.life_) home_.writing_ = false;
  }

  result<void> put(table t, std::string_view key, std::string_view value) override {
    if (auto ok = admit(key, value.size()); !ok) return ok;
    if (kind_ == write_kind::ordinary) {
      const std::lock_guard lock(home_.mutex_);
      if (home_.failing_puts_ > 0) {
        --home_.failing_puts_;
        return fail(home_.put_failure_);
      }
    }
    changes_[static_cast<size_t>(t)].insert_or_assign(std::string(key), std::string(value));
    return {};
  }

  result<void> append(table t, std::string_view key, std::string_view value) override {
    if (auto ok = admit(key, value.size()); !ok) return ok;
    bool above = true;
    const auto last_is_below = [&](std::string_view last) { return above = above && last < key, false; };
    const auto done = scan(
        t, {}, direction::backward, [&](std::string_view last, std::string_view) { return last_is_below(last); },
        [&](const corrupt_record& c) { above = above && c.key < key; });
    if (!done) return doom(done.error());
    if (!above) return doom(append_order(t, key));
    changes_[static_cast<size_t>(t)].insert_or_assign(std::string(key), std::string(value));
    return {};
  }

  result<bool> erase(table t, std::string_view key) override {
    if (auto ok = admit(key, 0); !ok) return fail(std::move(ok).error());
    const bool was = exists(t, key);
    if (was) changes_[static_cast<size_t>(t)].insert_or_assign(std::string(key), std::nullopt);
    return was;
  }

  result<uint64_t> trim(table t, std::string_view end, uint64_t max) override {
    if (auto ok = admit(end, 0); !ok) return fail(std::move(ok).error());
    std::vector<std::string> keys;
    const auto wanted = [&](std::string_view key) { return keys.size() < max && key < end; };
    const auto done = scan(
        t, {}, direction::forward,
        [&](std::string_view key, std::string_view) {
          if (!wanted(key)) return false;
          keys.emplace_back(key);
          return true;
        },
        [&](const corrupt_record& c) {
          if (wanted(c.key)) keys.push_back(c.key);
        });
    if (!done) return doom(done.error());
    for (auto& key : keys) {
      if (auto ok = admit(key, 0); !ok) return fail(std::move(ok).error());
      changes_[static_cast<size_t>(t)].insert_or_assign(std::move(key), std::nullopt);
    }
    return keys.size();
  }

  result<void> commit() override {
    if (failure_) return fail(*failure_);
    if (auto ok = usable(); !ok) return ok;
    spent_ = true;
    auto done = home_.commit(changes_, base_, life_, kind_);
    if (!done) failure_ = done.error();
    return done;
  }

 private:
  bool spent() const override { return spent_; }
  result<void> admit(std::string_view key, size_t value_bytes) {
    if (failure_) return fail(*failure_);
    if (auto ok = usable(); !ok) return ok;
    if (auto ok = budget_.take(key, value_bytes); !ok) return doom(std::move(ok).error());
    return {};
  }
  tl::unexpected<msg::error> doom(msg::error e) {
    failure_ = std::move(e);
    return fail(*failure_);
  }

  memory_store& home_;
  batch_budget budget_;
  write_kind kind_;
  bool spent_ = false;
  std::optional<msg::error> failure_;
};

memory_store::memory_store(memory_options options) : options_(options) {
  for (auto& t : tables_) t = std::make_shared<records>();
  auto& meta = tables_[static_cast<size_t>(table::meta)]->rows;
  meta.emplace(meta_schema, std::to_string(options_.schema));
  meta.emplace(meta_epoch, epoch_text(options_.epoch));
}

memory_store::~memory_store() = default;

result<std::unique_ptr<writer>> memory_store::begin_write(write_kind kind) {
  const std::lock_guard lock(mutex_);
  if (crashed_) return fail(crashed_error());
  if (writing_) return fail(writer_busy());
  if (full_ && kind == write_kind::ordinary) return fail(full_error());
  writing_ = true;
  return std::make_unique<memory_writer>(*this, take_snapshot(), life_, kind);
}

result<std::unique_ptr<reader>> memory_store::begin_read() const {
  const std::lock_guard lock(mutex_);
  if (crashed_) return fail(crashed_error());
  return std::make_unique<memory_reader>(*this, take_snapshot(), life_);
}

memory_store::snapshot memory_store::take_snapshot() const {
  snapshot s;
  std::ranges::copy(tables_, s.begin());
  return s;
}

stats memory_store::statistics() const {
  const std::lock_guard lock(mutex_);
  stats s;
  s.schema = options_.schema;
  s.epoch = options_.epoch;
  for (size_t i = 0; i < table_count; ++i) s.records[i] = tables_[i]->rows.size();
  return s;
}

result<verify_report> memory_store::backup(const std::filesystem::path&) const {
  return fail(ec::wrong_state, "a store in memory has no file to copy", "use a store on disk");
}

bool memory_store::alive(uint64_t life) const {
  const std::lock_guard lock(mutex_);
  return !crashed_ && life == life_;
}

// Under the mutex, so that commit() can tell from the use count whether a reader still has the rows.
void memory_store::release(snapshot& s) const {
  const std::lock_guard lock(mutex_);
  for (auto& t : s) t.reset();
}

void memory_store::apply(changes& c) {
  for (size_t i = 0; i < table_count; ++i) {
    if (c[i].empty()) continue;
    if (tables_[i].use_count() > 1) tables_[i] = std::make_shared<records>(*tables_[i]);  // a reader keeps the old rows
    for (auto& [key, value] : c[i]) {
      tables_[i]->damaged.erase(key);
      if (value) {
        tables_[i]->rows.insert_or_assign(key, std::move(*value));
      } else {
        tables_[i]->rows.erase(key);
      }
    }
  }
}

result<void> memory_store::commit(changes& c, snapshot& base, uint64_t life, write_kind kind) {
  release(base);
  const std::lock_guard lock(mutex_);
  if (crashed_ || life != life_) return fail(crashed_error());
  writing_ = false;
  ++attempts_;
  if (const auto f = failing_.extract(attempts_)) return fail(f.mapped());
  if (full_ && kind == write_kind::ordinary) return fail(full_error());
  const auto crash_here = crashing_.extract(attempts_);
  if (!crash_here || crash_here.mapped() == crash_keeps::everything) apply(c);
  if (crash_here) {
    crashed_ = true;
    return fail(crashed_error());
  }
  ++commits_;
  return {};
}

void memory_store::fail_commit(uint64_t nth, msg::error with) {
  const std::lock_guard lock(mutex_);
  failing_.insert_or_assign(attempts_ + nth, std::move(with));
}

void memory_store::fail_puts(uint64_t n, msg::error with) {
  const std::lock_guard lock(mutex_);
  failing_puts_ = n;
  put_failure_ = std::move(with);
}

void memory_store::crash_in_commit(uint64_t nth, crash_keeps kept) {
  const std::lock_guard lock(mutex_);
  crashing_.insert_or_assign(attempts_ + nth, kept);
}

void memory_store::set_disk(disk state) {
  const std::lock_guard lock(mutex_);
  full_ = state == disk::is_full;
}

void memory_store::crash() {
  const std::lock_guard lock(mutex_);
  crashed_ = true;
}

void memory_store::restart() {
  const std::lock_guard lock(mutex_);
  crashed_ = writing_ = false;
  ++life_;
}

struct memory_store::image {
  std::array<records, table_count> tables;
};

std::shared_ptr<const memory_store::image> memory_store::copy() const {
  std::lock_guard guard(mutex_);
  auto out = std::make_shared<image>();
  for (size_t i = 0; i < table_count; ++i) out->tables[i] = *tables_[i];
  return out;
}

void memory_store::put_back(const image& backup) {
  std::lock_guard guard(mutex_);
  assert(crashed_);
  for (size_t i = 0; i < table_count; ++i) tables_[i] = std::make_shared<records>(backup.tables[i]);
}

bool memory_store::damage(table t, std::string_view key) {
  const std::lock_guard lock(mutex_);
  auto& rows = tables_[static_cast<size_t>(t)];
  if (!rows->rows.contains(key)) return false;
  if (rows.use_count() > 1) rows = std::make_shared<records>(*rows);
  rows->damaged.emplace(key);
  return true;
}

uint64_t memory_store::attempts() const {
  const std::lock_guard lock(mutex_);
  return attempts_;
}

uint64_t memory_store::commits() const {
  const std::lock_guard lock(mutex_);
  return commits_;
}

}  // namespace zedops::store
