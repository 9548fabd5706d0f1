// The gradients of weight and bias.
//
//   grad_weight(oc, ic, tap) = sum over n, o of grad_output(n, oc, o) * input(n, ic, o meets tap)
//
// Outputs are cut into units of (output channels x (input channel, tap)); a unit walks over the
// images' strips with one vector of partial sums for each of its outputs. Where the units are too
// few to share out, the strips are cut into chunks as well, and the chunks' sums added in order:
// how many depends on the problem alone, so that the bits do not depend on the threads.
#include "conv/conv.hpp"
#include "plan/strip.hpp"
#include "runtime/memory.hpp"
#include "runtime/threads.hpp"

namespace fastconv {
namespace {

constexpr std::int64_t kUnitRows = 32;    // output channels of a unit: its sums take
constexpr std::int64_t kUnitColumns = 128;  // 32 * 128 vectors, a quarter of the second cache
constexpr std::int64_t kEnoughTasks = 16;

template <class T>
class WeightGradient {
 public:
  using Valid = typename DotArgs<T>::Mask;

  WeightGradient(const Kernels<T>& kernels, const ConvShape& shape,
                 const ConvBackwardWeight<T>& arrays)
      : kernels_(kernels),
        shape_(shape),
        arrays_(arrays),
        layout_(forward_taps(shape.axis[0], true), forward_taps(shape.axis[1], true),
                forward_taps(shape.axis[2], true), std::min(shape.oc, kUnitRows)),
        taps_(shape.taps()),
        row_units_(shape.oc, kUnitRows),
        column_units_(shape.ic * taps_, whole_channels(taps_)),
        strips_(shape.n * layout_.blocks()),
        chunks_(strips_, 1),
        pixels_((layout_.most_pixels() + kernels.lanes - 1) / kernels.lanes * kernels.lanes) {
    const std::int64_t units = shape.g * row_units_.parts * column_units_.parts;
    chunks_ = Split(strips_, (strips_ - 1) / std::max<std::int64_t>(1, kEnoughTasks / units) + 1);
  }

  std::int64_t tasks() const {
    return chunks_.parts * shape_.g * row_units_.parts * column_units_.parts;
  }
  std::int64_t workspace_bytes() const {
    const std::int64_t sums = row_units_.largest() * column_units_.largest() * kernels_.lanes;
    return static_cast<std::int64_t>(sizeof(T)) *
           (strip_size() + grad_size() + sums + pixels_);
  }
  // Unless there is one chunk, each chunk's sums go to [chunk][oc][ic][tap] first.
  bool in_chunks() const { return chunks_.parts != 1; }
  std::int64_t partial_size() const { return in_chunks() ? chunks_.parts * size() : 0; }

  void run(std::int64_t task, T* workspace, T* partial) const {
    const std::int64_t column_unit = task % column_units_.parts;
    task /= column_units_.parts;
    const std::int64_t row_unit = task % row_units_.parts;
    task /= row_units_.parts;
    const Unit unit{task % shape_.g, row_units_.begin(row_unit), row_units_.size(row_unit),
                    column_units_.begin(column_unit), column_units_.size(column_unit)};
    const std::int64_t chunk = task / shape_.g;

    T* strip = workspace;
    T* grad = strip + strip_size();
    T* sum = grad + grad_size();
    Valid* valid = reinterpret_cast<Valid*>(sum + row_units_.largest() * column_units_.largest() *
                                                      kernels_.lanes);
    Block last{};
    for (std::int64_t i = 0; i < chunks_.size(chunk); ++i) {
      const std::int64_t index = chunks_.begin(chunk) + i;
      const Block block = layout_.block(index % layout_.blocks());
      const std::int64_t n = index / layout_.blocks();
      if (block.rows != last.rows || block.columns != last.columns) mark_valid(block, valid);
      last = block;
      pack_input(unit, n, block, strip);
      pack_grad(unit, n, block, grad);
      accumulate(unit, strip, grad, valid, i > 0, sum);
    }
    finish(unit, sum, chunk, partial);
  }

