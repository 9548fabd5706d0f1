// The C entry points of unfolding and unpooling.
#include <algorithm>

#include "api/check.hpp"
#include "api/pass.hpp"
#include "pool/pool.hpp"

using namespace fastconv;

namespace {

void check_found(const std::optional<std::int64_t>& wrong, const UnpoolShape& shape) {
  if (wrong)
    invalid("indices has " + std::to_string(*wrong) + " (wanted 0 to " +
            std::to_string(shape.outputs() - 1) + ", the places of the output's plane)");
}

}  // namespace

fastconv_status fastconv_unfold_output(const fastconv_unfold_desc* desc, int64_t* output) {
  return guard([&] {
    check_size(desc);
    const UnfoldShape shape = make_shape(*desc);
    write<std::int64_t>("output", output);
    output[0] = shape.axis[1].output, output[1] = shape.axis[2].output;
  });
}

fastconv_status fastconv_unfold(const fastconv_unfold_desc* desc, const void* image,
                                void* columns) {
  return run(desc, [&](auto type, const auto&) {
    using T = decltype(type);
    const UnfoldShape shape = make_shape(*desc);
    if (shape.n > 0) unfold<T>(shape, read<T>("image", image), write<T>("columns", columns));
  });
}

fastconv_status fastconv_fold(const fastconv_unfold_desc* desc, const void* columns, void* image) {
  return run(desc, [&](auto type, const auto&) {
    using T = decltype(type);
    const UnfoldShape shape = make_shape(*desc);
    if (shape.n > 0) fold<T>(shape, read<T>("columns", columns), write<T>("image", image));
  });
}

fastconv_status fastconv_max_unpool_output(const fastconv_unpool_desc* desc, int64_t* output) {
  return guard([&] {
    check_size(desc);
    const UnpoolShape shape = make_shape(*desc);
    write<std::int64_t>("output", output);
    std::copy_n(shape.output + 3 - desc->spatial, desc->spatial, output);
  });
}

fastconv_status fastconv_max_unpool(const fastconv_unpool_desc* desc, const void* input,
                                    const int64_t* indices, void* output) {
  return run(desc, [&](auto type, const auto&) {
    using T = decltype(type);
    const UnpoolShape shape = make_shape(*desc);
    if (shape.n == 0) return;
    check_found(max_unpool_forward<T>(shape, read<T>("input", input),
                                      read<std::int64_t>("indices", indices),
                                      write<T>("output", output)),
                shape);
  });
}

fastconv_status fastconv_max_unpool_backward(const fastconv_unpool_desc* desc,
                                             const void* grad_output, const int64_t* indices,
                                             void* grad_input) {
  return run(desc, [&](auto type, const auto&) {
    using T = decltype(type);
    const UnpoolShape shape = make_shape(*desc);
    if (shape.n == 0) return;
    check_found(max_unpool_backward<T>(shape, read<T>("grad_output", grad_output),
                                       read<std::int64_t>("indices", indices),
                                       write<T>("grad_input", grad_input)),
                shape);
  });
}
