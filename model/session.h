// Everything between "this model on this device" and a forward pass, opened in one go.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/tokenizer.h"
#include "model/transformer.h"
#include "runtime/devices.h"

namespace rotor {

struct SessionOptions {
  std::string model;             // folder, file or synthetic:PRESET/SEED; empty is the demo model
  std::string device = "cpu";    // as in open_device, or "auto": choose_device
  DeviceOptions device_options;  // threads, feature mask
  std::vector<std::string> kernels;  // preferred variants, by part of their name
  TuningOptions tuning;
  std::uint32_t chunk = 0;  // tokens of a prompt at a time; 0: what suits the device
  HeadFormat head = HeadFormat::Stored;
  bool needs_tokenizer = false;  // refuse a model without one before its weights are loaded
  std::uint32_t top = 0;  // of the largest logits are used, 0: all; what HeadFormat::Auto goes by
  std::function<void(double)> progress;  // share of the weights that is loaded
  // One line: the device that "auto" took, and why; what is wrong with the tuning record.
  std::function<void(const std::string&)> tell;
};

class Session {
 public:
  // Throws FormatError, UsageError, UnsupportedError, DeviceError.
  explicit Session(const SessionOptions& options);

  Device& device() { return *device_; }
  KernelSet& kernels() { return *kernels_; }
  Transformer& transformer() { return *transformer_; }
  const Config& config() const { return transformer_->config(); }
  const std::string& description() const { return description_; }  // of the checkpoint

  bool has_tokenizer() const { return tokenizer_.has_value(); }
  // Throws FormatError if the model has no tokenizer.
  const Tokenizer& tokenizer() const;

 private:
  std::unique_ptr<Device> device_;
  std::unique_ptr<KernelSet> kernels_;
  std::unique_ptr<Transformer> transformer_;
  std::optional<Tokenizer> tokenizer_;
  std::string description_;
  std::string model_;
};

// The folder of the demo model: beside an installed program, else in the source tree.
std::string demo_model();

}  // namespace rotor
