// The windows of images as columns (im2col; Chellapilla et al. 2006), and its adjoint:
//   columns[n][(c * KH + kh) * KW + kw][oh * OW + ow] = image[n][c][ih][iw],
//   ih = oh * stride - pad + kh * dilation, iw the same; 0 outside the image.
// Rows of the image lie in a planar strip while they are read or summed, which is the image itself
// where its rows are contiguous; else a copy, of as many channels as stand side by side.
#include <algorithm>

#include "pool/pool.hpp"
#include "runtime/memory.hpp"
#include "runtime/split.hpp"
#include "runtime/threads.hpp"

namespace fastconv {
namespace {

using Index = std::int64_t;

// The outputs of an axis that meet the input at tap k: input = output * stride + shift.
struct Reach {
  Reach(const Axis& axis, Index k) : shift(k * axis.dilation - axis.pad_before) {
    begin = shift >= 0 ? 0 : std::min((-shift - 1) / axis.stride + 1, axis.output);
    const Index room = axis.input - 1 - shift;
    end = std::max(begin, room < 0 ? 0 : std::min(room / axis.stride + 1, axis.output));
  }
  Index shift, begin, end;
};

// Calls body(stride), which is a constant where it is small: such loops become vectors.
template <class Body>
void with_stride(Index stride, const Body& body) {
  if (stride == 1) return body(std::integral_constant<Index, 1>{});
  if (stride == 2) return body(std::integral_constant<Index, 2>{});
  body(stride);
}

struct Blocks {
  static constexpr Index kElements = 8192;  // of an image's rows in a task: they stay in the cache

  Blocks(const UnfoldShape& shape, Index rows, Index step)
      : copied(shape.axis[2].input > 1 && shape.image.axis[2] != 1),
        groups(shape.c, copied && shape.image.channel == 1 ? 16 : 1),
        blocks(rows, kElements / step / (shape.axis[2].input * groups.largest())),
        tasks(shape.n * groups.parts * blocks.parts),
        threads(threads_for(tasks, kElementCost / 4 * static_cast<double>(shape.n * shape.c) *
                                       static_cast<double>(shape.taps()) *
                                       static_cast<double>(shape.outputs()))) {}

  // Calls body(n, first channel, channels, first row, rows, thread) on all threads.
  template <class Body>
  void run(const Body& body) const {
    parallel_for(tasks, threads, [&](Index task, int thread) {
      const Index block = task % blocks.parts, group = task / blocks.parts % groups.parts;
      body(task / blocks.parts / groups.parts, groups.begin(group), groups.size(group),
           blocks.begin(block), blocks.size(block), thread);
    });
  }

  bool copied;
  Split groups, blocks;  // channels, rows
  Index tasks;
  int threads;
};

}  // namespace

template <class T>
void unfold(const UnfoldShape& shape, const T* image, T* columns) {
  const Axis &h = shape.axis[1], &w = shape.axis[2];
  const Blocks blocks(shape, h.output, std::min(h.stride, h.input));
  const Index extent = std::min((blocks.blocks.largest() - 1) * h.stride + h.extent(), h.input);
  const Index room = blocks.copied ? extent * w.input * blocks.groups.largest() : 0;
  const Buffer<T> strips(static_cast<std::size_t>(room * blocks.threads));
  const Strides& from = shape.image;
  blocks.run([&](Index n, Index first, Index channels, Index row, Index rows, int thread) {
    const T* source = image + n * from.outer + first * from.channel;
    Index plane = from.channel, pitch = from.axis[1], top = 0;
    if (blocks.copied) {
      top = std::clamp<Index>(row * h.stride - h.pad_before, 0, h.input);
      const Index behind = std::clamp<Index>(
          (row + rows - 1) * h.stride - h.pad_before + h.extent(), top, h.input);
      T* const strip = strips.data() + thread * room;
      pitch = w.input, plane = (behind - top) * pitch;
      for (Index y = top; y < behind; ++y)
        for (Index x = 0; x < w.input; ++x)
          for (Index c = 0; c < channels; ++c)
            strip[c * plane + (y - top) * pitch + x] =
                source[y * from.axis[1] + x * from.axis[2] + c * from.channel];
      source = strip;
    }
    for (Index c = 0; c < channels; ++c)
      for (Index kh = 0; kh < h.kernel; ++kh)
        for (Index kw = 0; kw < w.kernel; ++kw) {
          const Reach reach(w, kw);
          const Index column = ((first + c) * h.kernel + kh) * w.kernel + kw;
          for (Index oh = row; oh < row + rows; ++oh) {
            const Index ih = oh * h.stride - h.pad_before + kh * h.dilation;
            T* const to =
                columns + n * shape.columns[0] + column * shape.columns[1] + oh * w.output;
            if (ih < 0 || ih >= h.input) {
              std::fill_n(to, w.output, T{0});
              continue;
            }
            const T* const line = source + c * plane + (ih - top) * pitch + reach.shift;
            std::fill(to, to + reach.begin, T{0});
            with_stride(w.stride, [&](auto stride) {
              for (Index ow = reach.begin; ow < reach.end; ++ow) to[ow] = line[ow * stride];
            });
            std::fill(to + reach.end, to + w.output, T{0});
          }
        }
  });
}

template <class T>
void fold(const UnfoldShape& shape, const T* columns, T* image) {
  const Axis &h = shape.axis[1], &w = shape.axis[2];
  const Blocks blocks(shape, h.input, 1);
  const Index room = blocks.copied ? w.input * blocks.groups.largest() : 0;
  const Buffer<T> strips(static_cast<std::size_t>(room * blocks.threads));
  const Strides& to = shape.image;
  blocks.run([&](Index n, Index first, Index channels, Index row, Index rows, int thread) {
    T* const target = image + n * to.outer + first * to.channel;
    T* const strip = strips.data() + thread * room;
    for (Index ih = row; ih < row + rows; ++ih) {
      for (Index c = 0; c < channels; ++c) {
        T* const line =
            blocks.copied ? strip + c * w.input : target + c * to.channel + ih * to.axis[1];
        std::fill_n(line, w.input, T{0});
        for (Index kh = 0; kh < h.kernel; ++kh) {
          const Index reached = ih + h.pad_before - kh * h.dilation, oh = reached / h.stride;
          if (reached < 0 || reached % h.stride || oh >= h.output) continue;
          for (Index kw = 0; kw < w.kernel; ++kw) {
            const Reach reach(w, kw);
            const Index column = ((first + c) * h.kernel + kh) * w.kernel + kw;
            const T* const from =
                columns + n * shape.columns[0] + column * shape.columns[1] + oh * w.output;
            T* const at = line + reach.shift;
            with_stride(w.stride, [&](auto stride) {
              for (Index ow = reach.begin; ow < reach.end; ++ow) at[ow * stride] += from[ow];
            });
          }
        }
      }
      if (!blocks.copied) continue;
      for (Index x = 0; x < w.input; ++x)
        for (Index c = 0; c < channels; ++c)
          target[ih * to.axis[1] + x * to.axis[2] + c * to.channel] = strip[c * w.input + x];
    }
  });
}

template void unfold(const UnfoldShape&, const float*, float*);
template void unfold(const UnfoldShape&, const double*, double*);
template void fold(const UnfoldShape&, const float*, float*);
template void fold(const UnfoldShape&, const double*, double*);

}  // namespace fastconv
