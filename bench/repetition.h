// How much a text repeats itself.
#pragma once

#include <cstdint>
#include <span>

namespace rotor {

// Different runs of n tokens as a share of all runs of n tokens: 1 if none comes twice. NaN if the
// text is shorter than n.
double distinct_ngrams(std::span<const std::uint32_t> tokens, std::uint32_t n);

// Length of the longest run of tokens that comes at least twice; the two may overlap, so that a loop
// counts as what it is. Time grows
// with the square of the length.
std::uint32_t longest_repeat(std::span<const std::uint32_t> tokens);

}  // namespace rotor
