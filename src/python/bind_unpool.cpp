// Max unpooling and its gradient.
#include "python/arguments.hpp"
#include "python/errors.hpp"
#include "python/outputs.hpp"
#include "python/register.hpp"
#include "python/run.hpp"

namespace fastconv::python {
namespace {

struct Unpool {
  View input, indices;
  fastconv_unpool_desc desc{};
  Sizes output;

  Unpool(const char* function, const Form& form, const py::array& input_, const py::array& indices_,
         py::handle kernel, py::handle stride, py::handle padding, py::handle output_size)
      : input(image_of(function, "input", input_, form)),
        indices(indices_of(function, indices_, input.form)) {
    if (indices.sizes != input.sizes || indices.form.batched != input.form.batched)
      value_error(function, "indices has shape " + shape_text(indices_) + " (wanted " +
                                shape_text(input_) + ", the input's)");
    desc.size = sizeof desc;
    describe_input(input, desc);
    desc.channels = input.sizes[1];
    read_ints(function, "kernel_size", kernel, form.dims, desc.kernel);
    read_ints(function, "stride", stride, form.dims, desc.stride);
    if (PyUnicode_Check(padding.ptr()))
      desc.padding = read_padding_name(function, padding);
    else
      read_pairs(function, padding, form.dims, desc.pad_before, desc.pad_after);
    if (!output_size.is_none()) read_output(function, output_size);
    desc.input_strides = input.strides.data();
    desc.indices_strides = indices.strides.data();
    std::int64_t spatial[3];
    check(function, fastconv_max_unpool_output(&desc, spatial));
    output = {input.sizes[0], input.sizes[1]};
    for (int i = 0; i < form.dims; ++i) output.push(spatial[i]);
  }

 private:
  void read_output(const char* function, py::handle output_size) {
    const int dims = desc.spatial;
    read_ints(function, "output_size", output_size, dims, desc.output);
    if (std::all_of(desc.output, desc.output + dims, [](auto size) { return size == 0; }))
      value_error(function, "output_size is 0 (wanted at least 1 in each dimension)");
  }
};

py::array max_unpool(const char* function, int dims, bool nhwc, const py::array& input,
                     const py::array& indices, py::handle kernel, py::handle stride,
                     py::handle padding, py::handle output_size, const py::object& out) {
  Unpool unpool(function, {dims, nhwc}, input, indices, kernel, stride, padding, output_size);
  View output = [&] {
    if (out.is_none())
      return allocate(unpool.input.array.dtype(), unpool.input.form, unpool.output,
                      packed_strides(unpool.output, is_channels_last(unpool.input)));
    View given = output_of(function, out, unpool.output, unpool.input);
    check_apart(function, given, unpool.input);
    check_apart(function, given, unpool.indices);
    return given;
  }();
  unpool.desc.output_strides = output.strides.data();
  void* target = output.mutable_data();
  run(function, [&] {
    return fastconv_max_unpool(&unpool.desc, unpool.input.data(),
                               static_cast<const std::int64_t*>(unpool.indices.data()), target);
  });
  return output.array;
}

py::array max_unpool_backward(const char* function, int dims, bool nhwc,
                              const py::array& grad_output, const py::array& input,
                              const py::array& indices, py::handle kernel, py::handle stride,
                              py::handle padding, py::handle output_size) {
  Unpool unpool(function, {dims, nhwc}, input, indices, kernel, stride, padding, output_size);
  const View& like = unpool.input;
  const View grad = image_of(function, "grad_output", grad_output, like.form, like);
  check_sizes(function, "grad_output", grad, unpool.output, like.form);
  View target = allocate(like.array.dtype(), like.form, like.sizes,
                         packed_strides(like.sizes, is_channels_last(like)));
  unpool.desc.input_strides = target.strides.data();
  unpool.desc.output_strides = grad.strides.data();
  void* memory = target.mutable_data();
  run(function, [&] {
    return fastconv_max_unpool_backward(&unpool.desc, grad.data(),
                                        static_cast<const std::int64_t*>(unpool.indices.data()),
                                        memory);
  });
  return target.array;
}

}  // namespace

void register_unpool(py::module_& module) {
  module.def("max_unpool", &max_unpool);
  module.def("max_unpool_backward", &max_unpool_backward);
}

}  // namespace fastconv::python
