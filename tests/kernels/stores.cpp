// Finished sums on their way to the caller's arrays of any strides: store and store_channels, with
// every number of phases that take turns.
#include "harness.hpp"

namespace fastconv::test {
namespace {

template <class T>
void test_store(const Kernels<T>& kernels, Index columns, Index phases) {
  const Index rows = draw(1, 3), each = (columns - 1) / phases + 1, pitch = each + draw(0, 3);
  const Index phase_step = rows * pitch + draw(0, 3), column_stride = coin() ? 1 : draw(2, 4);
  const Index row_stride = columns * column_stride + draw(0, 3);
  const bool residual = coin();
  const Epilogue<T> epilogue = draw_epilogue<T>();
  const T bias = static_cast<T>(draw(-4, 4));
  begin_case("store",
             {{"rows", rows}, {"columns", columns}, {"column_stride", column_stride},
              {"phases", phases}, {"residual", residual},
              {"activation", static_cast<Index>(epilogue.activation)}});
  // Of phases that end early, what is beyond their end must not be read: it is NaN, or not there.
  const Index last = (columns - 1) % phases;
  const Array<T> sum = filled<T>(
      (columns < phases ? last : phases - 1) * phase_step + (rows - 1) * pitch + each,
      static_cast<T>(kNan));
  const Index size = (rows - 1) * row_stride + (columns - 1) * column_stride + 1;
  const Array<T> other = integers<T>(size);
  Target<T> target(size);
  for (Index row = 0; row < rows; ++row)
    for (Index column = 0; column < columns; ++column) {
      T& element = sum[column % phases * phase_step + row * pitch + column / phases];
      element = static_cast<T>(draw(-4, 4));
      const Index at = row * row_stride + column * column_stride;
      double value = static_cast<double>(element) + static_cast<double>(bias);
      if (residual) value += static_cast<double>(other[at]);
      target.expect(at, activate(value, epilogue));
    }
  kernels.store({sum.data(), pitch, rows, columns, target.data(), row_stride, column_stride, bias,
                 residual ? other.data() : nullptr, epilogue, phases, phase_step});
  target.check();
}

// Channels side by side (channels-last), or rows of pixels, with or without gaps.
template <class T>
void test_store_channels(const Kernels<T>& kernels, Index channels, Index columns, Index phases,
                         bool last) {
  const Index rows = draw(1, 3), each = (columns - 1) / phases + 1;
  const Index width = (channels - 1) / kernels.lanes * kernels.lanes + kernels.lanes;
  const Index phase_step = rows * each * width + draw(0, 3);
  const Index column_stride = last ? channels + draw(0, 3) : coin() ? 1 : draw(2, 3);
  const Index row_stride = columns * column_stride + (coin() ? 0 : draw(1, 3));
  const Index channel_stride = last ? 1 : rows * row_stride + draw(0, 3);
  const bool biased = coin(), residual = coin();
  const Epilogue<T> epilogue = draw_epilogue<T>();
  begin_case("store_channels",
             {{"channels", channels}, {"rows", rows}, {"columns", columns}, {"phases", phases},
              {"channel_stride", channel_stride}, {"row_stride", row_stride},
              {"column_stride", column_stride}, {"bias", biased}, {"residual", residual},
              {"activation", static_cast<Index>(epilogue.activation)}});
  const Array<T> sum = filled<T>((phases - 1) * phase_step + rows * each * width,
                                 static_cast<T>(kNan));
  const Array<T> bias = integers<T>(channels);
  const Index size = (channels - 1) * channel_stride + (rows - 1) * row_stride +
                     (columns - 1) * column_stride + 1;
  const Array<T> other = integers<T>(size);
  Target<T> target(size);
  for (Index c = 0; c < channels; ++c)
    for (Index row = 0; row < rows; ++row)
      for (Index column = 0; column < columns; ++column) {
        T& element = sum[column % phases * phase_step + (row * each + column / phases) * width + c];
        element = static_cast<T>(draw(-4, 4));
        const Index at = c * channel_stride + row * row_stride + column * column_stride;
        double value = static_cast<double>(element);
        if (biased) value += static_cast<double>(bias[c]);
        if (residual) value += static_cast<double>(other[at]);
        target.expect(at, activate(value, epilogue));
      }
  kernels.store_channels({sum.data(), width, channels, rows, columns, target.data(),
                          channel_stride, row_stride, column_stride,
                          biased ? bias.data() : nullptr, residual ? other.data() : nullptr,
                          epilogue, phases, phase_step});
  target.check();
}

}  // namespace

template <class T>
void test_stores(const Kernels<T>& kernels) {
  for (Index phases : {1, 2, 3, 4, 5, 8})
    for (Index columns : edges(kernels.lanes)) {
      for (int repeat = 0; repeat < 4; ++repeat) {
        test_store(kernels, columns, phases);
        test_store(kernels, columns * phases - draw(0, phases - 1), phases);
      }
      for (Index channels : edges(kernels.lanes)) {
        test_store_channels(kernels, channels, columns, phases, false);
        if (draw(0, 3) == 0)
          test_store_channels(kernels, channels, columns * phases, phases, false);
        test_store_channels(kernels, channels, draw(1, 9), phases, true);
      }
    }
}

template void test_stores(const Kernels<float>&);
template void test_stores(const Kernels<double>&);

}  // namespace fastconv::test