  // Adds the chunks of output channel `channel`, counted over all groups.
  void add_chunks(std::int64_t channel, const T* partial) const {
    const std::int64_t columns = shape_.ic * taps_;
    for (std::int64_t column = 0; column < columns; ++column) {
      T all = 0;
      for (std::int64_t chunk = 0; chunk < chunks_.parts; ++chunk)
        all += partial[chunk * size() + channel * columns + column];
      *target(channel, column) = all;
    }
  }

 private:
  // Columns of a unit: as many channels as fit, or a part of one.
  static std::int64_t whole_channels(std::int64_t taps) {
    return taps < kUnitColumns ? kUnitColumns / taps * taps : kUnitColumns;
  }

  struct Unit {
    std::int64_t g;
    std::int64_t row, rows;        // output channels of the group
    std::int64_t column, columns;  // ic * taps + tap
  };

  std::int64_t size() const { return shape_.g * shape_.oc * shape_.ic * taps_; }

  // A unit's columns may begin and end inside a channel.
  std::int64_t strip_size() const {
    const std::int64_t channels = std::min(shape_.ic, (column_units_.largest() - 1) / taps_ + 2);
    return channels * layout_.channel + 2 * kernels_.lanes;
  }

  // Packing may write a vector past the end.
  std::int64_t grad_size() const { return row_units_.largest() * pixels_ + kernels_.lanes; }

  void mark_valid(const Block& block, Valid* valid) const {
    for (Index q = 0; q < pixels_; ++q)
      valid[q] = q / layout_.pitch < block.rows && q % layout_.pitch < block.columns ? -1 : 0;
  }

  void pack_input(const Unit& unit, std::int64_t n, const Block& block, T* strip) const {
    const std::int64_t first = unit.column / taps_;
    const std::int64_t last = (unit.column + unit.columns - 1) / taps_;
    const T* image = arrays_.input + n * shape_.input.outer +
                     unit.g * shape_.ic * shape_.input.channel;
    for (std::int64_t ic = first; ic <= last; ++ic)
      layout_.pack(kernels_, image + ic * shape_.input.channel, shape_.input.axis, block, T{0},
                   strip + (ic - first) * layout_.channel);
  }

  // With the strip's pitch and zeros between the rows.
  void pack_grad(const Unit& unit, std::int64_t n, const Block& block, T* grad) const {
    const Strides& stride = shape_.output;
    const T* source = arrays_.grad_output + n * stride.outer +
                      (unit.g * shape_.oc + unit.row) * stride.channel +
                      block.depth * stride.axis[0] + block.row * stride.axis[1] +
                      block.column * stride.axis[2];
    for (std::int64_t m = 0; m < unit.rows; ++m, source += stride.channel, grad += pixels_) {
      // The last row without its end, which would reach past the buffer.
      const Index gap = layout_.pitch - block.columns;
      kernels_.pack({source, stride.axis[1], stride.axis[2], block.rows - 1, 0, block.columns, gap,
                     grad, T{0}});
      const Index done = (block.rows - 1) * layout_.pitch;
      kernels_.pack({source + (block.rows - 1) * stride.axis[1], 0, stride.axis[2], 1, 0,
                     block.columns, pixels_ - done - block.columns, grad + done, T{0}});
    }
  }

  void accumulate(const Unit& unit, const T* strip, const T* grad, const Valid* valid, bool add,
                  T* sum) const {
    const std::int64_t first = unit.column / taps_;
    const Split row_tiles(unit.rows, kernels_.dot_rows);
    for (std::int64_t r = 0; r < row_tiles.parts; ++r) {
      const auto rows = row_tiles.size(r);
      const Split column_tiles(unit.columns, kernels_.dot_columns[rows]);
      for (std::int64_t c = 0; c < column_tiles.parts; ++c) {
        const auto columns = column_tiles.size(c);
        Index offset[kMaxDotColumns];
        for (std::int64_t i = 0; i < columns; ++i) {
          const std::int64_t column = unit.column + column_tiles.begin(c) + i;
          offset[i] = (column / taps_ - first) * layout_.channel +
                      layout_.offset[static_cast<std::size_t>(column % taps_)];
        }
        const std::int64_t row = row_tiles.begin(r);
        kernels_.dot[rows][columns](
            {grad + row * pixels_, pixels_, strip, offset, valid, pixels_ / kernels_.lanes,
             sum + (row * unit.columns + column_tiles.begin(c)) * kernels_.lanes,
             unit.columns * kernels_.lanes, add});
      }
    }
  }

