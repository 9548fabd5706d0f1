// Cross entropy and its gradients.
#include <optional>
#include <vector>

#include "python/dense.hpp"
#include "python/errors.hpp"
#include "python/register.hpp"
#include "python/run.hpp"

namespace fastconv::python {
namespace {

using Maybe = std::optional<py::array>;
using Shape = std::vector<py::ssize_t>;

py::array in_c_order(const py::array& array) {
  constexpr int wanted =
      py::detail::npy_api::NPY_ARRAY_C_CONTIGUOUS_ | py::detail::npy_api::NPY_ARRAY_ALIGNED_;
  if ((array.flags() & wanted) == wanted) return array;
  return array.attr("copy")("C").cast<py::array>();
}

std::string text(const Shape& shape) {
  std::string words = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) words += (i ? ", " : "") + std::to_string(shape[i]);
  return words + (shape.size() == 1 ? ",)" : ")");
}

// Whether the axes beside the classes', in memory, stand in the order of the shape: then the
// positions of the loss do, wherever the classes lie.
bool positions_in_order(const py::array& array, py::ssize_t axis) {
  py::ssize_t last = -1;
  for (py::ssize_t i = array.ndim(); i-- > 0;) {
    if (i == axis || array.shape()[i] == 1) continue;
    if (array.strides()[i] < last) return false;
    last = array.strides()[i];
  }
  return true;
}

// A loss in the C API's words, its arrays checked and in order.
class Loss {
 public:
  Loss(const char* function, const py::array& array, const py::array& target, const Maybe& weight,
       std::int64_t ignore_index, int reduction, double label_smoothing)
      : function_(function),
        axis_(std::min<py::ssize_t>(1, array.ndim() - 1)),
        input_(dense_of(function, "input", array)) {
    if (axis_ < 0 || array.shape()[axis_] == 0)
      value_error(function, "input has shape " + shape_text(array) + " (wanted at least one class)");
    if (!positions_in_order(input_.array, axis_)) input_.array = in_c_order(array);
    for (py::ssize_t i = 0; i < array.ndim(); ++i)
      if (i != axis_) shape_.push_back(array.shape()[i]);
    const py::ssize_t classes = array.shape()[axis_];
    const py::ssize_t inner =
        classes > 1 && array.size() > 0 ? input_.array.strides()[axis_] / array.itemsize() : 1;
    desc = {sizeof desc, input_.dtype, array.size() / classes / inner, classes, inner};
    args.size = sizeof args;
    args.input = input_.data();
    args.ignore_index = ignore_index;
    args.reduction = static_cast<fastconv_reduction>(reduction);
    args.label_smoothing = label_smoothing;
    if (weight) read_weight(*weight);
    read_target(target);
  }

  const Dense& input() const { return input_; }
  bool has_labels() const { return labels_.has_value(); }

  // A new array of the shape of the losses, or of one number.
  py::array make_loss() const {
    return args.reduction == FASTCONV_REDUCTION_NONE ? py::array(input_.array.dtype(), shape_)
                                                     : py::array(input_.array.dtype(), Shape{});
  }

  py::array grad_of(const py::array& grad) const {
    const Shape wanted = args.reduction == FASTCONV_REDUCTION_NONE ? shape_ : Shape{};
    if (float_dtype(function_, "grad_output", grad) != input_.dtype)
      type_error(function_, "input is " + name_of(input_.array.dtype()) + ", grad_output is " +
                                name_of(grad.dtype()) + " (wanted one dtype)");
    if (Shape(grad.shape(), grad.shape() + grad.ndim()) != wanted)
      value_error(function_, "grad_output has shape " + shape_text(grad) + " (wanted " +
                                 text(wanted) + ")");
    return in_c_order(grad);
  }

  fastconv_axis_desc desc;
  fastconv_cross_entropy_args args{};

 private:
  void read_weight(const py::array& weight) {
    if (float_dtype(function_, "weight", weight) != input_.dtype)
      type_error(function_, "input is " + name_of(input_.array.dtype()) + ", weight is " +
                                name_of(weight.dtype()) + " (wanted one dtype)");
    if (weight.ndim() != 1 || weight.shape()[0] != desc.length)
      value_error(function_, "weight has shape " + shape_text(weight) + " (wanted (" +
                                 std::to_string(desc.length) + ",))");
    weight_ = in_c_order(weight);
    args.weight = weight_->data();
  }

  void read_target(const py::array& target) {
    const py::dtype dtype = target.dtype();
    if (dtype.kind() == 'f') {
      if (args.ignore_index >= 0)
        value_error(function_, "ignore_index is " + std::to_string(args.ignore_index) +
                                   " with probabilities as target (wanted none)");
      probabilities_ = dense_of(function_, "target", target, input_, "input");
      args.probabilities = probabilities_->data();
      return;
    }
    if (dtype.kind() != 'i' || (dtype.itemsize() != 4 && dtype.itemsize() != 8) ||
        dtype.byteorder() == '>')
      type_error(function_, "target has dtype " + name_of(dtype) +
                                " (wanted int32 or int64 classes, or " +
                                name_of(input_.array.dtype()) + " probabilities)");
    if (Shape(target.shape(), target.shape() + target.ndim()) != shape_)
      value_error(function_, "target has shape " + shape_text(target) + ", input " +
                                 shape_text(input_.array) + " (wanted " + text(shape_) + ")");
    labels_ = in_c_order(
        dtype.itemsize() == 8 ? target : target.attr("astype")("int64").cast<py::array>());
    args.labels = static_cast<const std::int64_t*>(labels_->data());
  }

  const char* function_;
  py::ssize_t axis_;
  Dense input_;
  Shape shape_;
  std::optional<py::array> weight_, labels_;
  std::optional<Dense> probabilities_;
};

py::array cross_entropy(const char* function, const py::array& input, const py::array& target,
                        const Maybe& weight, std::int64_t ignore_index, int reduction,
                        double label_smoothing) {
  Loss loss(function, input, target, weight, ignore_index, reduction, label_smoothing);
  py::array result = loss.make_loss();
  loss.args.loss = result.mutable_data();
  run(function, [&] { return fastconv_cross_entropy(&loss.desc, &loss.args); });
  return result;
}

py::tuple cross_entropy_backward(const char* function, const py::array& grad_output,
                                 const py::array& input, const py::array& target,
                                 const Maybe& weight, std::int64_t ignore_index, int reduction,
                                 double label_smoothing, bool needs_input, bool needs_target) {
  Loss loss(function, input, target, weight, ignore_index, reduction, label_smoothing);
  const py::array grad = loss.grad_of(grad_output);
  loss.args.grad_output = grad.data();
  std::optional<Dense> grad_input, grad_target;
  if (needs_input) {
    grad_input = allocate_like(loss.input());
    loss.args.grad_input = grad_input->mutable_data();
  }
  if (needs_target && !loss.has_labels()) {
    grad_target = allocate_like(loss.input());
    loss.args.grad_probabilities = grad_target->mutable_data();
  }
  run(function, [&] { return fastconv_cross_entropy_backward(&loss.desc, &loss.args); });
  const auto object = [](const std::optional<Dense>& dense) {
    return dense ? py::object(dense->array) : py::none();
  };
  return py::make_tuple(object(grad_input), object(grad_target), py::none());
}

}  // namespace

void register_loss(py::module_& module) {
  module.def("cross_entropy", &cross_entropy);
  module.def("cross_entropy_backward", &cross_entropy_backward);
}

}  // namespace fastconv::python
