// What a checkpoint is, what it needs, and whether it can be trusted.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "model/acceptance.h"
#include "model/weights.h"

namespace rotor {

// Tensors of one type in the files.
struct TypeSummary {
  std::string type;
  std::size_t tensors = 0;
  std::uint64_t bytes = 0;
};

// Bytes of the parts of a model. Parts that do not exist are 0.
struct PartBytes {
  std::uint64_t embedding = 0;
  std::uint64_t head = 0;         // 0 where it is the embedding
  std::uint64_t projections = 0;  // with their scales
  std::uint64_t norms = 0;

  std::uint64_t total() const { return embedding + head + projections + norms; }
};

// Scales of all projections and what they scale.
struct ScaleSummary {
  float smallest = 0;
  float median = 0;  // the lower one of two
  float largest = 0;
  float first = 0;  // layer 0, query
  std::uint64_t trits = 0;
  double zero_share = 0;  // of all trits
};

struct Inspection {
  std::string description;
  Config config;
  std::vector<TypeSummary> types;  // most bytes first
  PartBytes in_file;
  // Projections as this machine's processor keeps them, tables as they are loaded, f32 norms and row scales.
  PartBytes in_memory;
  ScaleSummary scales;  // of the matrices without a fault
  std::vector<AcceptanceCheck> checks;
};

struct InspectOptions {
  bool run = false;  // also the checks that run the model, where published results exist
  std::function<void(double)> progress;  // told the share of the weights that is read, 0 to 1
};

// Opens a checkpoint and reads all of it. A fault in a matrix, norm or the tokenizer is a failed
// check; a file that cannot be opened at all throws as open_checkpoint does.
Inspection inspect(const std::string& model, const InspectOptions& options);

// Bytes of keys and values of one position in all layers, in a cache of this format.
std::uint64_t kv_bytes_per_position(const Config& config, Packing format);

// True if no check failed.
bool accepted(const Inspection& inspection);

}  // namespace rotor
