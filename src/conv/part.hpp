// One part of a correlation's outputs, those that meet their input through the same taps, and what
// an algorithm has to offer to compute it:
//
//   output(n, oc, o) = activation(bias(oc) + residual(n, oc, o)
//                      + sum over ic, taps of input(n, ic, o meets tap) * weight(oc, ic, tap))
//
// A part never changes once made. Its tasks write disjoint outputs and never share a sum, so that
// results do not depend on who runs them.
#pragma once

#include <limits>
#include <memory>
#include <string>

#include "kernels/table.hpp"
#include "plan/shape.hpp"
#include "runtime/split.hpp"
#include "plan/taps.hpp"
#include "plan/words.hpp"

namespace fastconv {

struct CorrelationShape {
  std::int64_t n, g, ic, oc;  // channels are counted in one group
  Strides input;
  Strides weight;             // (oc, ic, taps), from group to group: weight_group
  std::int64_t weight_group;
  Strides output;             // the residual's too
  std::int64_t outputs[3];    // of each axis, over all parts
};

// The taps of each axis through which a part's outputs meet their input.
struct PartAxes {
  TapAxis depth, height, width;  // phases: of the width alone

  std::int64_t taps() const {
    return static_cast<std::int64_t>(depth.taps.size() * height.taps.size() * width.taps.size());
  }
  std::int64_t outputs() const { return depth.output * height.output * width.extent; }
};

// Whether the weights of one output channel stand in memory as [ic][tap], without gaps.
inline bool weights_in_order(const CorrelationShape& shape, const PartAxes& axes) {
  std::int64_t step = 1;
  const TapAxis* each[] = {&axes.depth, &axes.height, &axes.width};
  if (axes.width.phases > 1) return false;
  for (int i = 3; i-- > 0;) {
    const std::vector<Tap>& taps = each[i]->taps;
    if (taps.empty()) return false;
    const bool neighbours = taps.size() == 1 || (shape.weight.axis[i] == step &&
                                                 taps[1].kernel - taps[0].kernel == 1);
    if (!neighbours) return false;
    step *= static_cast<std::int64_t>(taps.size());
  }
  return shape.weight.channel == step || shape.ic == 1;
}
// Where the first of them stands.
inline Index first_weight(const CorrelationShape& shape, const PartAxes& axes) {
  return axes.depth.taps[0].kernel * shape.weight.axis[0] +
         axes.height.taps[0].kernel * shape.weight.axis[1] +
         axes.width.taps[0].kernel * shape.weight.axis[2];
}

// Where the taps' weights stand, in the order of phases.
inline std::vector<Index> weight_offsets(const CorrelationShape& shape, const PartAxes& axes) {
  std::vector<Index> offsets;
  for (std::int64_t phase = 0; phase < axes.width.phases; ++phase)
    for (const Tap& d : axes.depth.taps)
      for (const Tap& h : axes.height.taps)
        for (const Tap& w : axes.width.taps)
          if (w.phase == phase)
            offsets.push_back(d.kernel * shape.weight.axis[0] + h.kernel * shape.weight.axis[1] +
                              w.kernel * shape.weight.axis[2]);
  return offsets;
}

// Asks for the weights that packing reads a few channels later: where an input gradient's channel
// is a row of the array, each is on a page of its own. (Inline: a function that does no more than
// ask for memory has no effect for GCC, which leaves its calls out.)
template <class T>
[[gnu::always_inline]] inline void prefetch_weights(const T* channel,
                                                    const CorrelationShape& shape,
                                                    std::int64_t rows) {
  constexpr std::int64_t kChannelsAhead = 6, kMostBytes = 4096, kLine = 64;
  const auto size = static_cast<std::int64_t>(sizeof(T));
  const std::int64_t bytes = std::min(kMostBytes, rows * shape.weight.outer * size);
  const auto* next = reinterpret_cast<const char*>(channel) +
                     kChannelsAhead * shape.weight.channel * size;
  for (std::int64_t at = 0; at < bytes; at += kLine) __builtin_prefetch(next + at);
}

// Asks for what is written next: `rows` rows of `width` elements. They come to the second cache: 16
// channels of 112 x 112 to 96 take 0.36 ms from memory, 0.42 if to the first.
template <class T>
[[gnu::always_inline]] inline void prefetch_outputs(const T* row, Index step, Index rows,
                                                    Index width) {
  constexpr Index kLine = 64 / static_cast<Index>(sizeof(T));
  for (Index r = 0; r < rows; ++r, row += step) {
    for (Index i = 0; i < width; i += kLine) __builtin_prefetch(row + i, 1, 2);
    __builtin_prefetch(row + width - 1, 1, 2);
  }
}
// Whether the outputs of all images are more than `bytes`, too many to stay in the caches. Where
// they do, asking for them costs 0.6% of a network; where not, 32 images of 192 channels of 14 x 14
// to 480 take 5.6 ms in place of 6.3.
template <class T>
bool outputs_exceed(std::int64_t bytes, const CorrelationShape& shape, const PartAxes& axes) {
  return shape.n * axes.outputs() * shape.oc * static_cast<std::int64_t>(sizeof(T)) > bytes;
}
// Of planes, 64 channels of 56 x 56 to 256, 3 MB, take 3% more if asked for.
constexpr std::int64_t kFarPixels = 1 << 20, kFarPlanes = 4 << 20;

template <class T>
struct CorrelationArrays {
  const T* input;
  const T* weight;    // where they are not packed, or null
  const T* bias;      // or null
  const T* residual;  // or null
  T* output;
  Epilogue<T> epilogue;
};

// The activations that are no more than bounds, which a register tile applies as it stores.
template <class T>
bool bounds_only(const Epilogue<T>& epilogue) {
  return epilogue.activation <= Activation::relu6;
}
template <class T>
T floor_of(const Epilogue<T>& epilogue) {
  return epilogue.activation == Activation::none ? -std::numeric_limits<T>::infinity() : T{0};
}
template <class T>
T ceiling_of(const Epilogue<T>& epilogue) {
  return epilogue.activation == Activation::relu6 ? T{6} : std::numeric_limits<T>::infinity();
}

// How a part's work is cut for one execution.
struct Tasks {
  std::int64_t count;
  std::int64_t workspace;  // elements for each thread
  Split groups;            // of the tiles of output channels
};

// What a plan tells of a part.
struct PartInfo {
  std::string algorithm, blocking;
};

template <class T>
class Part {
 public:
  virtual ~Part() = default;

