#include "bench/cases.h"

#include <algorithm>

#include "core/error.h"
#include "runtime/choose.h"
#include "verify/verify.h"

namespace rotor {
namespace {

std::regex compile(const std::string& pattern) {
  try {
    return std::regex(pattern, std::regex::ECMAScript | std::regex::optimize);
  } catch (const std::regex_error& error) {
    throw UsageError("--filter '" + pattern + "' is not a regular expression: " + error.what());
  }
}

// Name of the variant without its backend, which a case keeps beside it.
std::string short_name(const KernelVariant& variant) {
  return std::string(variant.name.substr(variant.name.find('/') + 1));
}

PlannedCase plan_case(const DeviceInfo& device, const KernelVariant& variant, const Shape& shape,
                      std::uint32_t m, bool hot, const std::string& id) {
  PlannedCase planned{&variant, {}};
  CaseResult& result = planned.result;
  result.spec = {id,
                 std::string(contract(variant.op).name),
                 std::string(backend_name(variant.backend)),
                 short_name(variant),
                 m,
                 shape.n,
                 shape.k,
                 hot,
                 0};
  result.device = device.id;
  if (const Support support = supports(device, variant, m)) {
    result.verdict.reason_code = "not_reached";
    result.verdict.message = "the run ended before it";
  } else {
    result.verdict.status = Status::Unsupported;
    result.verdict.reason_code = support.reason_code;
    result.verdict.message = support.message;
  }
  return planned;
}

// All weights are one binding.
void require_room(const DeviceInfo& device, CaseResult& result) {
  if (result.verdict.status != Status::NotRun) return;
  const std::uint64_t bytes = layers_weight_bytes(result.spec);
  if (bytes <= device.max_view_bytes) return;
  result.verdict.status = Status::Unsupported;
  result.verdict.reason_code = "view_too_small";
  result.verdict.message = "binds at most " + std::to_string(device.max_view_bytes) + " of the " +
                           std::to_string(bytes) + " bytes of weights";
}

}  // namespace

std::span<const Shape> standard_shapes() {
  static constexpr Shape kShapes[] = {
      {640, 2560},   // k and v
      {2560, 2560},  // q and o
      {6912, 2560},  // gate and up
      {2560, 6912},  // down
      {3840, 2560},  // q, k and v
      {13824, 2560}  // gate and up, fused
  };
  return kShapes;
}

std::vector<Shape> model_shapes(const Config& config) {
  const std::uint32_t qkv = config.q_rows() + 2 * config.kv_rows();
  std::vector<Shape> shapes;
  const auto add = [&](const Shape& shape) {
    const bool known = std::any_of(shapes.begin(), shapes.end(), [&](const Shape& s) {
      return s.n == shape.n && s.k == shape.k;
    });
    if (!known) shapes.push_back(shape);
  };
  for (const Projection p :
       {Projection::K, Projection::Q, Projection::Gate, Projection::Down, Projection::O}) {
    add(projection_shape(config, p));
  }
  add({qkv, config.hidden});
  add({2 * config.ffn, config.hidden});
  return shapes;
}

bool is_matmul(Op op) {
  return op == Op::Matmul || op == Op::MatmulHalf || op == Op::MatmulDense;
}

Filter::Filter(const std::vector<std::string>& patterns) {
  for (const std::string& pattern : patterns) {
    if (pattern.starts_with('-')) {
      unwanted_.push_back(compile(pattern.substr(1)));
    } else {
      wanted_.push_back(compile(pattern));
    }
  }
}

bool Filter::matches(const std::string& id) const {
  const auto found = [&](const std::regex& pattern) { return std::regex_search(id, pattern); };
  return std::all_of(wanted_.begin(), wanted_.end(), found) &&
         std::none_of(unwanted_.begin(), unwanted_.end(), found);
}

std::string case_id(const KernelVariant& variant, const Shape& shape, std::uint32_t m, bool hot) {
  return std::string(variant.name) + "/n" + std::to_string(shape.n) + "_k" +
         std::to_string(shape.k) + "_b" + std::to_string(m) + (hot ? "/hot" : "");
}

std::vector<PlannedCase> plan_matmul(const DeviceInfo& device, std::span<const Shape> shapes,
                                     const Filter& filter, std::uint64_t seed,
                                     const std::string& repro) {
  std::vector<PlannedCase> plan;
  const auto add = [&](const KernelVariant& variant, const Shape& shape, std::uint32_t m,
                       bool hot) {
    PlannedCase planned =
        plan_case(device, variant, shape, m, hot, case_id(variant, shape, m, hot));
    if (!filter.matches(planned.result.spec.id)) return;
    planned.result.spec.seed = seed;
    planned.result.repro = repro + " --filter '^" + planned.result.spec.id + "$'";
    planned.result.chosen = &variant == usual_matmul(device, m, shape.n);
    planned.result.packing = packing_name(variant.packing);
    plan.push_back(std::move(planned));
  };
  for (const Shape& shape : shapes) {
    for (const std::uint32_t m : kBatches) {
      const bool also_hot =
          std::find(std::begin(kHotBatches), std::end(kHotBatches), m) != std::end(kHotBatches);
      for (const KernelVariant& variant : variants()) {
        if (!is_matmul(variant.op) || variant.backend != device.backend) continue;
        add(variant, shape, m, false);
        if (also_hot) add(variant, shape, m, true);
      }
    }
  }
  return plan;
}

std::string layers_case_id(const KernelVariant& variant, std::uint32_t hidden,
                           const LayersShape& s) {
  std::string id = std::string(variant.name) + "/l" + std::to_string(s.layers) + "_h" +
                   std::to_string(hidden) + "_f" + std::to_string(s.ffn) + "_q" +
                   std::to_string(s.heads) + "_kv" + std::to_string(s.kv_heads) + "_d" +
                   std::to_string(s.head_dim);
  if (variant.op == Op::Layers) id += "_p" + std::to_string(s.position);
  return id;
}

std::vector<PlannedCase> plan_layers(const DeviceInfo& device, const Config& config,
                                     const Filter& filter, std::uint64_t seed,
                                     const std::string& repro) {
  std::vector<PlannedCase> plan;
  const auto add = [&](Op op, std::uint32_t position) {
    const LayersShape shape{config.layers,   config.ffn,      config.heads,
                            config.kv_heads, config.head_dim, position};
    for (const KernelVariant& variant : variants()) {
      if (variant.op != op || variant.backend != device.backend) continue;
      if (variant.backend == Backend::Cpu) continue;
      const std::string id = layers_case_id(variant, config.hidden, shape);
      if (!filter.matches(id)) continue;
      PlannedCase planned =
          plan_case(device, variant, {config.hidden, config.hidden}, 1, false, id);
      planned.result.spec.layers = shape;
      planned.result.spec.seed = seed;
      planned.result.repro = repro + " --filter '^" + id + "$'";
      require_room(device, planned.result);
      plan.push_back(std::move(planned));
    }
  };
  for (const std::uint32_t position : kLayersPositions) add(Op::Layers, position);
  add(Op::Products, 0);
  return plan;
}

std::vector<PlannedCase> plan_gate(const DeviceInfo& device, const Filter& filter,
                                   std::uint64_t seed, const std::string& repro) {
  struct Choice {
    Op op;
    bool int8_weights;
    Shape shape;
    std::uint32_t m;
    bool hot;
  };
  static constexpr Choice kChoices[] = {
      {Op::Matmul, false, {2560, 2560}, 1, false}, {Op::Matmul, false, {2560, 2560}, 1, true},
      {Op::Matmul, false, {6912, 2560}, 1, false}, {Op::Matmul, false, {2560, 2560}, 32, true},
      {Op::Matmul, true, {2560, 2560}, 1, true},   {Op::MatmulHalf, false, {2560, 2560}, 1, true},
  };
  std::vector<PlannedCase> plan;
  for (const Choice& choice : kChoices) {
    const auto rows = variants();
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const KernelVariant& v) {
      const bool int8 = v.packing == Packing::Int8 || v.packing == Packing::Int8x16;
      return v.op == choice.op && v.backend == device.backend && int8 == choice.int8_weights &&
             suits(v, choice.m, choice.shape.n) && supports(device, v, choice.m);
    });
    if (row == rows.end()) continue;
    PlannedCase planned = plan_case(device, *row, choice.shape, choice.m, choice.hot,
                                    case_id(*row, choice.shape, choice.m, choice.hot));
    if (!filter.matches(planned.result.spec.id)) continue;
    planned.result.spec.seed = seed;
    planned.result.repro = repro + " --suite gate --filter '^" + planned.result.spec.id + "$'";
    plan.push_back(std::move(planned));
  }
  return plan;
}

std::uint32_t rotate_buffers(std::uint64_t bytes_each, std::size_t cache_bytes) {
  const std::uint64_t needed = cache_bytes == 0 ? 64u << 20 : 2 * std::uint64_t{cache_bytes};
  return static_cast<std::uint32_t>(needed / std::max<std::uint64_t>(bytes_each, 1) + 1);
}

}  // namespace rotor
