// Every kernel of the table, float32 and float64, on each instruction set that the machine runs (or
// those named as arguments), against loops written out in double.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>

#include "dispatch/dispatch.hpp"
#include "harness.hpp"

namespace fastconv::test {
namespace {

constexpr int kMostFailures = 20;

Placement current = Placement::heap;
std::string kernel_set;
const char* kernel_name = "";
std::vector<std::pair<const char*, Index>> case_parameters;
long case_count = 0;
int failure_count = 0;
std::mt19937 engine(0);

std::size_t page() {
  static const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

std::size_t pages_for(std::size_t bytes) { return (bytes + page() - 1) / page(); }

// Pages between two that are not mapped, kept for the next array of as many.
std::map<std::size_t, std::vector<char*>> kept;

char* take_pages(std::size_t count) {
  std::vector<char*>& free = kept[count];
  if (!free.empty()) {
    char* const first = free.back();
    free.pop_back();
    return first;
  }
  void* const memory = mmap(nullptr, (count + 2) * page(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
                            -1, 0);
  char* const first = static_cast<char*>(memory) + page();
  // An emulator refuses to open no page at all.
  if (memory == MAP_FAILED || (count && mprotect(first, count * page(), PROT_READ | PROT_WRITE)))
    std::abort();
  return first;
}

}  // namespace

void place(Placement placement) { current = placement; }

void* allocate(std::size_t bytes) {
  if (current == Placement::heap) return ::operator new(bytes);
  const std::size_t count = pages_for(bytes);
  char* const first = take_pages(count);
  return current == Placement::page_begin ? first : first + count * page() - bytes;
}

void deallocate(void* memory, std::size_t bytes) {
  if (current == Placement::heap) return ::operator delete(memory);
  const std::size_t count = pages_for(bytes);
  char* const at = static_cast<char*>(memory);
  kept[count].push_back(current == Placement::page_begin ? at : at + bytes - count * page());
}

void begin_kernel(const char* isa, const char* type, const char* placement) {
  kernel_set = std::string(isa) + " " + type + " " + placement;
}

void begin_case(const char* kernel,
                std::initializer_list<std::pair<const char*, Index>> parameters) {
  kernel_name = kernel;
  case_parameters.assign(parameters);
  ++case_count;
}

void fail(const std::string& message) {
  std::fprintf(stderr, "%s %s", kernel_set.c_str(), kernel_name);
  for (const auto& [name, value] : case_parameters)
    std::fprintf(stderr, " %s=%td", name, value);
  std::fprintf(stderr, ": %s\n", message.c_str());
  if (++failure_count == kMostFailures) std::exit(1);
}

long cases() { return case_count; }
int failures() { return failure_count; }

Index draw(Index first, Index last) {
  return first + static_cast<Index>(engine() % static_cast<unsigned long>(last - first + 1));
}

std::vector<Index> edges(Index n) {
  std::vector<Index> sizes;
  for (Index size : {Index{1}, Index{2}, Index{3}, n / 2, n / 2 + 1, n - 1, n, n + 1, n + n / 2,
                     2 * n - 1, 2 * n, 2 * n + 1, 3 * n + 2})
    if (size > (sizes.empty() ? 0 : sizes.back())) sizes.push_back(size);
  return sizes;
}

template <class T>
void test_all(const Kernels<T>& kernels) {
  test_tiles(kernels);
  test_row_tiles(kernels);
  test_gradients(kernels);
  test_rows(kernels);
  test_stores(kernels);
}

void test_table(const KernelTable& table) {
  constexpr std::pair<Placement, const char*> kPlacements[] = {
      {Placement::heap, "on the heap"},
      {Placement::page_begin, "at the beginning of a page"},
      {Placement::page_end, "at the end of a page"}};
  for (const auto& [placement, name] : kPlacements) {
    engine.seed(0);
    place(placement);
    begin_kernel(table.name, "float32", name);
    test_all(table.f32);
    begin_kernel(table.name, "float64", name);
    test_all(table.f64);
  }
  std::printf("%s: %ld cases\n", table.name, cases());
}

}  // namespace fastconv::test

int main(int count, char** arguments) {
  using namespace fastconv;
  for (int i = 1; i < count; ++i) {
    const KernelTable* table = find_table(arguments[i]);
    if (!table) return std::fprintf(stderr, "%s does not run here\n", arguments[i]), 2;
    test::test_table(*table);
  }
  if (count == 1)
    for (const KernelTable* table : available_tables()) test::test_table(*table);
  return test::failures() > 0;
}
