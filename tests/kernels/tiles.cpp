// The register tiles of the forward pass, for every number of rows and vectors: pixels as vectors
// (tile), channels as vectors (channel_tile), depthwise on channels-last memory (plane_tile),
// and what makes it of small groups (copy_groups).
#include <algorithm>

#include "harness.hpp"

namespace fastconv::test {
namespace {

double finished(double sum, double floor, double ceiling) {
  return sum < floor ? floor : sum > ceiling ? ceiling : sum;
}

template <class T>
void test_tile(const Kernels<T>& kernels, int m, int v, int mode) {
  const Index width = v * kernels.lanes, stride = width + draw(0, 3), depth = draw(1, 9);
  const bool accumulate = mode & 1, finish = mode & 2, biased = coin(), residual = coin();
  const double floor = coin() ? 0 : -kInfinity, ceiling = coin() ? 6 : kInfinity;
  begin_case("tile", {{"MR", m}, {"NV", v}, {"depth", depth}, {"accumulate", accumulate},
                      {"finish", finish}, {"bias", biased}, {"residual", residual}});
  std::vector<Index> offset;
  for (Index k = 0; k < depth; ++k) offset.push_back(draw(0, 30));
  const Index furthest = *std::max_element(offset.begin(), offset.end());
  const Array<T> strip = integers<T>(furthest + width), weight = integers<T>(depth * m);
  const Array<T> bias = integers<T>(m), other = integers<T>((m - 1) * stride + width);
  if (draw(0, 5) == 0) strip[furthest] = static_cast<T>(kNan);
  Target<T> sum((m - 1) * stride + width);
  for (Index i = 0; i < m; ++i)
    for (Index q = 0; q < width; ++q) {
      const Index at = i * stride + q;
      double value = 0;
      if (accumulate) sum.set(at, value = static_cast<double>(draw(-9, 9)));
      for (Index k = 0; k < depth; ++k)
        value += static_cast<double>(weight[k * m + i]) *
                 static_cast<double>(strip[offset[static_cast<std::size_t>(k)] + q]);
      if (finish) {
        if (biased) value += static_cast<double>(bias[i]);
        if (residual) value += static_cast<double>(other[at]);
        value = finished(value, floor, ceiling);
      }
      sum.expect(at, value);
    }
  kernels.tile[m][v]({strip.data(), offset.data(), depth, weight.data(), sum.data(), stride,
                      accumulate, finish, static_cast<T>(floor), static_cast<T>(ceiling),
                      biased ? bias.data() : nullptr, residual ? other.data() : nullptr});
  sum.check();
}

// m pixels, or `tiles` of one.
template <class T>
void test_channel_tile(const Kernels<T>& kernels, int m, int v, int mode, bool tiles = false) {
  const Index width = v * kernels.lanes, step = width + draw(0, 3);
  const Index taps = draw(1, 4), channels = draw(1, 11);
  const Index pixel_step = tiles ? 0 : coin() ? 1 : draw(2, 9);
  const Index channel_step = kernels.channels_adjacent ? 1 : draw(1, 40);
  const bool accumulate = mode & 1, finish = mode & 2, biased = coin(), residual = coin();
  const bool apart = coin();  // what it begins with, from the sums
  const Index before_step = apart ? width + draw(0, 3) : step;
  const double floor = coin() ? 0 : -kInfinity, ceiling = coin() ? 6 : kInfinity;
  begin_case(tiles ? "channel_tiles" : "channel_tile",
             {{"MR", m}, {"NV", v}, {"taps", taps}, {"channels", channels},
              {"pixel_step", pixel_step}, {"accumulate", accumulate}, {"apart", apart},
              {"finish", finish}, {"bias", biased}, {"residual", residual}});
  std::vector<ChannelTap> tap;
  Index furthest = 0, most = 0;
  for (Index t = 0; t < taps; ++t) {
    tap.push_back({draw(0, 30), draw(0, 5)});
    furthest = std::max(furthest, tap.back().offset), most = std::max(most, tap.back().index);
  }
  const Index tap_channels = draw(1, channels);  // fewer where a run goes on with the next tap's
  const Array<T> pixels =
      integers<T>(furthest + (channels - 1) * channel_step + (m - 1) * pixel_step + 1);
  const Index weights = (most * tap_channels + channels) * width, bias_step = tiles ? width : 0;
  const Index weight_step = tiles ? weights + draw(0, 9) : 0;
  const Array<T> weight = integers<T>((m - 1) * weight_step + weights);
  const Array<T> bias = integers<T>(m * width), other = integers<T>((m - 1) * step + width);
  if (draw(0, 5) == 0) pixels[furthest] = static_cast<T>(kNan);
  const Array<T> before = integers<T>((m - 1) * before_step + width);
  Target<T> sum((m - 1) * step + width);
  for (Index p = 0; p < m; ++p)
    for (Index i = 0; i < width; ++i) {
      const Index at = p * step + i;
      double value = 0;
      if (accumulate) value = static_cast<double>(before[p * before_step + i]);
      if (accumulate && !apart) sum.set(at, value);
      for (const ChannelTap& t : tap)
        for (Index c = 0; c < channels; ++c)
          value += static_cast<double>(pixels[t.offset + c * channel_step + p * pixel_step]) *
                   static_cast<double>(
                       weight[p * weight_step + (t.index * tap_channels + c) * width + i]);
      if (finish) {
        if (biased) value += static_cast<double>(bias[p * bias_step + i]);
        if (residual) value += static_cast<double>(other[at]);
        value = finished(value, floor, ceiling);
      }
      sum.expect(at, value);
    }
  const auto kernel = tiles ? kernels.channel_tiles[m] : kernels.channel_tile[m][v];
  kernel({pixels.data(), tap.data(), taps, channels, tap_channels, channel_step, pixel_step,
          weight.data(), sum.data(), step,
          accumulate ? apart ? before.data() : sum.data() : nullptr, before_step, finish,
          static_cast<T>(floor), static_cast<T>(ceiling), biased ? bias.data() : nullptr,
          residual ? other.data() : nullptr, weight.data(), draw(0, 40), weight_step});
  sum.check();
}

template <class T>
void test_plane_tile(const Kernels<T>& kernels, int m, Index channels) {
  const Index all = draw(1, 6), pixel_step = channels + draw(0, 3), step = channels + draw(0, 3);
  const bool some = coin(), biased = coin(), residual = coin();
  const Epilogue<T> epilogue = draw_epilogue<T>();
  begin_case("plane_tile",
             {{"MR", m}, {"channels", channels}, {"taps", all}, {"some", some}, {"bias", biased},
              {"residual", residual}, {"activation", static_cast<Index>(epilogue.activation)}});
  std::vector<Index> offset, tap;
  Index furthest = 0;
  for (Index t = 0; t < all; ++t) {
    offset.push_back(draw(0, 30));
    if (some && t % 2) continue;
    tap.push_back(t);
    furthest = std::max(furthest, offset.back());
  }
  const Array<T> pixels = integers<T>(furthest + (m - 1) * pixel_step + channels);
  const Index weight_step = channels + draw(0, 5);
  const Array<T> weight = integers<T>(tap.back() * weight_step + channels);
  const Array<T> bias = integers<T>(channels), other = integers<T>((m - 1) * step + channels);
  Target<T> target((m - 1) * step + channels);
  for (Index p = 0; p < m; ++p)
    for (Index c = 0; c < channels; ++c) {
      const Index at = p * step + c;
      double value = biased ? static_cast<double>(bias[c]) : 0;
      for (Index t : tap)
        value += static_cast<double>(
                     pixels[offset[static_cast<std::size_t>(t)] + p * pixel_step + c]) *
                 static_cast<double>(weight[t * weight_step + c]);
      if (residual) value += static_cast<double>(other[at]);
      target.expect(at, activate(value, epilogue));
    }
  kernels.plane_tile[m]({pixels.data(), offset.data(), some ? tap.data() : nullptr,
                         static_cast<Index>(tap.size()), pixel_step, channels, weight.data(),
                         weight_step, target.data(), step, biased ? bias.data() : nullptr,
                         residual ? other.data() : nullptr, epilogue});
  target.check();
}

template <class T>
void test_copy_groups(const Kernels<T>& kernels, Index group) {
  const Index lanes = kernels.lanes, pixels = draw(1, 20), step = lanes + draw(0, 5);
  begin_case("copy_groups", {{"group", group}, {"pixels", pixels}, {"step", step}});
  const Array<T> source = integers<T>((pixels - 1) * step + lanes);
  Target<T> target(pixels * group * lanes);
  for (Index p = 0; p < pixels; ++p)
    for (Index j = 0; j < group; ++j)
      for (Index l = 0; l < lanes; ++l)
        target.expect((p * group + j) * lanes + l,
                      static_cast<double>(source[p * step + l / group * group + j]));
  kernels.copy_groups(source.data(), step, draw(-100, 100), pixels, group, target.data());
  target.check();
}

template <class T>
void test_plane_row(const Kernels<T>& kernels, int rows, int stride, Index channels) {
  const Index pixel_step = channels + draw(0, 3), step = channels + draw(0, 3);
  const Index before = draw(0, 1), after = draw(0, 1), whole = draw(before + after ? 0 : 1, 9);
  const Index outputs = whole + after, columns = (outputs - 1) * stride + 3 - before - after;
  if (columns < 1 || outputs < 1) return;
  const Index row_step = columns * pixel_step + draw(0, 9), weight_rows = draw(rows, 4);
  const Index weight_step = channels + draw(0, 5);
  const bool biased = coin();
  const Epilogue<T> epilogue{coin() ? Activation::relu6 : Activation::none, T{0}};
  begin_case("plane_row", {{"R", rows}, {"S", stride}, {"channels", channels}, {"before", before},
                           {"whole", whole}, {"after", after}, {"bias", biased}});
  const Array<T> pixels =
      integers<T>((rows - 1) * row_step + (columns - 1) * pixel_step + channels);
  const Array<T> weight = integers<T>((2 * weight_rows + rows - 1) * weight_step + channels);
  const Array<T> bias = integers<T>(channels);
  Target<T> target((outputs - 1) * step + channels);
  for (Index p = 0; p < outputs; ++p)
    for (Index c = 0; c < channels; ++c) {
      double value = biased ? static_cast<double>(bias[c]) : 0;
      for (Index w = 0; w < 3; ++w)
        for (Index r = 0; r < rows; ++r) {
          const Index column = p * stride + w - before;
          if (column < 0 || column >= columns) continue;
          value += static_cast<double>(pixels[r * row_step + column * pixel_step + c]) *
                   static_cast<double>(weight[(w * weight_rows + r) * weight_step + c]);
        }
      target.expect(p * step + c, activate(value, epilogue));
    }
  kernels.plane_row[rows][stride]({pixels.data(), row_step, pixel_step, channels, before, whole,
                                   after, weight.data(), weight_rows, weight_step, target.data(),
                                   step, biased ? bias.data() : nullptr, epilogue});
  target.check();
}

}  // namespace

template <class T>
void test_tiles(const Kernels<T>& kernels) {
  for (int mode = 0; mode < 16; ++mode) {
    for (int m = 1; m <= kernels.tile_rows; ++m)
      for (int v = 1; v <= kernels.tile_vectors[m]; ++v) test_tile(kernels, m, v, mode);
    for (int v = 1; v <= kernels.channel_vectors; ++v)
      for (int m = 1; m <= kernels.channel_pixels[v]; ++m) test_channel_tile(kernels, m, v, mode);
    for (int m = 2; m <= kMaxChannelTiles && kernels.channel_tiles[m]; ++m)
      test_channel_tile(kernels, m, kernels.channel_vectors, mode, true);
  }
  for (int repeat = 0; repeat < 4; ++repeat) {
    for (int m = 1; m <= kernels.plane_pixels; ++m)
      for (Index channels : edges(kernels.lanes)) test_plane_tile(kernels, m, channels);
    for (Index group = 2; group <= kernels.lanes && kernels.copy_groups; group *= 2)
      test_copy_groups(kernels, group);
  }
  for (int repeat = 0; repeat < 16; ++repeat)
    for (int rows = 1; rows <= kPlaneRows; ++rows)
      for (int stride = 1; stride <= kPlaneStrides; ++stride)
        if (kernels.plane_row[rows][stride])
          test_plane_row(kernels, rows, stride, draw(1, 4) * kernels.lanes);
}

template void test_tiles(const Kernels<float>&);
template void test_tiles(const Kernels<double>&);

}  // namespace fastconv::test
