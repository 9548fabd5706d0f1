#include "plan/words.hpp"

namespace fastconv {

std::string in_words(const char* text, std::initializer_list<std::int64_t> numbers) {
  std::string words;
  const std::int64_t* number = numbers.begin();
  for (; *text; ++text) {
    if (*text == '#')
      words += std::to_string(*number++);
    else
      words += *text;
  }
  return words;
}

void append_taps(std::string& format, const std::vector<Tap>& taps) {
  for (std::size_t i = 0; i < taps.size(); ++i)
    format += (i == 0 ? "/" : ",") + std::to_string(taps[i].kernel);
}

}  // namespace fastconv
