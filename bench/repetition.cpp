#include "bench/repetition.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

namespace rotor {

double distinct_ngrams(std::span<const std::uint32_t> tokens, std::uint32_t n) {
  if (tokens.size() < n) return NAN;
  const std::size_t runs = tokens.size() - n + 1;
  std::set<std::vector<std::uint32_t>> distinct;
  for (std::size_t i = 0; i < runs; ++i) {
    const auto run = tokens.subspan(i, n);
    distinct.emplace(run.begin(), run.end());
  }
  return static_cast<double>(distinct.size()) / static_cast<double>(runs);
}

// common[j] is the length of the longest common suffix of the first i and the first j tokens.
std::uint32_t longest_repeat(std::span<const std::uint32_t> tokens) {
  std::vector<std::uint32_t> common(tokens.size() + 1, 0);
  std::uint32_t longest = 0;
  for (std::size_t i = 1; i <= tokens.size(); ++i) {
    for (std::size_t j = i - 1; j > 0; --j) {  // downwards: common[j - 1] is still of i - 1
      common[j] = tokens[i - 1] == tokens[j - 1] ? common[j - 1] + 1 : 0;
      longest = std::max(longest, common[j]);
    }
  }
  return longest;
}

}  // namespace rotor
