// Loops that do nothing but read, or nothing but arithmetic: what a core can do at best. They are the
// measured roof over every kernel (reports/roofline.h), so each uses the widest instructions that the
// features allow, with enough independent sums in flight to fill the pipelines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "kernels/variant.h"

namespace rotor {

// Bytes that a reader takes at a time.
inline constexpr std::size_t kRoofBlock = 1024;
inline constexpr std::size_t kRoofStreams = 4;

// Reads `bytes` (a multiple of kRoofBlock) from 64-byte aligned memory, in kRoofStreams places at a time:
// prefetchers follow one stream to the end of its page, and others bridge the gap (one thread, Zen 4, pages
// of 4 KB: 26 GB/s in one place, 29 to 30 in four). What it returns depends on every byte read.
using RoofRead = std::uint64_t (*)(const std::byte* data, std::size_t bytes) noexcept;
// Repeats its block of arithmetic. What it returns depends on every result.
using RoofCompute = std::uint64_t (*)(std::uint64_t blocks) noexcept;

struct RoofArithmetic {
  std::string_view kind;  // int8_dot, fp32_fma: as in the report format
  double ops;             // of one block; a multiply-add is two
  RoofCompute run;
};

struct RoofKernels {
  RoofRead read;
  std::vector<RoofArithmetic> arithmetic;
};

// Those for a CPU with these features.
RoofKernels roof_kernels(Features features);

// Makes the compiler forget what it knows of a variable: equal sums are not merged, constant ones not
// folded.
#define ROTOR_OPAQUE(variable) asm volatile("" : "+m"(variable))

// A number that depends on all bytes (a multiple of 8) of a vector.
inline std::uint64_t folded(const void* vector, std::size_t bytes) {
  std::uint64_t all = 0;
  for (std::size_t at = 0; at < bytes; at += sizeof all) {
    std::uint64_t word;
    std::memcpy(&word, static_cast<const char*>(vector) + at, sizeof word);
    all ^= word;
  }
  return all;
}

// What an architecture adds, best first: kernels/x86/roof.cpp, kernels/arm/roof.cpp.
struct RoofLevel {
  Features needs;
  RoofRead read;  // nullptr: no better than others
  std::vector<RoofArithmetic> arithmetic;
};
std::vector<RoofLevel> roof_levels();

}  // namespace rotor
