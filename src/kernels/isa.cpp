// The kernels of one instruction set: compiled once for each, with FASTCONV_ISA its name.
#include "kernels/batch_norm.hpp"
#include "kernels/channels.hpp"
#include "kernels/columns.hpp"
#include "kernels/dot.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/optimizer.hpp"
#include "kernels/outer.hpp"
#include "kernels/plane_tile.hpp"
#include "kernels/pool.hpp"
#include "kernels/row_gradient.hpp"
#include "kernels/row_tile.hpp"
#include "kernels/rows.hpp"
#include "kernels/tile.hpp"

#define FASTCONV_TEXT_(name) #name
#define FASTCONV_TEXT(name) FASTCONV_TEXT_(name)

namespace fastconv::FASTCONV_ISA {
namespace {

template <class T, int MR, int NV>
constexpr void add_tiles(Kernels<T>& kernels) {
  if constexpr (MR > 0) {
    if constexpr (NV > 0) {
      kernels.tile[MR][NV] = tile<T, MR, NV>;
      add_tiles<T, MR, NV - 1>(kernels);
    } else {
      kernels.tile_vectors[MR] = tile_vectors(MR);
      add_tiles<T, MR - 1, tile_vectors(MR - 1)>(kernels);
    }
  }
}

template <class T, int MR, int NR>
constexpr void add_dots(Kernels<T>& kernels) {
  if constexpr (MR > 0) {
    if constexpr (NR > 0) {
      kernels.dot[MR][NR] = dot<T, MR, NR>;
      add_dots<T, MR, NR - 1>(kernels);
    } else {
      kernels.dot_columns[MR] = dot_columns(MR);
      add_dots<T, MR - 1, MR == 1 ? 0 : dot_columns(MR == 1 ? 1 : MR - 1)>(kernels);
    }
  }
}

template <class T, int MR, int NV>
constexpr void add_outers(Kernels<T>& kernels) {
  if constexpr (NV > 0) {
    if constexpr (MR > 0) {
      kernels.outer[MR][NV] = outer<T, MR, NV>;
      add_outers<T, MR - 1, NV>(kernels);
    } else {
      kernels.outer_rows[NV] = outer_rows(NV);
      add_outers<T, NV == 1 ? 0 : outer_rows(NV == 1 ? 1 : NV - 1), NV - 1>(kernels);
    }
  }
}

template <class T, int MR, int NV>
constexpr void add_channel_tiles(Kernels<T>& kernels) {
  if constexpr (NV > 0) {
    if constexpr (MR > 0) {
      kernels.channel_tile[MR][NV] = channel_tile<T, MR, NV>;
      add_channel_tiles<T, MR - 1, NV>(kernels);
    } else {
      kernels.channel_pixels[NV] = channel_pixels(NV);
      add_channel_tiles<T, NV == 1 ? 0 : channel_pixels(NV == 1 ? 1 : NV - 1), NV - 1>(kernels);
    }
  }
}

template <class T, int MR>
constexpr void add_plane_tiles(Kernels<T>& kernels) {
  if constexpr (MR > 0) {
    kernels.plane_tile[MR] = plane_tile<T, MR>;
    add_plane_tiles<T, MR - 1>(kernels);
  }
}

template <class T>
constexpr Kernels<T> make_kernels() {
  Kernels<T> kernels{};
  kernels.lanes = kLanes<T>;
  kernels.tile_rows = kTileRows;
  kernels.dot_rows = kDotRows;
  add_tiles<T, kTileRows, tile_vectors(kTileRows)>(kernels);
  add_dots<T, kDotRows, dot_columns(kDotRows)>(kernels);
  add_outers<T, outer_rows(kMaxOuterVectors), kMaxOuterVectors>(kernels);
  add_channel_tiles<T, channel_pixels(kMaxChannelVectors), kMaxChannelVectors>(kernels);
  kernels.row_tile = row_tile_of<T>;
  kernels.row_gradient = row_gradient_of<T>;
  add_plane_tiles<T, kMaxPlanePixels>(kernels);
  kernels.pack_weight = pack_weight<T>;
  kernels.pack_panel = pack_panel<T>;
  kernels.store_channels = store_channels<T>;
  kernels.activate = activate_each<T>;
  kernels.activate_backward = activate_backward<T>;
  kernels.softmax = softmax<T>;
  kernels.softmax_backward = softmax_backward<T>;
  kernels.local_response = local_response<T>;
  kernels.local_response_backward = local_response_backward<T>;
  kernels.moments[0] = moments_of_run<T>, kernels.moments[1] = moments_of_rows<T>;
  kernels.gradient_sums[0] = gradients_of_run<T>, kernels.gradient_sums[1] = gradients_of_rows<T>;
  kernels.norm_map[0] = map_run<T>, kernels.norm_map[1] = map_rows<T>;
  kernels.sgd = sgd<T>;
  kernels.adam = adam<T>;
  kernels.peak = peak<T>;
  kernels.peak_step = kPeakSums;
  kernels.transpose = transpose<T>;
  kernels.pool_max = pool_max<T>;
  kernels.pool_max_index = pool_max_index<T>;
  kernels.pool_mean = pool_mean<T>;
  kernels.pool_mean_gradient = pool_mean_gradient<T>;
  kernels.pack = pack<T>;
  kernels.store = store_sums<T>;
  kernels.total = total<T>;
  kernels.reduce = reduce<T>;
  return kernels;
}

constexpr KernelTable kTable = {FASTCONV_TEXT(FASTCONV_ISA), kVectorBytes, make_kernels<float>(),
                                make_kernels<double>()};

}  // namespace

extern const KernelTable& table() noexcept;
const KernelTable& table() noexcept { return kTable; }

}  // namespace fastconv::FASTCONV_ISA
