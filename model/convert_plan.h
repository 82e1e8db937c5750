// What the writers of both file formats share: the list of tensors to write, known by size before
// any is made.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/convert.h"
#include "model/output_file.h"
#include "model/weights.h"

namespace rotor {

struct PlannedTensor {
  std::string name;
  std::vector<std::uint64_t> shape;  // row-major
  std::uint64_t bytes = 0;
  std::optional<TableFormat> format;  // of floats; nothing for ternary codes
  std::function<void(OutputFile&)> write;
};

// A table in rows of `format`, encoded on all cores. The checkpoint must outlive the plan. Throws
// UsageError if rows are not whole blocks.
PlannedTensor plan_table(std::string name, const Table& table, TableFormat format);
// Some floats.
PlannedTensor plan_vector(std::string name, std::vector<float> values, TableFormat format);
// What is known of a projection only once it is written.
struct WrittenScales {
  float last = 0;          // of the matrix written last
  double worst_error = 0;  // relative, of all so far
};
// A projection; `scales` is updated when it is written. Throws UsageError if the matrix does not
// fit.
PlannedTensor plan_projection(std::string name, const Checkpoint& from, std::uint32_t layer,
                              Projection which, TernaryFormat format, WrittenScales& scales);

// Writes the tensors one after the other, each padded to a multiple of `alignment`. False if
// `progress` ended it.
bool write_tensors(const std::vector<PlannedTensor>& plan, OutputFile& file,
                   std::uint64_t alignment, const std::function<bool(double)>& progress);

// The two file formats.
void write_gguf(const Checkpoint& from, const std::string& in, const std::string& out,
                const ConvertOptions& options, ConvertResult& result);
void write_safetensors(const Checkpoint& from, const std::string& in, const std::string& out,
                       const ConvertOptions& options, ConvertResult& result);

}  // namespace rotor
