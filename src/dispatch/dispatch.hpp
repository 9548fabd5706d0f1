// Which instruction set's kernels run.
#pragma once

#include <vector>

#include "kernels/table.hpp"

namespace fastconv {

// The tables that this machine runs, best first.
const std::vector<const KernelTable*>& available_tables();

// The table of that name; null if there is none or the machine does not run it.
const KernelTable* find_table(const char* name);

// The one in use: the best, or what FASTCONV_ISA names, or what use_table last chose. Throws
// std::runtime_error if FASTCONV_ISA names none that runs.
const KernelTable& active_table();
void use_table(const KernelTable& table);

}  // namespace fastconv
