// The quality suite on one device: what a model makes of a held text, of questions whose answers are
// known, and of every way to choose tokens, in each format of the KV cache and of the head. A faster
// format shows here what it costs.
#pragma once

#include <functional>
#include <string>

#include "core/quality.h"
#include "runtime/device.h"
#include "runtime/tuning.h"

namespace rotor {

struct QualitySuite {
  std::string model;      // name in results
  std::string text;       // whose likelihood is measured
  std::string text_name;  // in results
  std::uint32_t chats = 200;
  TuningOptions tuning;
  bool alone = false;  // nothing else waits: models of any size may be run
  double time_s = 60;  // of the device; setups get equal parts of what is left
  // Whether a result is asked for, by its id.
  std::function<bool(const std::string& id)> wanted = [](const std::string&) { return true; };
  std::function<void(const QualityResult&)> on_result;
  // Told what runs, from time to time; false ends the suite early.
  std::function<bool(const std::string& step)> go_on = [](const std::string&) { return true; };
};

// One result for each setup. What is cut short for lack of time is Skipped, and holds
// what was measured; what the device cannot run is Unsupported, with the reason. `model` is as in
// open_checkpoint. Returns why nothing was measured; empty if something was. Throws DeviceError,
// FormatError.
std::string measure_quality(Device& device, const std::string& model, const QualitySuite& suite);

}  // namespace rotor
