#include "kernels/variant.h"

#include "core/error.h"

namespace rotor {
namespace {

using namespace feature;

constexpr FeatureName kFeatureNames[] = {
    {Avx2, "avx2", "AVX2 with FMA and F16C"},
    {AvxVnni, "avxvnni", "AVX-VNNI"},
    {Avx512, "avx512", "AVX-512 (F, BW, DQ, VL)"},
    {Avx512Vnni, "avx512vnni", "AVX-512 VNNI"},
    {Avx512Vbmi, "avx512vbmi", "AVX-512 VNNI and VBMI"},
    {NeonDot, "neondot", "NEON dot product"},
    {Subgroups, "subgroups", "subgroup arithmetic"},
    {Int8Storage, "int8storage", "8-bit storage and arithmetic"},
    {Half, "half", "16-bit float storage and arithmetic"},
    {IntegerDot, "integerdot", "packed integer dot product"},
    {CoopMatrix, "coopmatrix", "cooperative matrices"},
    {Meeting, "meeting", "device-wide memory model and subgroup shuffles"},
};

}  // namespace

std::string_view backend_name(Backend backend) {
  switch (backend) {
    case Backend::Cpu:
      return "cpu";
    case Backend::OpenCL:
      return "opencl";
    case Backend::Vulkan:
      return "vulkan";
  }
  return "?";
}

std::span<const FeatureName> feature_names() {
  return kFeatureNames;
}

std::string feature_list(Features features) {
  std::string list;
  for (const FeatureName& f : kFeatureNames) {
    if ((features & f.bit) == 0) continue;
    if (!list.empty()) list += ',';
    list += f.name;
  }
  return list.empty() ? "baseline" : list;
}

Features parse_features(std::string_view list) {
  Features features = Baseline;
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const std::string_view word = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    if (word == "baseline") continue;
    Features bit = Baseline;
    for (const FeatureName& f : kFeatureNames) {
      if (f.name == word) bit = f.bit;
    }
    if (bit == Baseline) {
      std::string known = "baseline";
      for (const FeatureName& f : kFeatureNames) known += std::string(", ") + std::string(f.name);
      throw UsageError("unknown feature '" + std::string(word) + "'; known are " + known);
    }
    features |= bit;
  }
  return features;
}

std::string tile_text(const Tile& tile) {
  std::string text = std::to_string(tile.rows) + 'x' + std::to_string(tile.tokens);
  if (tile.group != 0) text += ", group " + std::to_string(tile.group);
  if (tile.lanes != 0) text += ", lanes " + std::to_string(tile.lanes);
  return text;
}

// Tuned are products of a token at a time on two-bit weights, of which decoding reads all, and those of
// batches on matrix units.
std::vector<Tile> tiles_of(const KernelVariant& variant) {
  // Each subgroup takes four rows at a time (shaders/matmul_subgroup.glsl).
  static constexpr Tile kVulkanSubgroups[] = {{4, 1, 32},   {8, 1, 64},   {16, 1, 64},
                                              {16, 1, 128}, {16, 1, 256}, {32, 1, 128},
                                              {32, 1, 256}, {64, 1, 256}};
  static constexpr Tile kVulkanLanes[] = {{8, 1, 128, 16}, {16, 1, 32, 4},   {16, 1, 64, 4},
                                          {16, 1, 128, 8}, {16, 1, 128, 16}, {16, 1, 128, 32},
                                          {32, 1, 128, 4}, {32, 1, 256, 8}};
  // A row has group / rows lanes (kernels/opencl/matmul.clh), or a subgroup to itself.
  static constexpr Tile kOpenCl[] = {{2, 1, 64},  {4, 1, 64},  {4, 1, 128}, {8, 1, 64},
                                     {8, 1, 128}, {8, 1, 256}, {16, 1, 64}, {16, 1, 128}};
  // Quarters of these are the blocks of subgroups (shaders/matmul_bitpacked_coop.comp).
  static constexpr Tile kVulkanWideMatrices[] = {{64, 64}, {128, 128}};
  static constexpr Tile kVulkanMatrices[] = {{32, 32}};
  std::vector<Tile> tiles = {variant.tile};
  if (variant.op == Op::Matmul && (variant.needs & feature::CoopMatrix) != 0) {
    const std::span<const Tile> more = variant.tile.tokens > 32
                                           ? std::span<const Tile>(kVulkanWideMatrices)
                                           : std::span<const Tile>(kVulkanMatrices);
    tiles.insert(tiles.end(), more.begin(), more.end());
    return tiles;
  }
  const bool tuned =
      variant.op == Op::Matmul && variant.packing == Packing::Bits2 && variant.batch != Batch::Many;
  if (!tuned || variant.backend == Backend::Cpu) return tiles;
  const std::span<const Tile> more = variant.backend == Backend::OpenCL ? std::span(kOpenCl)
                                     : (variant.needs & feature::Subgroups) != 0
                                         ? std::span(kVulkanSubgroups)
                                         : std::span(kVulkanLanes);
  tiles.insert(tiles.end(), more.begin(), more.end());
  return tiles;
}

}  // namespace rotor
