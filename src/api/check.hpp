// Checks once: what a caller describes becomes a canonical shape, or an InvalidArgument whose
// message names the argument, what it got and what it wanted.
#pragma once

#include "fastconv/fastconv.h"
#include "plan/shape.hpp"

namespace fastconv {

ConvShape make_shape(const fastconv_conv_desc& desc);
PoolShape make_shape(const fastconv_pool_desc& desc);
UnfoldShape make_shape(const fastconv_unfold_desc& desc);
UnpoolShape make_shape(const fastconv_unpool_desc& desc);

}  // namespace fastconv
