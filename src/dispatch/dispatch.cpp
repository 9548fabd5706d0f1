#include "dispatch/dispatch.hpp"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

namespace fastconv {

// Each is defined where src/cmake/isa.cmake builds the set of that name.
namespace avx512 {
const KernelTable& table() noexcept;
}
namespace avx2 {
const KernelTable& table() noexcept;
}
namespace baseline {
const KernelTable& table() noexcept;
}
namespace neon {
const KernelTable& table() noexcept;
}

namespace {

// The features tested are those that src/cmake/isa.cmake lets the compiler use.
std::vector<const KernelTable*> detect() {
  std::vector<const KernelTable*> tables;
#if defined(__x86_64__)
  __builtin_cpu_init();
#endif
#if defined(FASTCONV_WITH_AVX512)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    tables.push_back(&avx512::table());
#endif
#if defined(FASTCONV_WITH_AVX2)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    tables.push_back(&avx2::table());
#endif
#if defined(FASTCONV_WITH_BASELINE)
  tables.push_back(&baseline::table());
#endif
#if defined(FASTCONV_WITH_NEON)
  tables.push_back(&neon::table());
#endif
  if (tables.empty()) throw std::runtime_error("none of the library's kernel sets runs here");
  return tables;
}

const KernelTable& choose() {
  const char* name = std::getenv("FASTCONV_ISA");
  if (!name || !*name) return *available_tables().front();
  if (const KernelTable* table = find_table(name)) return *table;
  std::string wanted;
  for (const KernelTable* table : available_tables())
    wanted += (wanted.empty() ? "" : ", ") + std::string(table->name);
  throw std::runtime_error("FASTCONV_ISA is '" + std::string(name) + "' (wanted one of " + wanted +
                           " on this machine)");
}

std::atomic<const KernelTable*> active{nullptr};

}  // namespace

const std::vector<const KernelTable*>& available_tables() {
  static const std::vector<const KernelTable*> tables = detect();
  return tables;
}

const KernelTable* find_table(const char* name) {
  for (const KernelTable* table : available_tables())
    if (std::strcmp(table->name, name) == 0) return table;
  return nullptr;
}

const KernelTable& active_table() {
  if (!active) active = &choose();
  return *active.load();
}

void use_table(const KernelTable& table) { active = &table; }

}  // namespace fastconv
