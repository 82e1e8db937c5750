// Kernels of GPU backends with one bug each. The bug is put into what the program ships: into the text of
// an OpenCL kernel, into the instructions of a Vulkan module.

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "verify/cases.h"
#include "verify/verdicts.h"
#include "verify/verify.h"

namespace rotor {
namespace {

using Words = std::vector<std::uint32_t>;

const KernelVariant& row(std::string_view name) {
  const KernelVariant* found = find_variant(name);
  if (found == nullptr)
    throw UnsupportedError("backend_absent", std::string(name) + " is not in this build");
  return *found;
}
constexpr std::string_view kOpenCl = "opencl/matmul_bitpacked@8x1";
constexpr std::string_view kVulkan = "vulkan/matmul_bitpacked@16x1";

// The kernel's text with every `from` replaced. A text that has none would hide that nothing is tested.
std::string replaced(std::string_view from, std::string_view to) {
  std::string text(row(kOpenCl).text());
  std::size_t at = text.find(from);
  if (at == std::string::npos) throw FormatError("a mutant finds no '" + std::string(from) + "'");
  for (; at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// Instructions of SPIR-V (specification 1.6, section 3.52) and where their first operand lies.
enum : std::uint32_t {
  kConstant = 43,
  kAddInt = 128,
  kAddFloat = 129,
  kSubtractInt = 130,
  kMultiplyFloat = 133,
  kExtractSigned = 202,
  kExtractUnsigned = 203,
};
constexpr std::size_t kHeader = 5;  // words of a module before its first instruction

// The module after `change` saw each instruction: its words, the first of which holds length and code.
template <typename Change>
Words changed(const Change& change) {
  const std::span<const std::uint32_t> module = row(kVulkan).spirv();
  Words words(module.begin(), module.end());
  bool any = false;
  for (std::size_t at = kHeader; at < words.size(); at += std::max(1u, words[at] >> 16)) {
    any |= change(words[at] & 0xffffu, &words[at]);
  }
  if (!any) throw FormatError("a mutant finds no instruction to change");
  return words;
}

Words with_instruction(std::uint32_t from, std::uint32_t to) {
  return changed([&](std::uint32_t code, std::uint32_t* words) {
    if (code != from) return false;
    words[0] = (words[0] & 0xffff0000u) | to;
    return true;
  });
}

Words with_constant(std::uint32_t from, std::uint32_t to) {
  return changed([&](std::uint32_t code, std::uint32_t* words) {
    if (code != kConstant || words[3] != from) return false;
    words[3] = to;
    return true;
  });
}

struct GpuMutant {
  std::string_view name;
  std::string_view (*text)() = nullptr;
  std::span<const std::uint32_t> (*spirv)() = nullptr;
};

constexpr GpuMutant kOpenClMutants[] = {
    {"plus_is_zero",
     [] {
       static const std::string text = replaced("0x03030303u", "0x01010101u");
       return std::string_view(text);
     }},
    {"offset_kept",
     [] {
       static const std::string text = replaced("acc - ROTOR_EXCESS(scale)", "acc");
       return std::string_view(text);
     }},
    {"scales_added",
     [] {
       static const std::string text =
           replaced("scales[row] * scale.scale", "scales[row] + scale.scale");
       return std::string_view(text);
     }},
    {"last_unwritten",
     [] {
       static const std::string text =
           replaced("lane == 0 && row < p.n", "lane == 0 && row + 1 < p.n");
       return std::string_view(text);
     }},
};

constexpr GpuMutant kVulkanMutants[] = {
    {"plus_is_zero", nullptr,
     [] {
       static const Words words = with_constant(0x03030303u, 0x01010101u);
       return std::span<const std::uint32_t>(words);
     }},
    {"offset_added", nullptr,
     [] {
       static const Words words = with_instruction(kSubtractInt, kAddInt);
       return std::span<const std::uint32_t>(words);
     }},
    {"scales_added", nullptr,
     [] {
       static const Words words = with_instruction(kMultiplyFloat, kAddFloat);
       return std::span<const std::uint32_t>(words);
     }},
    {"unsigned_activations", nullptr,
     [] {
       static const Words words = with_instruction(kExtractSigned, kExtractUnsigned);
       return std::span<const std::uint32_t>(words);
     }},
};

KernelVariant variant_with(const KernelVariant& shipped, const GpuMutant& mutant) {
  KernelVariant variant = shipped;
  if (mutant.text != nullptr) variant.text = mutant.text;
  if (mutant.spirv != nullptr) variant.spirv = mutant.spirv;
  return variant;
}

}  // namespace

SelfTest run_gpu_self_test(Device& device, std::uint64_t seed) {
  const bool vulkan = device.info().backend == Backend::Vulkan;
  const KernelVariant& shipped = row(vulkan ? kVulkan : kOpenCl);
  const std::span<const GpuMutant> mutants =
      vulkan ? std::span<const GpuMutant>(kVulkanMutants) : kOpenClMutants;
  const std::vector<Launch> launches = battery(shipped, seed);
  SelfTest result;
  for (const GpuMutant& mutant : mutants) {
    ++result.mutants;
    const Status status = check_launches(device, variant_with(shipped, mutant), launches).status;
    if (status == Status::FailVerify) {
      ++result.caught;
    } else {
      result.missed.push_back(device.info().id + ": " + std::string(mutant.name));
    }
  }
  if (!check_launches(device, shipped, launches).passed()) {
    result.missed.push_back(device.info().id + ": control (must pass)");
  }
  return result;
}

}  // namespace rotor
