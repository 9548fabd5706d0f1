// The gradients of weight and bias.
//
//   grad_weight(oc, ic, tap) = sum over n, o of grad_output(n, oc, o) * input(n, ic, o meets tap)
//
// Outputs are cut into units of (output channels x (input channel, tap)); a unit walks over the
// images' strips and keeps its sums. Where the units are too few to share out, the strips are cut
// into chunks as well, and the chunks' sums added in order: how many depends on the problem alone,
// so that the bits do not depend on the threads.
#include "conv/conv.hpp"
#include "conv/weight_methods.hpp"
#include "runtime/memory.hpp"
#include "runtime/threads.hpp"

namespace fastconv {
namespace {

constexpr std::int64_t kEnoughTasks = 16;  // for which strips are cut into chunks
constexpr std::int64_t kFewTasks = 4;      // for which a single unit is cut
constexpr std::int64_t kFewColumns = 64;   // that a unit keeps then
constexpr std::int64_t kSomeTasks = 9;     // that need no chunks, if units keep so many channels
constexpr std::int64_t kSomeChannels = 8;

template <class T, class Method>
class WeightGradient {
 public:
  WeightGradient(const Kernels<T>& kernels, const ConvShape& shape,
                 const ConvBackwardWeight<T>& arrays)
      : kernels_(kernels),
        shape_(shape),
        arrays_(arrays),
        taps_(shape.taps()),
        step_(Method::row_step(kernels)),
        row_units_((shape.oc - 1) / step_ + 1, Method::unit_rows(kernels) / step_),
        layout_(forward_taps(shape.axis[0], true), forward_taps(shape.axis[1], true),
                forward_taps(shape.axis[2], true),
                Method::kGapsCost ? static_cast<double>(unit_rows()) : 0),
        method_(kernels, layout_),
        strips_(shape.n * layout_.blocks()),
        column_step_(taps_ < Method::unit_columns() ? taps_ : 1),
        column_units_(shape.ic * taps_ / column_step_, unit_columns() / column_step_),
        by_taps_(column_step_ == taps_ && !layout_.inside() &&
                 Method::by_taps(kernels, unit_rows(), column_units_.size(column_units_.parts - 1))),
        chunks_(strips_, 1),
        images_(Method::kAnyStrips && layout_.blocks() == 1
                    ? std::clamp<std::int64_t>(StripLayout::kBlockPixels / shape.outputs(), 1,
                                               shape.n)
                    : 1),
        in_place_(Method::kAnyStrips && readable_in_place()) {
    const auto count = [&] { return shape.g * row_units_.parts * column_units_.parts; };
    // An input that is read in place may be read by more units, which costs less than to add the
    // sums of chunks (64 channels of 56 x 56, 3x3: 1.1 to 1.2 times as fast; 96 of 28 x 28 to 128,
    // with fewer columns each too, 0.80 ms in place of 0.88).
    if (in_place_ && strips_ > 1 && strips_ <= kEnoughTasks && count() < kEnoughTasks) {
      row_units_ = Split(row_units_.total, kMaxOuterVectors);
      const std::int64_t wanted = (kSomeTasks - 1) / (shape.g * row_units_.parts) + 1;
      const std::int64_t parts = std::min(wanted, shape.ic / kSomeChannels);
      if (by_taps_ && column_units_.parts < parts)
        column_units_ = Split(shape.ic, (shape.ic - 1) / parts + 1);
    }
    const std::int64_t units = count();
    chunks_ = Split(strips_, (strips_ - 1) / std::max<std::int64_t>(1, kEnoughTasks / units) + 1);

    column_offset_.reserve(static_cast<std::size_t>(shape.ic * taps_));
    const Strides& stride = shape.weight;
    for (std::int64_t ic = 0; ic < shape.ic; ++ic)
      for (std::int64_t kd = 0; kd < shape.axis[0].kernel; ++kd)
        for (std::int64_t kh = 0; kh < shape.axis[1].kernel; ++kh)
          for (std::int64_t kw = 0; kw < shape.axis[2].kernel; ++kw)
            column_offset_.push_back(ic * stride.channel + kd * stride.axis[0] +
                                     kh * stride.axis[1] + kw * stride.axis[2]);
    for (std::size_t i = 0; i < column_offset_.size(); ++i)
      in_order_ = in_order_ && column_offset_[i] == static_cast<std::int64_t>(i);
  }

