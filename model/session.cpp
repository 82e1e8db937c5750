#include "model/session.h"

#include <filesystem>

#include "core/error.h"
#include "model/choose_device.h"

namespace rotor {
namespace {

std::unique_ptr<Device> open_for(const SessionOptions& options) {
  if (options.device != "auto") return open_device(options.device, options.device_options);
  DeviceChoice choice = choose_device(options.device_options);
  if (options.tell) options.tell(choice.why);
  return std::move(choice.device);
}

}  // namespace

Session::Session(const SessionOptions& options)
    : model_(options.model.empty() ? demo_model() : options.model) {
  const std::unique_ptr<Checkpoint> checkpoint = open_checkpoint(model_);
  description_ = checkpoint->description();
  if (vocabulary_file(model_)) tokenizer_ = Tokenizer::open(model_);  // generated weights have none
  if (options.needs_tokenizer) tokenizer();
  device_ = open_for(options);
  Tuning tuning(device_->info(), options.tuning);
  for (const std::string& line : tuning.complaints()) {
    if (options.tell) options.tell(line);
  }
  kernels_ = std::make_unique<KernelSet>(*device_, options.kernels, std::move(tuning));
  transformer_ = std::make_unique<Transformer>(
      *kernels_, *checkpoint,
      TransformerOptions{.chunk = options.chunk,
                         .head = choose_head(options.head, device_->info().backend, options.top),
                         .progress = options.progress});
}

const Tokenizer& Session::tokenizer() const {
  if (!tokenizer_) {
    throw FormatError(model_ +
                      ": no tokenizer with the weights, so that text cannot be read: put a "
                      "tokenizer.json beside them (generate and score take token ids, too: --ids)");
  }
  return *tokenizer_;
}

std::string demo_model() {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    const fs::path installed = program.parent_path().parent_path() / "share" / "rotor" / "demo";
    if (fs::exists(installed / "config.json", error)) return installed.string();
  }
  return std::string(ROTOR_SOURCE_DIR) + "/model/demo";
}

}  // namespace rotor
