// The register tile over rows, for every number of channels, rows, kernel and stride that it has.
// Each row is an array of its own, with NaN between one group's and the next.
#include "harness.hpp"

namespace fastconv::test {
namespace {

struct Tile {
  int channels, rows, kernel, stride;
};

template <class T>
void test_row_tile(const RowTile<T> run, const Tile& tile, Index columns) {
  const Index taps = draw(1, 8), dilation = coin() ? 1 : draw(2, 3), planes = draw(1, 3);
  const Index extent = (taps - 1) * dilation + 1, pad = draw(0, extent - 1);
  const Index after = draw(0, extent - 1);
  const Index width = (columns - 1) * tile.stride + extent - pad - after;
  if (width < 1) return;
  const Index groups = draw(1, 3), read = (tile.rows - 1) * tile.stride + tile.kernel;
  const Index row_step = groups > 1 ? width + draw(1, 3) : width;
  const bool biased = coin(), residual = coin();
  const Epilogue<T> epilogue = draw_epilogue<T>();
  begin_case("row_tile",
             {{"OC", tile.channels}, {"R", tile.rows}, {"KH", tile.kernel}, {"S", tile.stride},
              {"columns", columns}, {"width", width}, {"KW", taps}, {"dilation", dilation},
              {"pad", pad}, {"planes", planes}, {"groups", groups}, {"bias", biased},
              {"residual", residual}, {"activation", static_cast<Index>(epilogue.activation)}});

  std::vector<Array<T>> row;
  std::vector<const T*> rows;
  std::vector<Index> moves;
  for (Index j = 0; j < planes * read; ++j) {
    moves.push_back(draw(0, 4) ? -1 : 0);
    const Index own = moves.back() ? groups : 1;
    row.push_back(filled<T>((own - 1) * row_step + width, static_cast<T>(kNan)));
    for (Index g = 0; g < own; ++g)
      for (Index x = 0; x < width; ++x)
        row.back()[g * row_step + x] = static_cast<T>(draw(-4, 4));
    rows.push_back(row.back().data());
  }
  const Index weights = planes * taps * tile.kernel * tile.channels;
  const Index weight_step = weights + draw(0, 2), bias_step = tile.channels + draw(0, 2);
  const Array<T> weight = integers<T>((groups - 1) * weight_step + weights);
  const Array<T> bias = integers<T>((groups - 1) * bias_step + tile.channels);
  const Index row_stride = columns + draw(0, 3), channel_stride = tile.rows * row_stride + draw(0, 3);
  const Index target_step = tile.channels * channel_stride + draw(0, 3);
  const Index size = (groups - 1) * target_step + (tile.channels - 1) * channel_stride +
                     (tile.rows - 1) * row_stride + columns;
  const Array<T> other = integers<T>(size);
  Target<T> target(size);
  for (Index g = 0; g < groups; ++g)
    for (Index o = 0; o < tile.channels; ++o)
      for (Index r = 0; r < tile.rows; ++r)
        for (Index x = 0; x < columns; ++x) {
          double value = biased ? static_cast<double>(bias[g * bias_step + o]) : 0;
          for (Index p = 0; p < planes; ++p)
            for (Index kw = 0; kw < taps; ++kw)
              for (Index kh = 0; kh < tile.kernel; ++kh) {
                const Index column = x * tile.stride + kw * dilation - pad;
                if (column < 0 || column >= width) continue;
                const auto j = static_cast<std::size_t>(p * read + r * tile.stride + kh);
                value += static_cast<double>(row[j][(moves[j] ? g * row_step : 0) + column]) *
                         static_cast<double>(
                             weight[g * weight_step +
                                    ((p * taps + kw) * tile.kernel + kh) * tile.channels + o]);
              }
          const Index at = g * target_step + o * channel_stride + r * row_stride + x;
          if (residual) value += static_cast<double>(other[at]);
          target.expect(at, activate(value, epilogue));
        }
  run({rows.data(), moves.data(), planes, {taps, dilation, pad, weight.data()}, width, target.data(),
       channel_stride, row_stride, columns, biased ? bias.data() : nullptr,
       residual ? other.data() : nullptr, epilogue, groups, row_step, weight_step, target_step,
       bias_step});
  target.check();
}

// Even and odd columns have taps of their own, and as many columns as one another or one less.
template <class T>
void test_row_pair(const RowPair<T> run, int tile_rows, int kernel, Index columns) {
  const Index planes = draw(1, 3), width = draw(1, columns), groups = draw(1, 3);
  const Index read = tile_rows - 1 + kernel;
  const bool biased = coin(), residual = coin();
  const Epilogue<T> epilogue = draw_epilogue<T>();
  Index taps[2], dilation[2], pad[2], weight_step = 0;
  for (int odd = 0; odd < 2; ++odd) {
    taps[odd] = draw(1, 4), dilation[odd] = coin() ? 1 : draw(2, 3), pad[odd] = draw(-2, 6);
    weight_step = std::max(weight_step, planes * taps[odd] * kernel);
  }
  weight_step += draw(0, 2);
  begin_case("row_pair",
             {{"R", tile_rows}, {"KH", kernel}, {"columns", columns}, {"width", width},
              {"KW of even", taps[0]}, {"of odd", taps[1]}, {"planes", planes}, {"groups", groups},
              {"bias", biased}, {"residual", residual}});
  std::vector<Array<T>> row;
  std::vector<const T*> rows;
  const std::vector<Index> moves(static_cast<std::size_t>(planes * read), -1);
  const Index row_step = width + draw(0, 3);
  for (std::size_t j = 0; j < moves.size(); ++j) {
    row.push_back(filled<T>((groups - 1) * row_step + width, static_cast<T>(kNan)));
    for (Index g = 0; g < groups; ++g)
      for (Index x = 0; x < width; ++x)
        row.back()[g * row_step + x] = static_cast<T>(draw(-4, 4));
    rows.push_back(row.back().data());
  }
  const Array<T> weight[2] = {integers<T>(groups * weight_step), integers<T>(groups * weight_step)};
  const Array<T> bias = integers<T>(groups);
  const Index row_stride = columns + draw(0, 3), target_step = tile_rows * row_stride + draw(0, 3);
  const Index size = (groups - 1) * target_step + (tile_rows - 1) * row_stride + columns;
  const Array<T> other = integers<T>(size);
  Target<T> target(size);
  for (Index g = 0; g < groups; ++g)
    for (Index r = 0; r < tile_rows; ++r)
      for (Index x = 0; x < columns; ++x) {
        const Index odd = x % 2;
        double value = biased ? static_cast<double>(bias[g]) : 0;
        for (Index p = 0; p < planes; ++p)
          for (Index kw = 0; kw < taps[odd]; ++kw)
            for (Index kh = 0; kh < kernel; ++kh) {
              const Index column = x / 2 + kw * dilation[odd] - pad[odd];
              if (column < 0 || column >= width) continue;
              value += static_cast<double>(row[static_cast<std::size_t>(p * read + r + kh)]
                                              [g * row_step + column]) *
                       static_cast<double>(
                           weight[odd][g * weight_step + (p * taps[odd] + kw) * kernel + kh]);
            }
        const Index at = g * target_step + r * row_stride + x;
        if (residual) value += static_cast<double>(other[at]);
        target.expect(at, activate(value, epilogue));
      }
  run({rows.data(), moves.data(), planes, {taps[0], dilation[0], pad[0], weight[0].data()}, width,
       target.data(), 0, row_stride, columns, biased ? bias.data() : nullptr,
       residual ? other.data() : nullptr, epilogue, groups, row_step, weight_step, target_step, 1},
      {taps[1], dilation[1], pad[1], weight[1].data()});
  target.check();
}

}  // namespace

template <class T>
void test_row_tiles(const Kernels<T>& kernels) {
  int found = 0;
  for (int channels : kRowTileChannels)
    for (int rows : kRowTileSizes)
      for (int kernel = 1; kernel <= 11; ++kernel)
        for (int stride = 1; stride <= 3; ++stride) {
          const RowTile<T> run = kernels.row_tile(channels, rows, kernel, stride);
          if (!run) continue;
          ++found;
          for (int repeat = 0; repeat < 3; ++repeat)
            for (Index columns : edges(kernels.lanes))
              test_row_tile(run, {channels, rows, kernel, stride}, columns);
        }
  for (int rows : kRowTileSizes)
    for (int kernel = 1; kernel <= 5; ++kernel)
      if (const RowPair<T> run = kernels.row_pair(rows, kernel)) {
        ++found;
        for (int repeat = 0; repeat < 3; ++repeat)
          for (Index columns : edges(2 * kernels.lanes))
            test_row_pair(run, rows, kernel, columns);
      }
  begin_case("row_tile", {{"found", found}});
  if (found == 0) fail("there is none");
}

template void test_row_tiles(const Kernels<float>&);
template void test_row_tiles(const Kernels<double>&);

}  // namespace fastconv::test
