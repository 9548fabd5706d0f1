// An extension module of another package: NumPy arrays in, fastconv's kernels, NumPy arrays out.
#include <fastconv/fastconv.hpp>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

namespace py = pybind11;

template <class T>
using Array = py::array_t<T, py::array::c_style | py::array::forcecast>;

template <class T>
static Array<T> correlate(const Array<T>& x, const Array<T>& w, int threads) {
  const fastconv::Convolution<T> conv(
      fastconv::ConvDesc(fastconv::Sizes(x.shape(), x.shape() + x.ndim()),
                         fastconv::Sizes(w.shape(), w.shape() + w.ndim())).same());
  Array<T> y(conv.output_shape());
  fastconv::Extras<T> extras;
  extras.threads = threads;
  T* const output = y.mutable_data();
  const py::gil_scoped_release release;
  conv.forward(x.data(), w.data(), output, extras);
  return y;
}

PYBIND11_MODULE(edges, module, py::mod_gil_not_used()) {
  for (auto* function : {"correlate"}) {
    module.def(function, &correlate<float>, py::arg("x").noconvert(), py::arg("w").noconvert(),
               py::arg("threads") = 0);
    module.def(function, &correlate<double>, py::arg("x"), py::arg("w"), py::arg("threads") = 0);
  }
}
