// A convolution layer whose weights do not change: all but the arrays is settled beforehand, or the
// arrays too.
#include "python/bound.hpp"
#include "python/conv.hpp"
#include "python/errors.hpp"
#include "python/outputs.hpp"
#include "python/register.hpp"

namespace fastconv::python {
namespace {

class FrozenConv {
 public:
  FrozenConv(std::string function, std::shared_ptr<Weights> weights, const py::object& bias,
             py::handle stride, py::handle padding, py::handle dilation, int activation,
             double slope, int algorithm)
      : function_(std::move(function)),
        weights_(std::move(weights)),
        bias_(bias.is_none() ? bias : bias.attr("copy")()) {
    fastconv_conv_desc& desc = key_.desc;
    desc.spatial = weights_->sizes.count() - 2;
    describe_window(name(), {stride, padding, dilation}, desc);
    describe_method({algorithm, activation, slope}, desc);
  }

  py::object call(const py::array& array, const py::object& residual,
                  const py::object& out) const {
    const View input = input_of(array);
    ConvKey key = key_of(input);
    Extras extras(bias_, residual, out);
    return conv_forward(name(), key, input, nullptr, weights_.get(), extras);
  }

  Bound bind(const py::array& array, const py::object& residual, const py::array& out) const {
    const View input = input_of(array);
    if (!input.array.is(array))
      value_error(name(), "input has memory that must be copied (wanted aligned elements)");
    ConvKey key = key_of(input);
    View output = output_of(name(), out, output_sizes(name(), key), input);
    check_apart(name(), output, input);
    fastconv_buffers buffers = no_buffers();
    std::vector<py::object> kept{array, out, py::cast(weights_)};
    if (!bias_.is_none()) {
      const View bias = bias_of(name(), bias_.cast<py::array>(), input, output.sizes[1]);
      buffers.bias = bias.data();
      kept.push_back(bias.array);
    }
    if (!residual.is_none()) {
      const View added = residual_of(name(), residual.cast<py::array>(), input, output);
      if (!added.array.is(residual))
        value_error(name(), "residual has other strides than out (wanted the same)");
      if (added.data() != output.data()) check_apart(name(), output, added);
      buffers.residual = added.data();
      kept.push_back(added.array);
    }
    key.set_strides(kInput, input.strides);
    key.set_strides(kOutput, output.strides);
    key.direction = FASTCONV_FORWARD;
    buffers.input = input.data();
    buffers.prepared = weights_->handle.get();
    buffers.output = output.mutable_data();
    return {function_, find_plan(name(), key), buffers, std::move(kept)};
  }

  const std::shared_ptr<Weights>& weights() const { return weights_; }

 private:
  const char* name() const { return function_.c_str(); }

  View input_of(const py::array& array) const {
    View input = image_of(name(), "input", array, {key_.desc.spatial});
    if (input.dtype != weights_->dtype)
      throw py::type_error(function_ + ": input is " + dtype_text(input.dtype) +
                           ", the frozen weight is " + dtype_text(weights_->dtype) +
                           " (wanted one dtype)");
    return input;
  }

  ConvKey key_of(const View& input) const {
    ConvKey key = key_;
    key.isa = fastconv_isa();
    describe_input(input, key.desc);
    describe_weight(name(), input, weights_->sizes, weights_->groups, key.desc);
    return key;
  }

  static const char* dtype_text(fastconv_dtype dtype) {
    return dtype == FASTCONV_FLOAT32 ? "float32" : "float64";
  }

  std::string function_;
  std::shared_ptr<Weights> weights_;
  py::object bias_;
  ConvKey key_;  // but for the input's part
};

}  // namespace

void register_frozen(py::module_& module) {
  py::class_<Weights, std::shared_ptr<Weights>>(module, "Weights")
      .def(py::init<const char*, const py::array&, std::int64_t>());
  py::class_<Bound>(module, "Bound")
      .def("__call__", &Bound::call)
      .def("on", &Bound::call_on);
  py::class_<Binding>(module, "Binding").def(py::init<py::array>());
  py::class_<FrozenConv>(module, "FrozenConv")
      .def(py::init<std::string, std::shared_ptr<Weights>, const py::object&, py::handle,
                    py::handle, py::handle, int, double, int>(),
           py::arg(), py::arg(), py::arg(), py::arg(), py::arg(), py::arg(), py::arg(), py::arg(),
           py::arg("algorithm") = 0)
      .def_property_readonly("weights", &FrozenConv::weights)
      .def("bind", &FrozenConv::bind)
      .def("__call__", &FrozenConv::call, py::arg("input"), py::pos_only(),
           py::arg("residual") = py::none(), py::arg("out") = py::none());
}

}  // namespace fastconv::python