  std::int64_t tasks() const {
    return chunks_.parts * shape_.g * row_units_.parts * column_units_.parts;
  }
  std::int64_t workspace_size() const {
    const std::int64_t rows = unit_rows(), columns = most_columns();
    return images_ * (strip_size() + method_.grad_size(rows)) +
           aligned_size<T>(method_.sum_size(rows, columns) + method_.finish_size(rows, columns));
  }
  // Unless there is one chunk, each chunk's sums go to [chunk][oc][ic][tap] first.
  bool in_chunks() const { return chunks_.parts != 1; }
  std::int64_t partial_size() const { return in_chunks() ? chunks_.parts * size() : 0; }

  void run(std::int64_t task, T* workspace, T* partial) const {
    const std::int64_t column_unit = task % column_units_.parts;
    task /= column_units_.parts;
    const std::int64_t row_unit = task % row_units_.parts;
    task /= row_units_.parts;
    const std::int64_t row = row_units_.begin(row_unit) * step_;
    const Unit unit{task % shape_.g, row,
                    std::min(row_units_.size(row_unit) * step_, shape_.oc - row),
                    column_units_.begin(column_unit) * column_step_,
                    column_units_.size(column_unit) * column_step_};
    const std::int64_t chunk = task / shape_.g;

    T* strip = workspace;
    T* grad = strip + images_ * strip_size();
    T* sum = grad + images_ * method_.grad_size(unit_rows());
    const std::int64_t first = unit.column / taps_;
    for (std::int64_t i = 0; i < chunks_.size(chunk); i += images_) {
      const std::int64_t index = chunks_.begin(chunk) + i;
      const Block block = layout_.block(index % layout_.blocks());
      const std::int64_t n = index / layout_.blocks();
      const std::int64_t images = std::min(images_, chunks_.size(chunk) - i);
      const Strides& stride = shape_.output;
      for (std::int64_t j = 0; j < images; ++j)
        method_.pack_grad(unit, block,
                          {arrays_.grad_output + (n + j) * stride.outer +
                               (unit.g * shape_.oc + unit.row) * stride.channel +
                               block.depth * stride.axis[0] + block.row * stride.axis[1] +
                               block.column * stride.axis[2],
                           stride.channel, stride.axis[1], stride.axis[2]},
                          grad + j * method_.grad_size(unit.rows));
      // An infinity times the zeros of the padding is NaN.
      const bool by_taps = by_taps_ && method_.finite(unit, block, images, grad);
      const bool in_place = in_place_ && by_taps == by_taps_;
      const Index channel = in_place ? shape_.input.channel : layout_.channel;
      const std::vector<Index>& tap = in_place ? tap_in_place_ : layout_.offset;
      const auto offset = [&](std::int64_t c) {
        const std::int64_t column = unit.column + c;
        return (column / taps_ - first) * channel + tap[static_cast<std::size_t>(column % taps_)];
      };
      method_.accumulate(unit, block, input(unit, n, images, block, in_place, strip), offset, grad,
                         by_taps, i > 0, sum);
    }
    finish(unit, sum, chunk, partial);
  }

  // Adds the chunks of output channel `channel`, counted over all groups.
  void add_chunks(std::int64_t channel, const T* partial) const {
    constexpr std::int64_t kColumns = 64;
    const std::int64_t columns = shape_.ic * taps_;
    for (std::int64_t first = 0; first < columns; first += kColumns) {
      const std::int64_t count = std::min(kColumns, columns - first);
      T all[kColumns] = {};
      for (std::int64_t chunk = 0; chunk < chunks_.parts; ++chunk) {
        const T* from = partial + chunk * size() + channel * columns + first;
        for (std::int64_t i = 0; i < count; ++i) all[i] += from[i];
      }
      store(all, channel, first, count);
    }
  }

 private:
  // Columns of a unit, at most; fewer where they alone can give tasks, at the price
  // of packing the gradient for each unit. (37 channels to 53 in one strip, two threads: 1.3 times
  // as fast with four units as with one.)
  std::int64_t unit_columns() const {
    const std::int64_t all = shape_.ic * taps_;
    std::int64_t most = Method::unit_columns();
    if (shape_.g * row_units_.parts * strips_ == 1)
      most = std::min(most, std::max(kFewColumns, all / kFewTasks));
    return most;
  }
  std::int64_t most_columns() const { return column_units_.largest() * column_step_; }

  std::int64_t unit_rows() const { return std::min(row_units_.largest() * step_, shape_.oc); }

  std::int64_t size() const { return shape_.g * shape_.oc * shape_.ic * taps_; }

