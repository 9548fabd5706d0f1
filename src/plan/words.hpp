// What parts of a plan say of themselves.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "plan/taps.hpp"

namespace fastconv {

// `text`, the next of `numbers` in place of each #.
std::string in_words(const char* text, std::initializer_list<std::int64_t> numbers);

// Appends the kernel elements of taps in their order: "/0,1,2".
void append_taps(std::string& format, const std::vector<Tap>& taps);

}  // namespace fastconv
