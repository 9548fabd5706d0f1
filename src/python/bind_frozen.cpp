// A convolution layer whose weights do not change: all but the input is settled beforehand.
#include "python/conv.hpp"
#include "python/register.hpp"

namespace fastconv::python {
namespace {

class FrozenConv {
 public:
  FrozenConv(std::string function, std::shared_ptr<Weights> weights, const py::object& bias,
             py::handle stride, py::handle padding, py::handle dilation, int activation,
             double slope)
      : function_(std::move(function)),
        weights_(std::move(weights)),
        bias_(bias.is_none() ? bias : bias.attr("copy")()) {
    fastconv_conv_desc& desc = key_.desc;
    desc.spatial = weights_->sizes.count() - 2;
    describe_window(name(), {stride, padding, dilation}, desc);
    describe_method({FASTCONV_ALGORITHM_AUTO, activation, slope}, desc);
  }

  py::object call(const py::array& array) const {
    const View input = image_of(name(), "input", array, {key_.desc.spatial});
    if (input.dtype != weights_->dtype)
      throw py::type_error(function_ + ": input is " + dtype_text(input.dtype) +
                           ", the frozen weight is " + dtype_text(weights_->dtype) +
                           " (wanted one dtype)");
    ConvKey key = key_;
    key.isa = fastconv_isa();
    describe_input(input, key.desc);
    describe_weight(name(), input, weights_->sizes, weights_->groups, key.desc);
    const py::none none;
    Extras extras(bias_, none, none);
    return conv_forward(name(), key, input, nullptr, weights_.get(), extras);
  }

  const std::shared_ptr<Weights>& weights() const { return weights_; }

 private:
  const char* name() const { return function_.c_str(); }
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
  py::class_<FrozenConv>(module, "FrozenConv")
      .def(py::init<std::string, std::shared_ptr<Weights>, const py::object&, py::handle,
                    py::handle, py::handle, int, double>())
      .def_property_readonly("weights", &FrozenConv::weights)
      .def("__call__", &FrozenConv::call);
}

}  // namespace fastconv::python