  // A unit's columns may begin and end inside a channel.
  std::int64_t strip_size() const {
    const std::int64_t channels = std::min(shape_.ic, (most_columns() - 1) / taps_ + 2);
    return aligned_size<T>(channels * layout_.channel + 2 * kernels_.lanes);
  }

  // Whether outputs side by side meet inputs side by side, or two apart, or channels stand so, and
  // none reads padding (channels-last, 480 of 14 x 14 to 192 take 0.19 ms, copied 0.24; stride 2,
  // 3x3 of 128 planes of 56 x 56 1.21 and 1.51).
  bool readable_in_place() {
    const Strides& stride = shape_.input;
    const bool channels = stride.channel == 1 && pixel_step() > 2;
    const bool near = channels || pixel_step() == 1 || pixel_step() == 2;
    if (!near || !(layout_.inside() || by_taps_)) return false;
    for (const Tap& kd : layout_.depth.taps)
      for (const Tap& kh : layout_.height.taps)
        for (const Tap& kw : layout_.width.taps)
          tap_in_place_.push_back(kd.offset * stride.axis[0] + kh.offset * stride.axis[1] +
                                  kw.offset * stride.axis[2]);
    return true;
  }

  // From the input that an output meets to its neighbour's.
  std::int64_t pixel_step() const { return layout_.width.step * shape_.input.axis[2]; }

  InputStrips<T> input(const Unit& unit, std::int64_t n, std::int64_t images, const Block& block,
                       bool in_place, T* strip) const {
    const std::int64_t first = unit.column / taps_;
    const std::int64_t last = (unit.column + unit.columns - 1) / taps_;
    const Strides& stride = shape_.input;
    const T* image = arrays_.input + n * stride.outer + unit.g * shape_.ic * stride.channel;
    if (in_place)
      return {image + first * stride.channel + block.depth * layout_.depth.step * stride.axis[0] +
                  block.row * layout_.height.step * stride.axis[1] +
                  block.column * pixel_step(),
              images, stride.outer, layout_.height.step * stride.axis[1], pixel_step()};
    for (std::int64_t j = 0; j < images; ++j)
      for (std::int64_t ic = first; ic <= last; ++ic)
        layout_.pack(kernels_, image + j * stride.outer + ic * stride.channel, stride.axis, block,
                     T{0}, strip + j * strip_size() + (ic - first) * layout_.channel);
    return {strip, images, strip_size(), layout_.pitch, 1};
  }

  void finish(const Unit& unit, T* sum, std::int64_t chunk, T* partial) const {
    T* const behind = sum + method_.sum_size(unit_rows(), most_columns());
    const UnitSums<T> sums = method_.finish(unit, sum, behind);
    for (std::int64_t m = 0; m < unit.rows; ++m) {
      const std::int64_t channel = unit.g * shape_.oc + unit.row + m;
      const T* from = sums.first + m * sums.row_stride;
      if (in_chunks())
        std::copy(from, from + unit.columns,
                  partial + chunk * size() + channel * shape_.ic * taps_ + unit.column);
      else
        store(from, channel, unit.column, unit.columns);
    }
  }

  void store(const T* from, std::int64_t channel, std::int64_t column, std::int64_t count) const {
    T* const target = arrays_.grad_weight + channel * shape_.weight.outer;
    if (in_order_) {
      std::copy(from, from + count, target + column);
      return;
    }
    for (std::int64_t i = 0; i < count; ++i)
      target[column_offset_[static_cast<std::size_t>(column + i)]] = from[i];
  }

