#include "model/inspect.h"

#include <algorithm>
#include <mutex>
#include <span>

#include "core/error.h"
#include "kernels/host_features.h"
#include "model/checkpoints.h"
#include "model/parallel.h"
#include "model/tensor_names.h"
#include "runtime/choose.h"

namespace rotor {
namespace {

using Status = AcceptanceCheck::Status;

std::vector<TypeSummary> summarise_types(std::span<const TensorSummary> tensors) {
  std::vector<TypeSummary> types;
  for (const TensorSummary& tensor : tensors) {
    auto it = std::find_if(types.begin(), types.end(),
                           [&](const TypeSummary& t) { return t.type == tensor.type; });
    if (it == types.end()) it = types.insert(it, {tensor.type});
    ++it->tensors;
    it->bytes += tensor.bytes;
  }
  std::sort(types.begin(), types.end(),
            [](const TypeSummary& a, const TypeSummary& b) { return a.bytes > b.bytes; });
  return types;
}

PartBytes bytes_in_file(std::span<const TensorSummary> tensors) {
  PartBytes parts;
  for (const TensorSummary& tensor : tensors) {
    if (tensor.name == kHfEmbedding || tensor.name == kGgufEmbedding) {
      parts.embedding += tensor.bytes;
    } else if (tensor.name == kHfHead || tensor.name == kGgufHead) {
      parts.head += tensor.bytes;
    } else if (tensor.name.find("norm") != std::string::npos) {
      parts.norms += tensor.bytes;
    } else {
      parts.projections += tensor.bytes;
    }
  }
  return parts;
}

// How this machine's processor keeps weights, untuned.
Packing packing_here() {
  DeviceInfo cpu;
  cpu.features = host_features();
  return usual_matmul(cpu, 1, 0)->packing;  // there is a row that needs nothing
}

// As the transformer loads them: q, k, v are one matrix, so are gate and up.
PartBytes bytes_in_memory(const Checkpoint& checkpoint) {
  const Config& config = checkpoint.config();
  PartBytes parts;
  parts.embedding = checkpoint.embedding().bytes.size();
  if (!config.tied_head) parts.head = checkpoint.head().bytes.size();
  const Shape fused[] = {{config.q_rows() + 2 * config.kv_rows(), config.hidden},
                         projection_shape(config, Projection::O),
                         {2 * config.ffn, config.hidden},
                         projection_shape(config, Projection::Down)};
  for (const auto [n, k] : fused) {
    parts.projections += config.layers * (packed_bytes(packing_here(), n, k) + n * sizeof(float));
  }
  for (const Norm which : kNorms) {
    parts.norms += std::uint64_t{config.layers} * norm_size(config, which) * sizeof(float);
  }
  parts.norms += config.hidden * sizeof(float);
  return parts;
}

// What reading one matrix gave. Empty faults: none.
struct MatrixFacts {
  float scale = 0;
  std::uint64_t trits = 0;
  std::uint64_t zeros = 0;
  std::string code_fault;
  std::string scale_fault;

