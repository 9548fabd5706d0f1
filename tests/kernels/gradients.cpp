// The tiles of the weight gradient (dot, outer, row_gradient) and what feeds and ends them
// (transpose, reduce, total).
#include <algorithm>

#include "harness.hpp"

namespace fastconv::test {
namespace {

template <class T>
void test_dot(const Kernels<T>& kernels, int m, int r, bool accumulate) {
  const Index lanes = kernels.lanes, vectors = draw(1, 5), pixels = vectors * lanes;
  const Index grad_stride = pixels + draw(0, 3), sum_stride = r * lanes + draw(0, 3);
  begin_case("dot", {{"MR", m}, {"NR", r}, {"vectors", vectors}, {"accumulate", accumulate}});
  std::vector<Index> offset;
  for (int i = 0; i < r; ++i) offset.push_back(draw(0, 20));
  Array<typename DotArgs<T>::Mask> valid(pixels);
  for (Index q = 0; q < pixels; ++q) valid[q] = draw(0, 3) ? -1 : 0;
  const Index furthest = *std::max_element(offset.begin(), offset.end());
  const Array<T> grad = integers<T>((m - 1) * grad_stride + pixels);
  const Array<T> strip = filled<T>(furthest + pixels, static_cast<T>(kNan));
  for (Index place : offset)
    for (Index q = 0; q < pixels; ++q)
      if (valid[q]) strip[place + q] = static_cast<T>(draw(-4, 4));
  Target<T> sum((m - 1) * sum_stride + r * lanes);
  if (accumulate) sum.set_all();
  for (Index i = 0; i < m; ++i)
    for (Index k = 0; k < r; ++k)
      for (Index lane = 0; lane < lanes; ++lane) {
        const Index at = i * sum_stride + k * lanes + lane;
        double value = accumulate ? sum.get(at) : 0;
        for (Index q = lane; q < pixels; q += lanes)
          if (valid[q])
            value += static_cast<double>(grad[i * grad_stride + q]) *
                     static_cast<double>(strip[offset[static_cast<std::size_t>(k)] + q]);
        sum.expect(at, value);
      }
  kernels.dot[m][r]({grad.data(), grad_stride, strip.data(), offset.data(), valid.data(), vectors,
                     sum.data(), sum_stride, accumulate});
  sum.check();
}

template <class T>
void test_outer(const Kernels<T>& kernels, int m, int v, bool accumulate) {
  const Index width = v * kernels.lanes, rows = draw(1, 4), columns = draw(1, 9);
  const Index images = draw(1, 3);
  const Index step = draw(1, 3);
  const Index pitch = columns * step + draw(0, 3), grad_stride = width + draw(0, 3);
  const Index image_step = rows * pitch + draw(0, 9);
  const Index grad_row = columns * grad_stride + draw(0, 9), grad_image = rows * grad_row + draw(0, 9);
  const Index sum_stride = width + draw(0, 3);
  begin_case("outer", {{"MR", m}, {"NV", v}, {"images", images}, {"rows", rows},
                       {"columns", columns}, {"step", step}, {"accumulate", accumulate}});
  std::vector<Index> offset{0};
  for (int i = 1; i < m; ++i) offset.push_back(draw(0, 20));
  const Index furthest = *std::max_element(offset.begin(), offset.end());
  const Array<T> strip = integers<T>(furthest + (images - 1) * image_step + (rows - 1) * pitch +
                                     columns * step);
  const Array<T> grad = integers<T>(images * grad_image);
  Target<T> sum((m - 1) * sum_stride + width);
  if (accumulate) sum.set_all();
  for (Index i = 0; i < m; ++i)
    for (Index c = 0; c < width; ++c) {
      const Index at = i * sum_stride + c;
      double value = accumulate ? sum.get(at) : 0;
      for (Index row = 0; row < images * rows; ++row)
        for (Index column = 0; column < columns; ++column)
          value += static_cast<double>(strip[offset[static_cast<std::size_t>(i)] +
                                             row / rows * image_step + row % rows * pitch +
                                             column * step]) *
                   static_cast<double>(grad[row / rows * grad_image + row % rows * grad_row +
                                            column * grad_stride + c]);
      sum.expect(at, value);
    }
  kernels.outer[m][v]({strip.data(), offset.data(), images, image_step, rows, columns, pitch, step,
                       draw(0, 99), grad.data(), grad_image, grad_row, grad_stride, sum.data(),
                       sum_stride, accumulate});
  sum.check();
}

template <class T>
void test_transpose(const Kernels<T>& kernels, Index columns) {
  const Index channels = draw(1, 40), rows = draw(1, 3), lanes = kernels.lanes;
  const Index width = ((channels - 1) / lanes + draw(1, 2)) * lanes;  // whole vectors
  const Index column_stride = coin() ? 1 : draw(2, 5);
  const Index row_stride = columns * column_stride + draw(0, 3);
  const Index channel_stride = rows * row_stride + draw(0, 3);
  begin_case("transpose", {{"channels", channels}, {"width", width}, {"rows", rows},
                           {"columns", columns}, {"column_stride", column_stride}});
  const Array<T> source = integers<T>((channels - 1) * channel_stride + (rows - 1) * row_stride +
                                      (columns - 1) * column_stride + 1);
  Target<T> target(rows * columns * width);
  for (Index row = 0; row < rows; ++row)
    for (Index column = 0; column < columns; ++column)
      for (Index c = 0; c < width; ++c)
        target.expect((row * columns + column) * width + c,
                      c < channels ? static_cast<double>(source[c * channel_stride +
                                                                row * row_stride +
                                                                column * column_stride])
                                   : 0);
  kernels.transpose({source.data(), channels, channel_stride, rows, row_stride, columns,
                     column_stride, target.data(), width});
  target.check();
}

template <class T>
void test_totals(const Kernels<T>& kernels, Index columns) {
  const Index rows = draw(1, 4), column_stride = coin() ? 1 : draw(2, 4);
  const Index row_stride = columns * column_stride + (coin() ? 0 : draw(1, 3));
  begin_case("total", {{"rows", rows}, {"columns", columns}, {"row_stride", row_stride},
                       {"column_stride", column_stride}});
  const Array<T> source =
      filled<T>((rows - 1) * row_stride + (columns - 1) * column_stride + 1, static_cast<T>(kNan));
  double sum = 0;
  for (Index row = 0; row < rows; ++row)
    for (Index column = 0; column < columns; ++column) {
      T& element = source[row * row_stride + column * column_stride];
      sum += static_cast<double>(element = static_cast<T>(draw(-4, 4)));
    }
  const auto got = static_cast<double>(
      kernels.total(source.data(), rows, row_stride, columns, column_stride));
  if (got != sum) fail("is " + std::to_string(got) + ", wanted " + std::to_string(sum));

  const Index groups = draw(1, 9);
  begin_case("reduce", {{"groups", groups}});
  const Array<T> lanes = integers<T>(groups * kernels.lanes);
  Target<T> sums(groups);
  for (Index group = 0; group < groups; ++group) {
    double value = 0;
    for (Index lane = 0; lane < kernels.lanes; ++lane)
      value += static_cast<double>(lanes[group * kernels.lanes + lane]);
    sums.expect(group, value);
  }
  kernels.reduce(lanes.data(), groups, sums.data());
  sums.check();
}

// Rows stand in arrays of their own. What only outputs beyond the last column would meet is NaN.
template <class T>
void test_row_gradient(const Kernels<T>& kernels, int kernel, int stride, Index columns) {
  const Index taps = draw(1, 8), dilation = coin() ? 1 : draw(2, 3), grad_rows = draw(1, 9);
  const Index extent = (taps - 1) * dilation + 1, pad = draw(0, extent - 1);
  const Index met = (columns - 1) * stride + extent - pad, width = met + draw(-(extent - 1), 9);
  if (width < 1) return;
  const Index grad_stride = columns + draw(0, 3), lanes = kernels.lanes;
  const bool accumulate = coin();
  begin_case("row_gradient", {{"KH", kernel}, {"S", stride}, {"columns", columns}, {"width", width},
                              {"KW", taps}, {"dilation", dilation}, {"pad", pad},
                              {"rows", grad_rows}, {"accumulate", accumulate}});
  std::vector<Array<T>> row;
  std::vector<const T*> rows;
  for (Index j = 0; j < (grad_rows - 1) * stride + kernel; ++j) {
    row.push_back(filled<T>(width, static_cast<T>(kNan)));
    for (Index x = 0; x < std::min(width, met); ++x)
      row.back()[x] = static_cast<T>(draw(-4, 4));
    rows.push_back(row.back().data());
  }
  const Array<T> grad = filled<T>((grad_rows - 1) * grad_stride + columns, static_cast<T>(kNan));
  for (Index r = 0; r < grad_rows; ++r)
    for (Index x = 0; x < columns; ++x)
      grad[r * grad_stride + x] = static_cast<T>(draw(-4, 4));
  Target<T> sum(taps * kernel * lanes);
  if (accumulate) sum.set_all();
  for (Index kw = 0; kw < taps; ++kw)
    for (Index kh = 0; kh < kernel; ++kh)
      for (Index lane = 0; lane < lanes; ++lane) {
        const Index at = (kw * kernel + kh) * lanes + lane;
        double value = accumulate ? sum.get(at) : 0;
        for (Index r = 0; r < grad_rows; ++r)
          for (Index x = lane; x < columns; x += lanes) {
            const Index column = x * stride + kw * dilation - pad;
            if (column < 0 || column >= width) continue;
            const auto j = static_cast<std::size_t>(r * stride + kh);
            value += static_cast<double>(grad[r * grad_stride + x]) *
                     static_cast<double>(row[j][column]);
          }
        sum.expect(at, value);
      }
  kernels.row_gradient(kernel, stride)({rows.data(), grad.data(), grad_rows, grad_stride, columns,
                                        taps, dilation, pad, width, sum.data(), accumulate});
  sum.check();
}

}  // namespace

template <class T>
void test_gradients(const Kernels<T>& kernels) {
  for (int repeat = 0; repeat < 6; ++repeat) {
    for (int m = 1; m <= kernels.dot_rows; ++m)
      for (int r = 1; r <= kernels.dot_columns[m]; ++r) test_dot(kernels, m, r, repeat % 2);
    for (int v = 1; v <= kMaxOuterVectors; ++v)
      for (int m = 1; m <= kernels.outer_rows[v]; ++m) test_outer(kernels, m, v, repeat % 2);
  }
  for (int repeat = 0; repeat < 8; ++repeat)
    for (Index size : edges(kernels.lanes)) {
      test_transpose(kernels, size);
      test_totals(kernels, size);
    }
  for (Index columns : edges(16)) test_transpose(kernels, columns);
  for (int kernel = 1; kernel <= 9; ++kernel)
    for (int stride = 1; stride <= 3; ++stride) {
      if (!kernels.row_gradient(kernel, stride)) continue;
      for (int repeat = 0; repeat < 4; ++repeat)
        for (Index columns : edges(kernels.lanes))
          test_row_gradient(kernels, kernel, stride, columns);
    }
}

template void test_gradients(const Kernels<float>&);
template void test_gradients(const Kernels<double>&);

}  // namespace fastconv::test
