#include "model/convert.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "model/convert_plan.h"
#include "model/parallel.h"

namespace rotor {
namespace {

constexpr std::uint32_t kRowsAtOnce = 4096;  // of a table: tens of megabytes

// The format that has the bytes of a table already.
TableFormat stored_format(const Table& table) {
  if (table.packing == Packing::F32) return TableFormat::F32;
  return table.packing == Packing::F16 ? TableFormat::F16 : TableFormat::Bf16;
}

void write_table(const Table& table, TableFormat format, OutputFile& file) {
  if (format == stored_format(table)) return file.write(table.bytes);
  const std::size_t from = row_bytes(table.packing, table.columns);
  const std::size_t to = table_row_bytes(format, table.columns);
  std::vector<std::byte> encoded;
  for (std::uint32_t first = 0; first < table.rows; first += kRowsAtOnce) {
    const std::size_t rows = std::min(kRowsAtOnce, table.rows - first);
    encoded.resize(rows * to);
    in_slices(rows, [&](std::size_t begin, std::size_t end) {
      std::vector<float> row(table.columns);
      for (std::size_t r = begin; r < end; ++r) {
        decode_row(table.packing, table.bytes.subspan((first + r) * from, from), row);
        encode_table_row(format, row, std::span(encoded).subspan(r * to, to));
      }
    });
    file.write(encoded);
  }
}

}  // namespace

PlannedTensor plan_table(std::string name, const Table& table, TableFormat format) {
  if (table.columns % block_elements(format) != 0) {
    throw UsageError("tensor " + name + ": rows of " + std::to_string(table.columns) +
                     " are not whole blocks of " + std::string(table_format_name(format)) +
                     "; choose another embedding format, for example f16");
  }
  return {std::move(name),
          {table.rows, table.columns},
          std::uint64_t{table.rows} * table_row_bytes(format, table.columns),
          format,
          [table, format](OutputFile& file) { write_table(table, format, file); }};
}

PlannedTensor plan_vector(std::string name, std::vector<float> values, TableFormat format) {
  const std::uint64_t bytes = table_row_bytes(format, static_cast<std::uint32_t>(values.size()));
  return {std::move(name),
          {values.size()},
          bytes,
          format,
          [values = std::move(values), format, bytes](OutputFile& file) {
            std::vector<std::byte> encoded(bytes);
            encode_table_row(format, values, encoded);
            file.write(encoded);
          }};
}

PlannedTensor plan_projection(std::string name, const Checkpoint& from, std::uint32_t layer,
                              Projection which, TernaryFormat format, WrittenScales& scales) {
  const auto [n, k] = projection_shape(from.config(), which);
  if (!fits(format, n, k)) {
    throw UsageError("tensor " + name + ": a " + std::to_string(n) + "x" + std::to_string(k) +
                     " matrix is not whole blocks of " + std::string(ternary_format_name(format)) +
                     "; choose another format, for example packed");
  }
  return {std::move(name),
          {format == TernaryFormat::Strided ? (n + 3) / 4 : n, k},
          stored_bytes(format, n, k),
          std::nullopt,
          [&from, layer, which, format, &scales](OutputFile& file) {
            const TernaryMatrix matrix = from.projection(layer, which);
            scales.last = matrix.scales().front().scale;
            const double kept = stored_scale(format, scales.last);
            scales.worst_error = std::max(scales.worst_error, std::fabs(kept / scales.last - 1));
            file.write(encode_ternary(format, matrix));
          }};
}

bool write_tensors(const std::vector<PlannedTensor>& plan, OutputFile& file,
                   std::uint64_t alignment, const std::function<bool(double)>& progress) {
  double total = 0;
  for (const PlannedTensor& tensor : plan) total += static_cast<double>(tensor.bytes);
  double done = 0;
  for (const PlannedTensor& tensor : plan) {
    tensor.write(file);
    file.pad(alignment);
    done += static_cast<double>(tensor.bytes);
    if (progress && !progress(done / total)) return false;
  }
  return true;
}

ConvertResult convert(const std::string& in, const std::string& out,
                      const ConvertOptions& options) {
  const auto from = open_checkpoint(in);
  ConvertResult result;
  if (options.ternary == TernaryFormat::Strided) {
    write_safetensors(*from, in, out, options, result);
  } else {
    write_gguf(*from, in, out, options, result);
  }
  return result;
}

}  // namespace rotor
