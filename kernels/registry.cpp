#include <array>

#include "kernels/variant.h"

namespace rotor {
namespace cpu {
#define ROTOR_CPU(stem, op, packing, needs, batch) void stem(const CpuCall&) noexcept;
#include "kernels/variants.inc"
}  // namespace cpu

#if defined(ROTOR_HAVE_OPENCL)
namespace opencl {  // generated from kernels/opencl by cmake/embed.cmake
#define ROTOR_OPENCL(stem, op, packing, needs, batch, rows, tokens) std::string_view stem();
#include "kernels/variants.inc"
}  // namespace opencl
#endif

#if defined(ROTOR_HAVE_VULKAN)
namespace vulkan {  // generated from the shaders by cmake/embed.cmake
#define ROTOR_VULKAN(stem, op, packing, needs, batch, rows, tokens) \
  std::span<const std::uint32_t> stem();
#include "kernels/variants.inc"
}  // namespace vulkan
#endif

namespace {

using namespace feature;

// Of a kernel whose work-groups wait for each other.
[[maybe_unused]] constexpr Features kMeetingNeeds = Subgroups | IntegerDot | Meeting;

constexpr auto kVariants = std::to_array<KernelVariant>({
#define ROTOR_CPU(stem, op, packing, needs, batch) \
  {"cpu/" #stem, Backend::Cpu, Op::op, Packing::packing, needs, Batch::batch, Tile{}, &cpu::stem},
#if defined(ROTOR_HAVE_OPENCL)
#define ROTOR_OPENCL(stem, op, packing, needs, batch, rows, tokens) \
  {"opencl/" #stem "@" #rows "x" #tokens,                           \
   Backend::OpenCL,                                                 \
   Op::op,                                                          \
   Packing::packing,                                                \
   needs,                                                           \
   Batch::batch,                                                    \
   Tile{rows, tokens},                                              \
   nullptr,                                                         \
   #stem,                                                           \
   &opencl::stem,                                                   \
   nullptr},
#endif
#if defined(ROTOR_HAVE_VULKAN)
#define ROTOR_VULKAN(stem, op, packing, needs, batch, rows, tokens) \
  {"vulkan/" #stem "@" #rows "x" #tokens,                           \
   Backend::Vulkan,                                                 \
   Op::op,                                                          \
   Packing::packing,                                                \
   needs,                                                           \
   Batch::batch,                                                    \
   Tile{rows, tokens},                                              \
   nullptr,                                                         \
   {},                                                              \
   nullptr,                                                         \
   &vulkan::stem},
#endif
#include "kernels/variants.inc"
});

constexpr bool names_are_unique() {
  for (std::size_t i = 0; i < kVariants.size(); ++i) {
    for (std::size_t j = i + 1; j < kVariants.size(); ++j) {
      if (kVariants[i].name == kVariants[j].name) return false;
    }
  }
  return true;
}

constexpr bool every_op_has_a_portable_row() {
  std::array<bool, kOpCount> found{};
  for (const KernelVariant& row : kVariants) {
    if (row.backend == Backend::Cpu && row.needs == Baseline && row.batch == Batch::Any) {
      found[static_cast<std::size_t>(row.op)] = true;
    }
  }
  for (const bool f : found) {
    if (!f) return false;
  }
  return true;
}

static_assert(names_are_unique(), "two rows of kernels/variants.inc have the same name");
static_assert(every_op_has_a_portable_row(), "an op has no portable CPU row");

}  // namespace

std::span<const KernelVariant> variants() {
  return kVariants;
}

const KernelVariant* find_variant(std::string_view name) {
  for (const KernelVariant& row : kVariants) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

}  // namespace rotor
