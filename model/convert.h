// Checkpoints from one file format to another: packed safetensors and GGUF.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "model/table_codecs.h"
#include "model/ternary_codecs.h"

namespace rotor {

struct ConvertOptions {
  // Strided makes a folder of packed safetensors with config.json; the others make a GGUF file.
  TernaryFormat ternary = TernaryFormat::I2S;
  // Of embedding and head. Nothing: F16 in GGUF, as published; in safetensors as they are (block
  // formats as F16). Safetensors has no block formats.
  std::optional<TableFormat> table;
  // Of a GGUF file. Empty: "bitnet-b1.58", which bitnet.cpp reads, for I2S, and "bitnet", which
  // llama.cpp reads, for Tq1 and Tq2.
  std::string architecture;
  // Told the share of the bytes that is written, 0 to 1, after each tensor. False ends the
  // conversion; nothing stays behind then.
  std::function<bool(double)> progress;
};

struct ConvertResult {
  std::string file;              // that holds the weights
  std::uint64_t bytes = 0;       // of it
  double worst_scale_error = 0;  // relative; above 0 only where f16 scales had to round
  bool tokenizer = false;        // whether one came along
  bool complete = false;         // false if `progress` ended it
};

// Reads `in` as open_checkpoint does and writes `out`, a folder for safetensors, else a file. Trits
// are kept exactly, and so are scales where the format has room (all but Tq1 and Tq2). A tokenizer
// beside or in the source goes along. Needs memory for one matrix. Throws what open_checkpoint
// throws, UsageError if the format cannot carry the model, OutputError if writing fails; a file
// under its final name is always complete.
ConvertResult convert(const std::string& in, const std::string& out, const ConvertOptions& options);

}  // namespace rotor
