// What brings operands into the kernels' layouts: rows of strips (pack) and weights (pack_weight,
// pack_taps, pack_panel).
#include <algorithm>

#include "harness.hpp"

namespace fastconv::test {
namespace {

template <class T>
void test_pack(const Kernels<T>& kernels, Index columns, Index column_stride) {
  const Index rows = draw(1, 4), before = coin() ? 0 : draw(1, 20), after = coin() ? 0 : draw(1, 20);
  const Index extent = columns ? (columns - 1) * column_stride + 1 : 0;
  const Index row_stride = extent + draw(0, 3);
  begin_case("pack", {{"rows", rows}, {"before", before}, {"columns", columns}, {"after", after},
                      {"column_stride", column_stride}});
  const Array<T> source = filled<T>((rows - 1) * row_stride + extent, static_cast<T>(kNan));
  const Index width = before + columns + after;
  Target<T> target(rows * width);
  target.allow_behind(kernels.lanes);
  for (Index row = 0; row < rows; ++row)
    for (Index i = 0; i < width; ++i) {
      const Index column = i - before;
      double value = -3;
      if (column >= 0 && column < columns) {
        value = static_cast<double>(draw(-4, 4));
        source[row * row_stride + column * column_stride] = static_cast<T>(value);
      }
      target.expect(row * width + i, value);
    }
  kernels.pack({source.data(), row_stride, column_stride, rows, before, columns, after,
                target.data(), T{-3}});
  target.check();
}

template <class T>
void test_pack_weight(const Kernels<T>& kernels, Index rows, Index channels, Index taps) {
  const Index depth = channels * taps, row_stride = depth + draw(0, 3);
  const Index width = (rows - 1) / kernels.lanes * kernels.lanes + kernels.lanes;
  begin_case("pack_weight", {{"rows", rows}, {"channels", channels}, {"taps", taps},
                             {"row_stride", row_stride}});
  const Array<T> source = integers<T>((rows - 1) * row_stride + depth);
  Target<T> target(depth * width);
  for (Index t = 0; t < taps; ++t)
    for (Index c = 0; c < channels; ++c)
      for (Index r = 0; r < width; ++r)
        target.expect((t * channels + c) * width + r,
                      r < rows ? static_cast<double>(source[r * row_stride + c * taps + t]) : 0);
  kernels.pack_weight({source.data(), rows, row_stride, channels, taps, target.data(), width});
  target.check();
}

template <class T>
void test_pack_taps(const Kernels<T>& kernels, Index rows, Index taps) {
  const Index lanes = kernels.lanes, width = ((rows - 1) / lanes + 1) * lanes;
  const Index span = taps + draw(0, 5), row_stride = span + draw(0, 3), channels = draw(1, 3);
  begin_case("pack_taps", {{"rows", rows}, {"taps", taps}, {"span", span},
                           {"row_stride", row_stride}});
  std::vector<Index> offset;
  for (Index t = 0; t < taps; ++t) offset.push_back(span - 1 - t);  // as an input gradient's
  if (coin()) std::reverse(offset.begin(), offset.end());
  const Array<T> source = integers<T>((rows - 1) * row_stride + span);
  Target<T> target(taps * channels * width);
  for (Index t = 0; t < taps; ++t)
    for (Index r = 0; r < width; ++r)
      target.expect(t * channels * width + r,
                    r < rows ? static_cast<double>(
                                   source[r * row_stride + offset[static_cast<std::size_t>(t)]])
                             : 0);
  kernels.pack_taps({source.data(), rows, row_stride, span, offset.data(), taps, target.data(),
                     channels * width, width});
  target.check();
}

template <class T>
void test_pack_panel(const Kernels<T>& kernels, Index rows, Index depth) {
  const Index row_stride = depth + draw(0, 3);
  begin_case("pack_panel", {{"rows", rows}, {"depth", depth}, {"row_stride", row_stride}});
  const Array<T> source = integers<T>((rows - 1) * row_stride + depth);
  Target<T> target(rows * depth);
  for (Index k = 0; k < depth; ++k)
    for (Index r = 0; r < rows; ++r)
      target.expect(k * rows + r, static_cast<double>(source[r * row_stride + k]));
  kernels.pack_panel(source.data(), rows, row_stride, depth, target.data());
  target.check();
}

}  // namespace

template <class T>
void test_rows(const Kernels<T>& kernels) {
  for (Index column_stride = 1; column_stride <= 5; ++column_stride)
    for (int repeat = 0; repeat < 4; ++repeat) {
      test_pack(kernels, 0, column_stride);
      for (Index columns : edges(kernels.lanes)) test_pack(kernels, columns, column_stride);
    }
  for (Index rows : edges(kernels.lanes)) {
    for (Index taps : {1, 2, 3, 9, 25})
      for (Index channels : {1, 2, 5, 16, 17}) test_pack_weight(kernels, rows, channels, taps);
    for (Index taps : {1, 2, 3, 4, 9, 15, 16, 17, 25, 49}) test_pack_taps(kernels, rows, taps);
    for (Index depth : edges(kernels.lanes)) test_pack_panel(kernels, rows, depth);
  }
}

template void test_rows(const Kernels<float>&);
template void test_rows(const Kernels<double>&);

}  // namespace fastconv::test