  // The vectors of partial sums become numbers, in place.
  void finish(const Unit& unit, T* sum, std::int64_t chunk, T* partial) const {
    kernels_.reduce(sum, unit.rows * unit.columns, sum);
    for (std::int64_t m = 0; m < unit.rows; ++m)
      for (std::int64_t i = 0; i < unit.columns; ++i) {
        const std::int64_t channel = unit.g * shape_.oc + unit.row + m;
        const std::int64_t column = unit.column + i;
        T& to = in_chunks()
                    ? partial[chunk * size() + channel * shape_.ic * taps_ + column]
                    : *target(channel, column);
        to = sum[m * unit.columns + i];
      }
  }

  T* target(std::int64_t channel, std::int64_t column) const {
    const std::int64_t tap = column % taps_;
    const std::int64_t height = shape_.axis[1].kernel, width = shape_.axis[2].kernel;
    const Strides& stride = shape_.weight;
    return arrays_.grad_weight + channel * stride.outer + column / taps_ * stride.channel +
           tap / width / height * stride.axis[0] + tap / width % height * stride.axis[1] +
           tap % width * stride.axis[2];
  }

  const Kernels<T>& kernels_;
  const ConvShape& shape_;
  const ConvBackwardWeight<T>& arrays_;
  StripLayout layout_;
  std::int64_t taps_;
  Split row_units_, column_units_;
  std::int64_t strips_;
  Split chunks_;
  Index pixels_;  // of a strip, to the end of a vector
};

template <class T>
void bias_gradient(const Kernels<T>& kernels, const ConvShape& shape,
                   const ConvBackwardWeight<T>& arrays) {
  const Strides& stride = shape.output;
  const std::int64_t channels = shape.g * shape.oc;
  const auto elements = static_cast<double>(shape.n * channels * shape.outputs());
  parallel_for(channels, threads_for(channels, elements), [&](std::int64_t channel, int) {
    T all = 0;
    for (std::int64_t n = 0; n < shape.n; ++n)
      for (std::int64_t od = 0; od < shape.axis[0].output; ++od)
        all += kernels.total(arrays.grad_output + n * stride.outer + channel * stride.channel +
                                 od * stride.axis[0],
                             shape.axis[1].output, stride.axis[1], shape.axis[2].output,
                             stride.axis[2]);
    arrays.grad_bias[channel] = all;
  });
}

template <class T>
void weight_gradient(const Kernels<T>& kernels, const ConvShape& shape,
                     const ConvBackwardWeight<T>& arrays) {
  const WeightGradient<T> gradient(kernels, shape, arrays);
  const int threads = threads_for(gradient.tasks(), shape.flop());
  const std::int64_t bytes = gradient.workspace_bytes();
  const Buffer<T> partial(static_cast<std::size_t>(gradient.partial_size()));
  const Buffer<char> workspace(static_cast<std::size_t>(threads * bytes));
  parallel_for(gradient.tasks(), threads, [&](std::int64_t task, int thread) {
    gradient.run(task, reinterpret_cast<T*>(workspace.data() + thread * bytes), partial.data());
  });
  if (!gradient.in_chunks()) return;
  parallel_for(shape.g * shape.oc, threads, [&](std::int64_t channel, int) {
    gradient.add_chunks(channel, partial.data());
  });
}

}  // namespace

template <class T>
void conv_backward_weight(const Kernels<T>& kernels, const ConvShape& shape,
                          const ConvBackwardWeight<T>& arrays) {
  if (arrays.grad_bias) bias_gradient(kernels, shape, arrays);
  if (arrays.grad_weight) weight_gradient(kernels, shape, arrays);
}

template void conv_backward_weight(const Kernels<float>&, const ConvShape&,
                                   const ConvBackwardWeight<float>&);
template void conv_backward_weight(const Kernels<double>&, const ConvShape&,
                                   const ConvBackwardWeight<double>&);

}  // namespace fastconv
