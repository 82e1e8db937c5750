// Sixteen codes of two bits in a word, as in Bits2, Bits2x16 and for the upper bits of Bits6Row (kernels/packing.h).
#pragma once

#include <cstdint>
#include <cstring>

namespace rotor {

// Sixteen codes into one word: bits 8b + 2j hold the code of column 4j + b.
inline std::uint32_t pack_word(const std::uint8_t* codes) {
  std::uint32_t word = 0;
  for (unsigned j = 0; j < 4; ++j) {
    std::uint32_t four;
    std::memcpy(&four, codes + 4 * j, sizeof four);
    word |= four << (2 * j);
  }
  return word;
}

inline void unpack_word(std::uint32_t word, std::uint8_t* codes) {
  for (unsigned j = 0; j < 4; ++j) {
    const std::uint32_t four = (word >> (2 * j)) & 0x03030303u;
    std::memcpy(codes + 4 * j, &four, sizeof four);
  }
}

}  // namespace rotor
