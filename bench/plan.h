// The plan of a run: which devices, which rows of the registry, which cases, in which units.
#pragma once

#include <string>
#include <vector>

#include "bench/bench.h"
#include "bench/cases.h"
#include "bench/pace.h"

namespace rotor {

struct BenchPlan {
  std::vector<DeviceInfo> devices;
  std::vector<AbsentBackend> absent;
  std::string model;  // whose shapes are among the cases
  Filter filter{{}};
  std::vector<PlannedCase> cases;
  std::vector<const KernelVariant*> rows;  // that go through the battery

  // Identity of the ordered list of cases.
  std::uint64_t hash() const;
  // Of the rows and cases, those that this device is to run.
  std::vector<const KernelVariant*> rows_of(const DeviceInfo& device) const;
  std::vector<Unit> units_of(const DeviceInfo& device) const;
  std::string repro_row(const KernelVariant& variant) const;

  bool kv = false;       // the cache against none
  bool quality = false;  // how well the model writes
  std::string text;      // whose likelihood that suite measures
  std::string text_name;
  std::string repro;  // the command that a case's own filter is appended to
};

// Looks at the devices, leaving none open, and reads the model's sizes. Throws as run_bench does.
BenchPlan make_plan(const BenchOptions& options);

}  // namespace rotor
