// What the kernel tests are made of: operands of small integers, so that every sum is exact in any
// order; placed so that a read outside of them is seen; destinations filled with NaN between guards.
#pragma once

#include <cmath>
#include <initializer_list>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "kernels/table.hpp"

namespace fastconv::test {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Where arrays stand: in heap blocks of their exact size, whose surroundings AddressSanitizer
// watches, or at the beginning or the end of pages whose neighbours are not mapped, which stop also
// the masked loads that it does not see.
enum class Placement { heap, page_begin, page_end };
void place(Placement placement);
void* allocate(std::size_t bytes);
void deallocate(void* memory, std::size_t bytes);

// The case that runs, for messages.
void begin_kernel(const char* isa, const char* type, const char* placement);
void begin_case(const char* kernel,
                std::initializer_list<std::pair<const char*, Index>> parameters);
void fail(const std::string& message);
long cases();
int failures();

// A number of [first, last], from a fixed seed.
Index draw(Index first, Index last);
inline bool coin() { return draw(0, 1) == 1; }

// Sizes at the edges of steps of n: 1, n - 1, n, n + 1, ...
std::vector<Index> edges(Index n);

template <class T>
class Array {
 public:
  explicit Array(Index size)
      : size_(size), data_(static_cast<T*>(allocate(static_cast<std::size_t>(size) * sizeof(T)))) {}
  Array(Array&& other) noexcept : size_(other.size_), data_(std::exchange(other.data_, nullptr)) {}
  Array& operator=(Array&&) = delete;
  ~Array() {
    if (data_) deallocate(data_, static_cast<std::size_t>(size_) * sizeof(T));
  }
  T* data() const { return data_; }
  Index size() const { return size_; }
  T& operator[](Index i) const {
    if (i < 0 || i >= size_) fail("the test itself reads element " + std::to_string(i));
    return data_[i];
  }

 private:
  Index size_;
  T* data_;
};

template <class T>
Array<T> integers(Index size) {
  Array<T> array(size);
  for (Index i = 0; i < size; ++i) array[i] = static_cast<T>(draw(-4, 4));
  return array;
}

template <class T>
Array<T> filled(Index size, T value) {
  Array<T> array(size);
  for (Index i = 0; i < size; ++i) array[i] = value;
  return array;
}

// Elements that a kernel writes: what is not expected to become a number must stay NaN, what is
// around must stay as it is.
template <class T>
class Target {
 public:
  explicit Target(Index size)
      : size_(size), array_(size + 2 * kGuards), expected_(static_cast<std::size_t>(size), kNan) {
    for (Index i = 0; i < array_.size(); ++i)
      array_[i] = i < kGuards || i >= kGuards + size ? kGuard : static_cast<T>(kNan);
  }

  T* data() const { return array_.data() + kGuards; }
  void set(Index i, double value) { at(i) = static_cast<T>(value); }
  void set_all() {
    for (Index i = 0; i < size_; ++i) set(i, static_cast<double>(draw(-4, 4)));
    for (Index i = 0; i < size_; ++i) expect(i, static_cast<double>(at(i)));
  }
  double get(Index i) const { return static_cast<double>(at(i)); }
  void expect(Index i, double value) { expected_.at(static_cast<std::size_t>(i)) = value; }
  // The first `count` elements behind the end may become anything.
  void allow_behind(Index count) { allowed_ = count; }

  void check() const {
    for (Index i = -kGuards; i < size_ + kGuards; ++i) {
      if (i >= size_ && i < size_ + allowed_) continue;
      const bool inside = i >= 0 && i < size_;
      const double wanted =
          inside ? expected_[static_cast<std::size_t>(i)] : static_cast<double>(kGuard);
      const double got = static_cast<double>(array_[i + kGuards]);
      if (got == wanted || (got != got && wanted != wanted)) continue;
      return fail("element " + std::to_string(i) + " of " + std::to_string(size_) + " is " +
                  std::to_string(got) + ", wanted " + std::to_string(wanted));
    }
  }

 private:
  static constexpr Index kGuards = 40;
  static constexpr T kGuard = 77777;
  T& at(Index i) const { return array_[i + kGuards]; }

  Index size_;
  Array<T> array_;
  std::vector<double> expected_;
  Index allowed_ = 0;
};

// An activation whose results of small integers are exact, and its formula.
template <class T>
Epilogue<T> draw_epilogue() {
  constexpr Activation kExact[] = {Activation::none, Activation::relu, Activation::relu6,
                                   Activation::leaky_relu};
  return {kExact[draw(0, 3)], static_cast<T>(0.5)};
}

template <class T>
double activate(double x, Epilogue<T> epilogue) {
  switch (epilogue.activation) {
    case Activation::relu: return x < 0 ? 0 : x;
    case Activation::relu6: return x < 0 ? 0 : x > 6 ? 6 : x;
    case Activation::leaky_relu: return x > 0 ? x : x * static_cast<double>(epilogue.slope);
    default: return x;
  }
}

template <class T>
void test_tiles(const Kernels<T>& kernels);
template <class T>
void test_row_tiles(const Kernels<T>& kernels);
template <class T>
void test_gradients(const Kernels<T>& kernels);
template <class T>
void test_rows(const Kernels<T>& kernels);
template <class T>
void test_stores(const Kernels<T>& kernels);

}  // namespace fastconv::test