  const Kernels<T>& kernels_;
  const ConvShape& shape_;
  const ConvBackwardWeight<T>& arrays_;
  std::int64_t taps_;
  std::int64_t step_;  // rows of a unit are so many, or all of the last ones
  Split row_units_;
  StripLayout layout_;
  Method method_;
  std::int64_t strips_;
  std::int64_t column_step_;  // a unit has whole channels, or a part of one
  Split column_units_;
  bool by_taps_;
  Split chunks_;
  std::int64_t images_;  // that are summed in one go
  std::vector<Index> tap_in_place_;
  bool in_place_;
  std::vector<std::int64_t> column_offset_;  // of each (ic, tap) in grad_weight
  bool in_order_ = true;                     // whether they are 0, 1, 2, ...
};

template <class T>
void bias_gradient(const Kernels<T>& kernels, const ConvShape& shape,
                   const ConvBackwardWeight<T>& arrays) {
  const Strides& stride = shape.output;
  const std::int64_t channels = shape.g * shape.oc;
  const double work = kElementCost * static_cast<double>(shape.n * channels * shape.outputs());
  parallel_for(channels, threads_for(channels, work), [&](std::int64_t channel, int) {
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

template <class T, class Method>
void weight_gradient(const Kernels<T>& kernels, const ConvShape& shape,
                     const ConvBackwardWeight<T>& arrays) {
  const WeightGradient<T, Method> gradient(kernels, shape, arrays);
  const int threads = threads_for(gradient.tasks(), shape.flop());
  const std::int64_t size = gradient.workspace_size();
  const Buffer<T> partial(static_cast<std::size_t>(gradient.partial_size()));
  const Buffer<T> workspace(static_cast<std::size_t>(threads * size));
  parallel_for(gradient.tasks(), threads, [&](std::int64_t task, int thread) {
    gradient.run(task, workspace.data() + thread * size, partial.data());
  });
  if (!gradient.in_chunks()) return;
  parallel_for(shape.g * shape.oc, threads, [&](std::int64_t channel, int) {
    gradient.add_chunks(channel, partial.data());
  });
}

// Whether a 1x1 convolution skips columns of its input that several units would read, of several
// images (of one that costs less: 512 channels of 28 x 28 to 1024 1.14 ms, 1.17 with them left out).
template <class T>
bool skips(const Kernels<T>& kernels, const ConvShape& shape) {
  bool inside = true;
  for (const Axis& axis : shape.axis)
    inside = inside && axis.pad_before == 0 && (axis.output - 1) * axis.stride < axis.input;
  return inside && shape.n > 1 && shape.taps() == 1 && shape.axis[2].stride > 1 &&
         shape.input.axis[2] == 1 && shape.oc > OuterMethod<T>::unit_rows(kernels);
}

// The same with what is skipped left out beforehand.
template <class T>
void skipping_weight_gradient(const Kernels<T>& kernels, const ConvShape& shape,
                              const ConvBackwardWeight<T>& arrays) {
  ConvShape dense = shape;
  for (Axis& axis : dense.axis) axis.input = axis.output, axis.stride = 1;
  const std::int64_t height = shape.axis[1].output, width = shape.axis[2].output;
  const std::int64_t plane = shape.outputs() + kernels.lanes;  // never a page from the next
  const std::int64_t channels = shape.g * shape.ic;
  dense.input = {channels * plane, plane, {height * width, width, 1}};
  const Buffer<T> input(static_cast<std::size_t>(shape.n * channels * plane));
  const double work = kElementCost * static_cast<double>(shape.n * channels * plane);
  parallel_for(shape.n * channels, threads_for(shape.n * channels, work),
               [&](std::int64_t index, int) {
                 const Strides& stride = shape.input;
                 const T* const source = arrays.input + index / channels * stride.outer +
                                         index % channels * stride.channel;
                 const Axis &depth = shape.axis[0], &rows = shape.axis[1], &columns = shape.axis[2];
                 for (std::int64_t od = 0; od < depth.output; ++od)
                   kernels.pack({source + od * depth.stride * stride.axis[0],
                                 rows.stride * stride.axis[1], columns.stride, height, 0, width, 0,
                                 input.data() + index * plane + od * height * width, T{0}});
               });
  weight_gradient<T, OuterMethod<T>>(
      kernels, dense, {arrays.grad_output, input.data(), arrays.grad_weight, nullptr});
}

}  // namespace

template <class T>
void conv_backward_weight(const Kernels<T>& kernels, const ConvShape& shape,
                          const ConvBackwardWeight<T>& arrays) {
  if (arrays.grad_bias) bias_gradient(kernels, shape, arrays);
  if (!arrays.grad_weight || row_weight_gradient(kernels, shape, arrays)) return;
  if (skips(kernels, shape)) return skipping_weight_gradient(kernels, shape, arrays);
  // A vector of output channels should be at least two thirds full.
  if (3 * shape.oc >= 2 * kernels.lanes)
    weight_gradient<T, OuterMethod<T>>(kernels, shape, arrays);
  else
    weight_gradient<T, DotMethod<T>>(kernels, shape, arrays);
}

template void conv_backward_weight(const Kernels<float>&, const ConvShape&,
                                   const ConvBackwardWeight<float>&);
template void conv_backward_weight(const Kernels<double>&, const ConvShape&,
                                   const ConvBackwardWeight<double>&);

}  // namespace fastconv
