// Unfolding images to columns and folding them back, each the other's gradient.
#include "python/arguments.hpp"
#include "python/errors.hpp"
#include "python/outputs.hpp"
#include "python/register.hpp"
#include "python/run.hpp"

namespace fastconv::python {
namespace {

// Columns are images of one dimension: (N, C * kernel elements, windows), or without a batch.
struct Unfolding {
  fastconv_unfold_desc desc{};
  Sizes image, columns;
  Form image_form, columns_form;

  // Of an image of these sizes.
  Unfolding(const char* function, const View& like, const Sizes& image_, py::handle kernel,
            const Window& window)
      : image(image_),
        image_form{2, false, like.form.batched},
        columns_form{1, false, like.form.batched} {
    desc.size = sizeof desc;
    desc.dtype = like.dtype;
    desc.spatial = 2;
    desc.batch = image[0], desc.channels = image[1];
    desc.input[0] = image[2], desc.input[1] = image[3];
    read_ints(function, "kernel_size", kernel, 2, desc.kernel);
    describe_window(function, window, desc);
    std::int64_t windows[2];
    check(function, fastconv_unfold_output(&desc, windows));
    columns = {desc.batch, desc.channels * desc.kernel[0] * desc.kernel[1],
               windows[0] * windows[1]};
  }

  // The caller's array of these sizes, or a new one in C order or, of an image, channels-last.
  View target(const char* function, const py::object& out, const View& input, const Sizes& sizes,
              const Form& form, bool channels_last) const {
    if (out.is_none())
      return allocate(input.array.dtype(), form, sizes, packed_strides(sizes, channels_last));
    View like = input;
    like.form = form;
    View given = output_of(function, out, sizes, like);
    check_apart(function, given, input);
    return given;
  }

  py::array unfold(const char* function, const View& input, const py::object& out) {
    View output = target(function, out, input, columns, columns_form, false);
    View direct = output.strides[2] == 1 || columns[2] == 1
                      ? output
                      : allocate(input.array.dtype(), columns_form, columns,
                                 packed_strides(columns, false));
    void* memory = direct.mutable_data();
    desc.image_strides = input.strides.data(), desc.columns_strides = direct.strides.data();
    run(function, [&] { return fastconv_unfold(&desc, input.data(), memory); });
    if (!direct.array.is(output.array)) output.array[py::ellipsis()] = direct.array;
    return output.array;
  }

  py::array fold(const char* function, const View& given, const py::object& out,
                 bool channels_last) {
    View input = given;
    if (input.strides[2] != 1 && columns[2] != 1)
      input.array = input.array.attr("copy")("C").cast<py::array>(),
      input.strides = packed_strides(columns, false);
    View output = target(function, out, given, image, image_form, channels_last);
    void* memory = output.mutable_data();
    desc.image_strides = output.strides.data(), desc.columns_strides = input.strides.data();
    run(function, [&] { return fastconv_fold(&desc, input.data(), memory); });
    return output.array;
  }
};

// The image that `columns` are of.
Sizes folded(const char* function, const View& columns, py::handle output_size,
             py::handle kernel) {
  std::int64_t size[2], taps[2], product;
  read_ints(function, "output_size", output_size, 2, size);
  read_ints(function, "kernel_size", kernel, 2, taps);
  const std::int64_t rows = columns.sizes[1];
  // A kernel below 1 is refused later, with the channels that are here.
  if (taps[0] < 1 || taps[1] < 1) return {columns.sizes[0], 1, size[0], size[1]};
  if (__builtin_mul_overflow(taps[0], taps[1], &product) || rows % product || rows == 0)
    value_error(function, "input has " + std::to_string(rows) + " rows, kernel_size is " +
                              shape_text(Sizes{taps[0], taps[1]}) +
                              " (wanted a multiple of the kernel's elements)");
  return {columns.sizes[0], rows / product, size[0], size[1]};
}

Unfolding folding(const char* function, const View& input, py::handle output_size,
                  py::handle kernel, const Window& window) {
  Unfolding all(function, input, folded(function, input, output_size, kernel), kernel, window);
  if (input.sizes[2] != all.columns[2])
    value_error(function, "input has " + std::to_string(input.sizes[2]) + " columns (wanted " +
                              std::to_string(all.columns[2]) + ", one a window)");
  return all;
}

py::array unfold(const char* function, const py::array& array, py::handle kernel,
                 py::handle dilation, py::handle padding, py::handle stride,
                 const py::object& out) {
  const View input = image_of(function, "input", array, {2});
  Unfolding all(function, input, input.sizes, kernel, {stride, padding, dilation});
  return all.unfold(function, input, out);
}

py::array unfold_backward(const char* function, const py::array& grad_output,
                          const py::array& array, py::handle kernel, py::handle dilation,
                          py::handle padding, py::handle stride) {
  const View input = image_of(function, "input", array, {2});
  Unfolding all(function, input, input.sizes, kernel, {stride, padding, dilation});
  const View grad = image_of(function, "grad_output", grad_output, {1}, input);
  check_sizes(function, "grad_output", grad, all.columns, all.columns_form);
  return all.fold(function, grad, py::none(), is_channels_last(input));
}

py::array fold(const char* function, const py::array& array, py::handle output_size,
               py::handle kernel, py::handle dilation, py::handle padding, py::handle stride,
               const py::object& out) {
  const View input = image_of(function, "input", array, {1});
  Unfolding all = folding(function, input, output_size, kernel, {stride, padding, dilation});
  return all.fold(function, input, out, false);
}

py::array fold_backward(const char* function, const py::array& grad_output, const py::array& array,
                        py::handle output_size, py::handle kernel, py::handle dilation,
                        py::handle padding, py::handle stride) {
  const View input = image_of(function, "input", array, {1});
  Unfolding all = folding(function, input, output_size, kernel, {stride, padding, dilation});
  const View grad = image_of(function, "grad_output", grad_output, {2}, input);
  check_sizes(function, "grad_output", grad, all.image, all.image_form);
  return all.unfold(function, grad, py::none());
}

}  // namespace

void register_unfold(py::module_& module) {
  module.def("unfold", &unfold);
  module.def("unfold_backward", &unfold_backward);
  module.def("fold", &fold);
  module.def("fold_backward", &fold_backward);
}

}  // namespace fastconv::python
