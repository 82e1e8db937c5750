// SHA-256 (FIPS 180-4), a second opinion on the hashes that the build computes.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace rotor {

// The first 32 bits of the fractional parts of the roots of the first 64 primes.
inline std::uint32_t sha256_constant(int index, bool cube) {
  int prime = 1;
  for (int found = -1; found < index;) {
    ++prime;
    bool divides = false;
    for (int d = 2; d * d <= prime; ++d) divides = divides || prime % d == 0;
    found += divides ? 0 : 1;
  }
  const long double root = cube ? std::cbrt(static_cast<long double>(prime))
                                : std::sqrt(static_cast<long double>(prime));
  return static_cast<std::uint32_t>((root - std::floor(root)) * 4294967296.0L);
}

inline void sha256_block(std::array<std::uint32_t, 8>& state, const unsigned char* bytes,
                         const std::array<std::uint32_t, 64>& k) {
  std::array<std::uint32_t, 64> w;
  for (std::size_t i = 0; i < 16; ++i) {
    w[i] = 0;
    for (std::size_t b = 0; b < 4; ++b) w[i] = w[i] << 8 | bytes[4 * i + b];
  }
  for (std::size_t i = 16; i < 64; ++i) {
    const std::uint32_t a = w[i - 15];
    const std::uint32_t b = w[i - 2];
    w[i] = w[i - 16] + w[i - 7] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ a >> 3) +
           (std::rotr(b, 17) ^ std::rotr(b, 19) ^ b >> 10);
  }
  std::array<std::uint32_t, 8> s = state;
  for (std::size_t i = 0; i < 64; ++i) {
    const std::uint32_t one = s[7] +
                              (std::rotr(s[4], 6) ^ std::rotr(s[4], 11) ^ std::rotr(s[4], 25)) +
                              ((s[4] & s[5]) ^ (~s[4] & s[6])) + k[i] + w[i];
    const std::uint32_t two = (std::rotr(s[0], 2) ^ std::rotr(s[0], 13) ^ std::rotr(s[0], 22)) +
                              ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
    s = {one + two, s[0], s[1], s[2], s[3] + one, s[4], s[5], s[6]};
  }
  for (std::size_t i = 0; i < 8; ++i) state[i] += s[i];
}

// "sha256-..." in base 64, as content security policies write it.
inline std::string policy_hash(std::string text) {
  std::array<std::uint32_t, 8> state;
  std::array<std::uint32_t, 64> k;
  for (int i = 0; i < 8; ++i) state[static_cast<std::size_t>(i)] = sha256_constant(i, false);
  for (int i = 0; i < 64; ++i) k[static_cast<std::size_t>(i)] = sha256_constant(i, true);
  const std::uint64_t bits = text.size() * 8;
  text += '\x80';
  while (text.size() % 64 != 56) text += '\0';
  for (int shift = 56; shift >= 0; shift -= 8) text += static_cast<char>(bits >> shift & 0xff);
  for (std::size_t at = 0; at < text.size(); at += 64) {
    sha256_block(state, reinterpret_cast<const unsigned char*>(text.data()) + at, k);
  }
  const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out = "sha256-";
  const auto bit = [&](std::size_t i) { return i < 256 ? state[i / 32] >> (31 - i % 32) & 1 : 0; };
  for (std::size_t i = 0; i < 258; i += 6) {
    std::uint32_t digit = 0;
    for (std::size_t b = 0; b < 6; ++b) digit = digit << 1 | bit(i + b);
    out += digits[digit];
  }
  return out + '=';
}

}  // namespace rotor
