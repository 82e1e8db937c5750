// config.json and generation_config.json of a Hugging Face checkpoint.
#pragma once

#include <string>
#include <string_view>

#include "model/weights.h"

namespace rotor {

// How the projections of a safetensors checkpoint are stored.
struct Quantisation {
  bool packed = true;       // ternary codes and a scale ("offline"); else master weights ("online")
  bool reciprocal = false;  // the stored scale is 1 / scale (linear_class "bitlinear")
};

struct HfConfig {
  Config config;
  Quantisation quantisation;
};

// Parses config.json and, unless empty, generation_config.json (only its stop tokens are read).
// Keys that are absent get the defaults of the Hugging Face class; sizes have no default. `name`
// begins every message. Throws FormatError.
HfConfig parse_config(std::string_view config_json, std::string_view generation_json,
                      const std::string& name);

// Checks what every source of a Config must satisfy: sizes in range, heads that divide, tokens
// inside the vocabulary. Throws FormatError.
void check_config(const Config& config, const std::string& name);

// Sorts the stop tokens and adds <|eot_id|> to a Llama-3 vocabulary, whose files do not name it.
void complete_stop_tokens(Config& config);

}  // namespace rotor