  // Elements of the packed weights, and how many independent pieces make them.
  virtual std::int64_t packed_size() const = 0;
  virtual std::int64_t packings() const = 0;
  virtual void pack(std::int64_t packing, const T* weight, T* packed) const = 0;
  // Whether no two tasks read the same packed weights, so that a task may be given none and packs
  // what it needs, when it needs it: small images have more weights than pixels.
  virtual bool packs_in_tasks() const { return false; }
  // Names the layout of the packed weights: equal for parts that can share them.
  virtual std::string packed_format() const = 0;

  // At least `wanted` of them, where the output channels allow it.
  virtual Tasks tasks(std::int64_t wanted) const = 0;
  virtual void run(std::int64_t task, const Tasks& tasks, const CorrelationArrays<T>& arrays,
                   const T* packed, T* workspace) const = 0;  // packed: or null, as above

  // Whether each output is written once, so that a residual may be read where it is written.
  virtual bool writes_once() const { return true; }

  // Estimated cycles for one image.
  virtual double cost() const = 0;
  virtual PartInfo info() const = 0;
};

template <class T>
using PartPtr = std::unique_ptr<const Part<T>>;

// The algorithms serve every problem, direct and tiled also outputs of several phases; what they
// are made of serves some of them, or is null.
template <class T>
PartPtr<T> make_rows(const Kernels<T>& kernels, const CorrelationShape& shape,
                     const PartAxes& axes);
template <class T>
PartPtr<T> make_planes(const Kernels<T>& kernels, const CorrelationShape& shape,
                       const PartAxes& axes);
template <class T>
PartPtr<T> make_groups(const Kernels<T>& kernels, const CorrelationShape& shape,
                       const PartAxes& axes);
template <class T>
PartPtr<T> make_products(const Kernels<T>& kernels, const CorrelationShape& shape,
                         const PartAxes& axes);
template <class T>
PartPtr<T> make_direct(const Kernels<T>& kernels, const CorrelationShape& shape,
                       const PartAxes& axes);
template <class T>
PartPtr<T> make_tiled(const Kernels<T>& kernels, const CorrelationShape& shape,
                      const PartAxes& axes);
template <class T>
PartPtr<T> make_im2col(const Kernels<T>& kernels, const CorrelationShape& shape,
                       const PartAxes& axes);

}  // namespace fastconv
