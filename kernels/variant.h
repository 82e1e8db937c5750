// KernelVariant: one immutable row of the registry.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/ops.h"

namespace rotor {

enum class Backend : std::uint8_t { Cpu, OpenCL, Vulkan };
std::string_view backend_name(Backend backend);  // "cpu", "opencl", "vulkan"

// What a kernel needs of a device, as bits. Baseline needs nothing.
using Features = std::uint64_t;
namespace feature {
inline constexpr Features Baseline = 0;
// x86. Each level is what the kernels of that level use, not one CPUID bit.
inline constexpr Features Avx2 = 1u << 0;        // AVX2 + FMA + F16C
inline constexpr Features AvxVnni = 1u << 1;     // AVX-VNNI (VEX-encoded dot products)
inline constexpr Features Avx512 = 1u << 2;      // AVX-512 F, BW, DQ, VL
inline constexpr Features Avx512Vnni = 1u << 3;  // AVX-512 VNNI
inline constexpr Features Avx512Vbmi = 1u << 4;  // AVX-512 VNNI and VBMI (permutations of bytes)
// arm
inline constexpr Features NeonDot = 1u << 8;  // Advanced SIMD with the dot product (ARMv8.2)
// GPU backends
inline constexpr Features Subgroups = 1u << 16;    // subgroup arithmetic in compute
inline constexpr Features Int8Storage = 1u << 17;  // 8-bit storage and arithmetic types
inline constexpr Features Half = 1u << 18;         // 16-bit float storage and arithmetic
inline constexpr Features IntegerDot = 1u << 19;   // packed 4x8 signed dot product
inline constexpr Features CoopMatrix = 1u << 20;   // cooperative matrices
inline constexpr Features Meeting = 1u << 21;      // a memory model of the whole device; shuffles
}  // namespace feature

// The features that have names, in order, for `--features`, reports and reason codes.
struct FeatureName {
  Features bit;
  std::string_view name;    // "avx512vnni"
  std::string_view people;  // "AVX-512 VNNI"
};
std::span<const FeatureName> feature_names();
// "avx2,avx512" or "baseline".
std::string feature_list(Features features);
// Reads a comma-separated list of names ("baseline" or "" is none). Throws UsageError on others.
Features parse_features(std::string_view list);

// Rows and tokens that one work-group (GPU) or one inner tile (CPU) handles; 0 where it has no say.
struct Tile {
  std::uint16_t rows = 0;
  std::uint16_t tokens = 0;
  // Work-items of a work-group, and how many of them share a row; 0: what suits the device, which is
  // what every row of the registry says.
  std::uint16_t group = 0;
  std::uint16_t lanes = 0;

  bool operator==(const Tile&) const = default;
};

std::string tile_text(const Tile& tile);  // "16x1", "32x1, group 128, lanes 8"

// Which batches a row serves.
enum class Batch : std::uint8_t { Any, Single, Many };

// What a CPU kernel gets: the op's buffers in the order of the contract, its parameters, its slice
// of the index space, and scratch of its own (see scratch_bytes). It must write exactly its slice.
struct CpuCall {
  std::byte* const* buffers;
  const void* params;
  std::uint32_t begin;
  std::uint32_t end;
  std::byte* scratch;  // 64-byte aligned, kScratchBytes, contents undefined

  template <typename T>
  T* buffer(std::size_t index) const {
    return reinterpret_cast<T*>(buffers[index]);
  }
  template <typename Params>
  const Params& parameters() const {
    return *static_cast<const Params*>(params);
  }
};
using CpuKernel = void (*)(const CpuCall&) noexcept;

// Scratch of each CPU worker. Enough for one padded row of the widest layer in f32, or an unpacked
// panel of 32 rows; kernels of wider matrices work in pieces.
inline constexpr std::size_t kScratchBytes = 1u << 20;

struct KernelVariant {
  std::string_view
      name;  // "cpu/matmul_bitpacked_avx2": public and stable, reports are joined on it
  Backend backend;
  Op op;
  Packing packing;
  Features needs;
  Batch batch;
  Tile tile;
  CpuKernel cpu = nullptr;                              // backend Cpu
  std::string_view entry{};                             // OpenCL: the kernel function
  std::string_view (*text)() = nullptr;                 // OpenCL: its source
  std::span<const std::uint32_t> (*spirv)() = nullptr;  // Vulkan: its module

  // Slices of the index space begin and end at multiples of this (or at its end).
  constexpr std::uint32_t grain() const { return interleaved(packing) ? 16 : 1; }
};

// The whole table, in order of preference within an op. Constant after start.
std::span<const KernelVariant> variants();

// The row of that name, or nullptr.
const KernelVariant* find_variant(std::string_view name);

// The tiles that a variant can be run with, its own first: what a tuner may choose from.
std::vector<Tile> tiles_of(const KernelVariant& variant);

}  // namespace rotor