  bool sound() const { return code_fault.empty() && scale_fault.empty(); }
};

MatrixFacts read_matrix(const Checkpoint& checkpoint, std::uint32_t layer, Projection which) {
  MatrixFacts facts;
  try {
    const TernaryMatrix matrix = checkpoint.projection(layer, which);
    facts.scale = matrix.scales().front().scale;
    facts.trits = matrix.trits().size();
    facts.zeros = static_cast<std::uint64_t>(std::ranges::count(matrix.trits(), std::int8_t{0}));
  } catch (const ScaleError& error) {
    facts.scale_fault = error.what();
  } catch (const FormatError& error) {
    facts.code_fault = error.what();
  }
  return facts;
}

// All matrices, layer by layer in the order of kProjections.
std::vector<MatrixFacts> read_matrices(const Checkpoint& checkpoint,
                                       const std::function<void(double)>& progress) {
  std::vector<MatrixFacts> facts(checkpoint.config().layers * kProjections.size());
  std::mutex mutex;
  std::size_t done = 0;
  in_parallel(facts.size(), [&](std::size_t i) {
    facts[i] = read_matrix(checkpoint, static_cast<std::uint32_t>(i / kProjections.size()),
                           kProjections[i % kProjections.size()]);
    const std::lock_guard lock(mutex);
    ++done;
    if (progress) progress(static_cast<double>(done) / static_cast<double>(facts.size()));
  });
  return facts;
}

ScaleSummary summarise_scales(std::span<const MatrixFacts> matrices) {
  ScaleSummary summary;
  std::vector<float> scales;
  std::uint64_t zeros = 0;
  for (const MatrixFacts& matrix : matrices) {
    if (!matrix.sound()) continue;
    scales.push_back(matrix.scale);
    summary.trits += matrix.trits;
    zeros += matrix.zeros;
  }
  if (scales.empty()) return summary;
  std::sort(scales.begin(), scales.end());
  summary.smallest = scales.front();
  summary.median = scales[(scales.size() - 1) / 2];
  summary.largest = scales.back();
  summary.first = matrices.front().scale;  // layer 0, query
  summary.zero_share = static_cast<double>(zeros) / static_cast<double>(summary.trits);
  return summary;
}

// The first fault of a kind; empty if there is none.
std::string first_fault(std::span<const MatrixFacts> matrices, std::string MatrixFacts::*kind) {
  for (const MatrixFacts& matrix : matrices) {
    if (!(matrix.*kind).empty()) return matrix.*kind;
  }
  return "";
}

AcceptanceCheck judged(const char* id, const char* what, const std::string& fault,
                       const std::string& found) {
  if (!fault.empty()) return {id, what, Status::Failed, fault};
  return {id, what, Status::Passed, found};
}

bool is_generated(const Config& config, const ScaleSummary& scales) {
  return near_scale(scales.first, synthetic_scale(config.hidden));
}

AcceptanceCheck check_scales(const Config& config, const ScaleSummary& scales, std::string fault) {
  if (is_2b4t(config) && fault.empty() && scales.first > 0 && !is_generated(config, scales) &&
      !near_scale(scales.first, kScaleOf2b4t)) {
    fault = "layer 0, query: " + std::to_string(scales.first) +
            ", published: 1.2188; other weights of the same shape";
  }
  return judged("scales", "scales finite, positive, plausible", fault,
                is_2b4t(config) && is_generated(config, scales)
                    ? "those of generated weights, not of the published ones"
                    : "layer 0, query: " + std::to_string(scales.first));
}

AcceptanceCheck check_norms(const Checkpoint& checkpoint) {
  std::string fault;
  try {
    for (std::uint32_t layer = 0; layer < checkpoint.config().layers; ++layer) {
      for (const Norm which : kNorms) checkpoint.norm(layer, which);
    }
    checkpoint.final_norm();
  } catch (const FormatError& error) {
    fault = error.what();
  }
  return judged("norms", "norm gains finite", fault,
                std::to_string(checkpoint.config().layers * kNorms.size() + 1) + " norms");
}

std::vector<AcceptanceCheck> check_runs(const std::string& model, const InspectOptions& options,
                                        const Inspection& so_far) {
  if (!is_2b4t(so_far.config) || is_generated(so_far.config, so_far.scales)) {
    return skip_published_runs("no published results for this model");
  }
  if (!accepted(so_far)) return skip_published_runs("a check before this one failed");
  if (!options.run) return skip_published_runs("only with --run");
  return check_published_runs(model);
}

}  // namespace

Inspection inspect(const std::string& model, const InspectOptions& options) {
  const auto checkpoint = open_checkpoint(model);
  const auto tensors = checkpoint->tensors();
  Inspection result;
  result.description = checkpoint->description();
  result.config = checkpoint->config();
  result.types = summarise_types(tensors);
  result.in_file = bytes_in_file(tensors);
  result.in_memory = bytes_in_memory(*checkpoint);
  const std::vector<MatrixFacts> matrices = read_matrices(*checkpoint, options.progress);
  result.scales = summarise_scales(matrices);

  // Opening checked these two; it throws otherwise.
  const bool files = !tensors.empty();
  result.checks.push_back({"container", "container sound", files ? Status::Passed : Status::NotRun,
                           files ? std::to_string(tensors.size()) + " tensors, no overlap, no gap"
                                 : "generated weights have no file"});
  result.checks.push_back({"shapes", "shapes as configured, nothing unexpected", Status::Passed,
                           result.config.tied_head ? "head tied to the embedding" : "own head"});
  result.checks.push_back(judged("codes", "no ternary code is 3",
                                 first_fault(matrices, &MatrixFacts::code_fault),
                                 std::to_string(result.scales.trits) + " trits"));
  result.checks.push_back(
      check_scales(result.config, result.scales, first_fault(matrices, &MatrixFacts::scale_fault)));
  result.checks.push_back(check_norms(*checkpoint));
  result.checks.push_back(check_tokenizer(model, result.config));
  for (AcceptanceCheck& check : check_runs(model, options, result)) {
    result.checks.push_back(std::move(check));
  }
  return result;
}

std::uint64_t kv_bytes_per_position(const Config& config, Packing format) {
  return std::uint64_t{2} * config.layers * config.kv_heads * row_bytes(format, config.head_dim);
}

bool accepted(const Inspection& inspection) {
  return std::none_of(inspection.checks.begin(), inspection.checks.end(),
                      [](const AcceptanceCheck& c) { return c.status == Status::Failed; });
}

}  // namespace rotor
