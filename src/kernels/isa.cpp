// The kernels of one instruction set: this file and the others named isa_* are compiled once for
// each, with FASTCONV_ISA its name. Here are those of convolution, and the table of all.
#include "kernels/channels.hpp"
#include "kernels/dot.hpp"
#include "kernels/isa_parts.hpp"
#include "kernels/outer.hpp"
#include "kernels/plane_tile.hpp"
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
      kernels.tile_vectors[MR] = tile_vectors<T>(MR);
      add_tiles<T, MR - 1, tile_vectors<T>(MR - 1)>(kernels);
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
      kernels.dot_columns[MR] = dot_columns<T>(MR);
      add_dots<T, MR - 1, MR == 1 ? 0 : dot_columns<T>(MR == 1 ? 1 : MR - 1)>(kernels);
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
      kernels.outer_rows[NV] = outer_rows<T>(NV);
      add_outers<T, NV == 1 ? 0 : outer_rows<T>(NV == 1 ? 1 : NV - 1), NV - 1>(kernels);
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
      kernels.channel_pixels[NV] = channel_pixels<T>(NV);
      add_channel_tiles<T, NV == 1 ? 0 : channel_pixels<T>(NV == 1 ? 1 : NV - 1), NV - 1>(kernels);
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

template <class T, int R>
constexpr void add_plane_rows(Kernels<T>& kernels) {
  kernels.plane_row[R][1] = plane_row<T, R, 1>;
  kernels.plane_row[R][2] = plane_row<T, R, 2>;
}

template <class T>
Kernels<T> make_kernels() {
  Kernels<T> kernels{};
  kernels.lanes = kLanes<T>;
  kernels.tile_rows = kTileRows<T>;
  kernels.dot_rows = kDotRows<T>;
  add_tiles<T, kTileRows<T>, tile_vectors<T>(kTileRows<T>)>(kernels);
  add_dots<T, kDotRows<T>, dot_columns<T>(kDotRows<T>)>(kernels);
  add_outers<T, outer_rows<T>(kMaxOuterVectors), kMaxOuterVectors>(kernels);
  kernels.channel_vectors = kChannelVectors;
  kernels.channels_adjacent = kChannelsAdjacent;
  add_channel_tiles<T, channel_pixels<T>(kChannelVectors), kChannelVectors>(kernels);
  if constexpr (kChannelsAdjacent && kEverySize<T>) {
    kernels.channel_tiles[2] = channel_tiles<T, 2, kChannelVectors>;
    kernels.channel_tiles[3] = channel_tiles<T, 3, kChannelVectors>;
    kernels.channel_tiles[4] = channel_tiles<T, 4, kChannelVectors>;
  }
  if constexpr (kEverySize<T>) {
    add_plane_rows<T, kPlaneRows - 1>(kernels);
    add_plane_rows<T, kPlaneRows>(kernels);
    kernels.copy_groups = copy_groups<T>;
  }
  kernels.row_tile = row_tile_of<T>;
  kernels.row_pair = row_pair_of<T>;
  kernels.row_gradient = row_gradient_of<T>;
  kernels.plane_pixels = kPlanePixels;
  add_plane_tiles<T, kPlanePixels>(kernels);
  kernels.pack_weight = pack_weight<T>;
  kernels.pack_taps = pack_taps<T>;
  kernels.pack_panel = pack_panel<T>;
  kernels.store_channels = store_channels<T>;
  kernels.peak = peak<T>;
  kernels.peak_step = kPeakSums;
  kernels.transpose = transpose<T>;
  kernels.pack = pack<T>;
  kernels.store = store_sums<T>;
  kernels.total = total<T>;
  kernels.reduce = reduce<T>;
  add_pooling(kernels);
  add_passes(kernels);
  return kernels;
}

}  // namespace

extern const KernelTable& table() noexcept;
const KernelTable& table() noexcept {
  static const KernelTable kTable = {FASTCONV_TEXT(FASTCONV_ISA), kVectorBytes,
                                     make_kernels<float>(), make_kernels<double>()};
  return kTable;
}

}  // namespace fastconv::FASTCONV_ISA
