// What the entry points of passes share.
#pragma once

#include "api/entry.hpp"
#include "dispatch/dispatch.hpp"

namespace fastconv {

// Calls body(T{}, kernels) for the type that the description names, on the ISA in use.
template <class Desc, class Body>
fastconv_status run(const Desc* desc, const Body& body) {
  return guard([&] {
    check_size(desc);
    const KernelTable& table = active_table();
    switch (desc->dtype) {
      case FASTCONV_FLOAT32: body(float{}, table.f32); break;
      case FASTCONV_FLOAT64: body(double{}, table.f64); break;
      default:
        invalid("dtype is " + std::to_string(desc->dtype) + " (wanted float32 or float64)");
    }
    executed_isa = table.name;
  });
}

}  // namespace fastconv
