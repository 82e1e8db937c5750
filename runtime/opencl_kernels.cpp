#include "runtime/opencl_kernels.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/error.h"
#include "runtime/meeting.h"

namespace rotor::opencl {
namespace {

// Work-items of a group where the device allows them. Norms have one group a token, so it should be
// large; elsewhere there are groups enough, and small ones fit more devices.
std::size_t preferred_group(Op op) {
  switch (op) {
    case Op::NormQuant:
    case Op::AddNormQuant:
    case Op::Relu2NormQuant:
    case Op::AddNorm:
    case Op::Embed:
    case Op::TopK:
    case Op::Products:
      return 256;
    default:
      return 64;
  }
}

// Kernels whose work-groups wait for each other keep a vector among the work-items of one. Kernels for
// single tokens share each row of their tile among work-items, so they need one a row at least; kernels
// for batches, and Calculate, walk through their rows.
std::size_t smallest_group(const KernelVariant& variant) {
  if (has_meetings(variant.op)) return preferred_group(variant.op);
  return variant.tile.tokens > 1 || variant.op == Op::Calculate ? 1 : variant.tile.rows;
}

// Elements of the vectors that processors want: GPUs want none.
cl_uint vector_width(const cl::Device& device) {
  const cl_uint native = device.getInfo<CL_DEVICE_NATIVE_VECTOR_WIDTH_INT>();
  return std::clamp(std::bit_floor(std::max(native, 1u)), 1u, 16u);
}

std::string options(const Traits& traits, const KernelVariant& variant, std::size_t group) {
  // OpenCL C 1.2 is what every driver compiles; subgroups and dot products came later.
  const bool baseline = variant.needs == feature::Baseline;
  std::string text = std::string("-cl-std=") + (baseline ? "CL1.2" : traits.newest_standard) +
                     " -DROTOR_LOCAL=" + std::to_string(group) +
                     " -DROTOR_ROWS=" + std::to_string(variant.tile.rows) +
                     " -DROTOR_TOKENS=" + std::to_string(variant.tile.tokens) +
                     " -DROTOR_WIDTH=" + std::to_string(vector_width(traits.device));
  if (traits.khr_subgroups) text += " -DROTOR_KHR_SUBGROUPS";
  if (traits.ptx_dot) text += " -DROTOR_PTX";
  return text;
}

std::string first_line(const std::string& text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \n"), text.size());
  return text.substr(begin, text.find('\n', begin) - begin);
}

cl::Program compile(const cl::Context& context, const Traits& traits, const KernelVariant& variant,
                    std::size_t group) {
  cl_int result = CL_SUCCESS;
  cl::Program program(context, std::string(variant.text()), false, &result);
  check(result, "clCreateProgramWithSource", DeviceFault::Memory);
  result = program.build(traits.device, options(traits, variant, group).c_str());
  if (result != CL_SUCCESS) {
    std::string log;
    program.getBuildInfo(traits.device, CL_PROGRAM_BUILD_LOG, &log);
    throw DeviceError("clBuildProgram of " + std::string(variant.name) + ": " + error_name(result) +
                          ": " + first_line(log),
                      DeviceFault::Compile);
  }
  return program;
}

cl::Kernel make_kernel(const cl::Program& program, const KernelVariant& variant) {
  cl_int result = CL_SUCCESS;
  cl::Kernel kernel(program, std::string(variant.entry).c_str(), &result);
  check(result, "clCreateKernel", DeviceFault::Compile);
  return kernel;
}

void check_support(const DeviceInfo& info, const KernelVariant& variant) {
  if (variant.backend != Backend::OpenCL || variant.text == nullptr) {
    throw UnsupportedError("other_backend", std::string(variant.name) + " is not an OpenCL kernel");
  }
  const Features missing = variant.needs & ~info.features;
  if (missing != 0) {
    throw UnsupportedError("no_" + feature_list(missing & (~missing + 1)),
                           std::string(variant.name) + " needs " + feature_list(missing));
  }
}

template <typename Params>
Params read(std::span<const std::byte> bytes) {
  Params params;
  std::memcpy(&params, bytes.data(), sizeof params);
  return params;
}

std::size_t divide_up(std::size_t a, std::size_t b) {
  return (a + b - 1) / b;
}

}  // namespace

cl::Kernel ClKernel::fresh() const {
  return make_kernel(program_, variant());
}

std::unique_ptr<ClKernel> build(const cl::Context& context, const Traits& traits,
                                const DeviceInfo& info, const KernelVariant& variant) {
  check_support(info, variant);
  std::size_t group = std::min(preferred_group(variant.op), std::bit_floor(traits.largest_group));
  std::size_t smallest = smallest_group(variant);
  if (variant.tile.group != 0) group = smallest = variant.tile.group;
  for (; group >= smallest && group <= traits.largest_group; group /= 2) {
    cl::Program program = compile(context, traits, variant, group);
    cl::Kernel kernel = make_kernel(program, variant);
    // Registers and local memory of this kernel may allow fewer work-items than the device has.
    const auto fits = kernel.getWorkGroupInfo<CL_KERNEL_WORK_GROUP_SIZE>(traits.device);
    if (group <= fits) return std::make_unique<ClKernel>(variant, program, kernel, group);
  }
  throw UnsupportedError("work_group_too_small", std::string(variant.name) +
                                                     " needs work-groups of " +
                                                     std::to_string(smallest) + " on " + info.name);
}

Groups groups_of(const KernelVariant& variant, std::span<const std::byte> params) {
  Groups groups{divide_up(index_space(variant.op, params), variant.tile.rows), 1};
  switch (variant.op) {
    case Op::Matmul:
    case Op::MatmulHalf:
    case Op::MatmulDense:
      groups.y = divide_up(read<MatmulParams>(params).m, variant.tile.tokens);
      break;
    case Op::Head:
      groups.y = divide_up(read<HeadParams>(params).m, variant.tile.tokens);
      break;
    case Op::Rope: {  // a group a head
      const auto p = read<AttentionParams>(params);
      groups.y = std::size_t{p.heads} + p.kv_heads;
      break;
    }
    default:
      break;
  }
  return groups;
}

}  // namespace rotor::opencl
