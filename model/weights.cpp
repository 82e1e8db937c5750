#include "model/weights.h"

#include <cmath>
#include <filesystem>
#include <optional>

#include "core/error.h"
#include "model/checkpoints.h"
#include "model/mapped_file.h"

namespace rotor {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSynthetic = "synthetic:";

}  // namespace

std::optional<std::string> gguf_file(const std::string& model) {
  if (!path_exists(model)) throw FormatError(model + ": no such file or folder");
  if (model.ends_with(".safetensors")) {
    throw FormatError(model + ": name the folder that holds it, together with its config.json");
  }
  std::error_code error;
  if (!fs::is_directory(model, error)) return model;
  if (path_exists(model + "/config.json")) return std::nullopt;
  std::vector<std::string> found;
  for (fs::directory_iterator entry(model, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".gguf") found.push_back(entry->path().string());
  }
  if (error) throw FormatError(model + ": cannot read the folder: " + error.message());
  if (found.empty()) {
    throw FormatError(model +
                      ": neither config.json with model.safetensors nor a .gguf file in it");
  }
  if (found.size() > 1) {
    throw FormatError(model + ": " + std::to_string(found.size()) +
                      " .gguf files in it; name the one you mean");
  }
  return found.front();
}

Shape projection_shape(const Config& config, Projection projection) {
  switch (projection) {
    case Projection::Q:
      return {config.q_rows(), config.hidden};
    case Projection::K:
    case Projection::V:
      return {config.kv_rows(), config.hidden};
    case Projection::O:
      return {config.hidden, config.q_rows()};
    case Projection::Gate:
    case Projection::Up:
      return {config.ffn, config.hidden};
    case Projection::Down:
      return {config.hidden, config.ffn};
  }
  return {0, 0};
}

std::uint32_t norm_size(const Config& config, Norm norm) {
  switch (norm) {
    case Norm::Input:
    case Norm::PostAttention:
      return config.hidden;
    case Norm::AttentionSub:
      return config.q_rows();
    case Norm::FfnSub:
      return config.ffn;
  }
  return 0;
}

bool is_2b4t(const Config& config) {
  return config.vocab == 128256 && config.hidden == 2560 && config.ffn == 6912 &&
         config.layers == 30;
}

bool near_scale(float scale, float expected) {
  return std::fabs(scale / expected - 1) < 0.01f;
}

void check_scale(const Config& config, std::uint32_t layer, Projection which, float scale,
                 const std::string& where) {
  const std::string value = std::to_string(scale);
  if (!std::isfinite(scale) || scale <= 0) {
    throw ScaleError(where + ": scale " + value + " is not finite and positive");
  }
  // Generated models have the same shape but scales of their own (rounded to f16 by some formats).
  if (!is_2b4t(config) || near_scale(scale, synthetic_scale(projection_shape(config, which).k)))
    return;
  // The published file has 1.21875 here. Some converters divide by the scale where they should
  // multiply, and write 1/1.21875.
  if (layer == 0 && which == Projection::Q && near_scale(scale, 1 / kScaleOf2b4t)) {
    throw ScaleError(where + ": scale " + value +
                     " is the inverse of 2B4T's 1.21875: the converter that made this file divided "
                     "by the scale instead of multiplying; convert again from the original");
  }
  if (scale < 0.5f || scale > 10) {
    throw ScaleError(where + ": scale " + value + " is implausible for 2B4T (0.5 to 10)");
  }
}

std::unique_ptr<Checkpoint> open_checkpoint(const std::string& model) {
  if (model.starts_with(kSynthetic)) {
    return open_synthetic(std::string_view(model).substr(kSynthetic.size()));
  }
  if (const auto gguf = gguf_file(model)) return open_gguf(*gguf);
  return open_safetensors(model);
}

}  // namespace rotor
