// Projection: what a run lets expect of hardware that was not measured. Each verified time of one
// device becomes the share of that device's own measured limit; the same share of the limit that the
// other hardware has by its data sheet is the projection. It is no measurement, is always called a
// projection, and carries its assumptions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reports/document.h"
#include "reports/hardware.h"
#include "reports/report.h"
#include "reports/shares.h"

namespace rotor {

inline constexpr const char* kProjection = "projection, not measured";

// Seconds at the fast and at the slow end of the ranges of the data sheet.
struct ProjectedTime {
  double fast_s = 0;
  double slow_s = 0;
  std::string limiter;  // "memory", "compute", "memory or compute": at one end and at the other
};

// The fastest kernel for one product on the measured device that suits the target.
struct ProjectedCase {
  Case spec;
  double measured_s = 0;
  bool noisy = false;
  double share = 0;              // of the measured device's limit, at most 1
  std::string measured_limiter;  // "memory" or "compute"
  ProjectedTime time;
};

struct ProjectedTokens {
  std::string head;
  double bytes = 0;          // per token, without the KV cache
  double ceiling_per_s = 0;  // theoretical bus over bytes
  std::optional<double> slow_per_s;
  std::optional<double> fast_per_s;
  std::string limiter;  // the products of the layers; the head reads
};

struct ProjectedTarget {
  TargetHardware hardware;
  std::vector<ProjectedCase> cases;
  std::vector<LeftOutCase> left_out;  // whose kernels do not suit it
  // Share of the limit of all products of a layer, one token; nothing where some are `lacking`.
  std::optional<double> model_share;
  std::vector<std::string> lacking;  // "n3840_k2560"
  std::vector<ProjectedTokens> tokens;
};

struct Projection {
  std::string name;  // of the report's file
  std::string label;
  std::string run_id;
  DeviceFacts device;      // whose shares they are
  HardwareTable hardware;  // what was projected with
  std::vector<std::string> assumptions;
  std::vector<ProjectedTarget> targets;
  std::vector<LeftOutCase> left_out;  // of the device, from any projection
};

// `onto` holds ids of the table; empty: all of it. `device` is an id of the report; empty: its first
// real GPU whose shares are known, else a CPU, else a software device. Throws UsageError for an id
// that is not there, and, with the reasons, where no case tells a share.
Projection project(const Report& report, const std::string& name, const HardwareTable& hardware,
                   const std::vector<std::string>& onto, const std::string& device);
int exit_code(const Projection& projection);  // 0: it decides nothing

Document document_of(const Projection& projection);  // reports/projection_text.cpp
// Tokens per second, every case, and every case that is left out.
std::string projection_csv(const Projection& projection);
std::string projection_json(const Projection& projection);  // reports/projection-1.schema.json

}  // namespace rotor
