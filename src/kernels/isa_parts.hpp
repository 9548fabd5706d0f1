// The parts of an instruction set's table, each compiled from a source of its own.
#pragma once

#include "kernels/table.hpp"

namespace fastconv::FASTCONV_ISA {

void add_pooling(Kernels<float>& kernels) noexcept;
void add_pooling(Kernels<double>& kernels) noexcept;
void add_passes(Kernels<float>& kernels) noexcept;
void add_passes(Kernels<double>& kernels) noexcept;

}  // namespace fastconv::FASTCONV_ISA
