// Two ways to keep a large value outside its holder while it still behaves as a value. Codecs see through both.
#pragma once
#include <memory>
#include <optional>
#include <utility>

namespace zedops::msg {

// A T that never changes and is shared by its copies: for the one alternative of a variant that would enlarge them all.
template <class T>
class boxed {
 public:
  using value_type = T;
  boxed() = default;
  boxed(T value) : kept_(std::make_shared<const T>(std::move(value))) {}  // implicit on purpose: it stands for a T

  const T& operator*() const {
    static const T blank{};
    return kept_ ? *kept_ : blank;
  }
  const T* operator->() const { return &**this; }
  operator const T&() const { return **this; }
  friend bool operator==(const boxed& a, const boxed& b) { return a.kept_ == b.kept_ || *a == *b; }

 private:
  std::shared_ptr<const T> kept_;
};

// An optional that takes no room while it is empty, for what most records do not have. Copies are deep.
template <class T>
class sparse {
 public:
  using value_type = T;
  sparse() = default;
  sparse(std::nullopt_t) {}
  sparse(T value) : kept_(std::make_unique<T>(std::move(value))) {}
  sparse(std::optional<T> value) {
    if (value) emplace(std::move(*value));
  }
  sparse(const sparse& other) : kept_(other.kept_ ? std::make_unique<T>(*other.kept_) : nullptr) {}
  sparse(sparse&&) noexcept = default;
  sparse& operator=(sparse other) noexcept {
    kept_.swap(other.kept_);
    return *this;
  }
  ~sparse() = default;

  template <class... Args>
  T& emplace(Args&&... args) {
    kept_ = std::make_unique<T>(std::forward<Args>(args)...);
    return *kept_;
  }
  void reset() { kept_.reset(); }
  bool has_value() const { return kept_ != nullptr; }
  explicit operator bool() const { return has_value(); }
  T& operator*() { return *kept_; }
  const T& operator*() const { return *kept_; }
  T* operator->() { return kept_.get(); }
  const T* operator->() const { return kept_.get(); }
  const T& value() const { return kept_ ? *kept_ : throw std::bad_optional_access(); }
  operator std::optional<T>() const { return kept_ ? std::optional<T>(*kept_) : std::nullopt; }
  friend bool operator==(const sparse& a, const sparse& b) {
    return a.has_value() == b.has_value() && (!a || *a == *b);
  }

 private:
  std::unique_ptr<T> kept_;
};

}  // namespace zedops::msg
