// Measures what a device can do at best, with the clock that the cases are timed with.
//
// CPU: reading over footprints from the first-level cache to memory, by one thread and by all; the
// arithmetic of its features (kernels/roof.h). Every device: the cost of a launch among others in a
// queue, and, but for the CPU, copies to and from it, reading by its kernel for dense tables, and its
// arithmetic (bench/arithmetic.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "reports/roofline.h"
#include "runtime/device.h"

namespace rotor {

class RoofMeter {
 public:
  explicit RoofMeter(Device& device);
  ~RoofMeter();

  // Every limit; `at` is "start", "middle" or "end" of the run. About a second.
  std::vector<Roof> measure_all(const std::string& at);
  // Reading from memory and, on the CPU, arithmetic only: what tells a clock that fell, in 50 ms.
  std::vector<Roof> measure_controls(const std::string& at);

 private:
  struct Host;  // buffer and workers of the CPU's own loops
  std::vector<Roof> measure_launch(const std::string& at);
  std::vector<Roof> measure_transfers(const std::string& at);
  std::vector<Roof> measure_table_reads(const std::vector<std::size_t>& sizes,
                                        const std::string& at);

  Device& device_;
  std::unique_ptr<Host> host_;
};

// How much slower the last measurement of a limit is than the first, worst of a device's controls:
// 0.1 is 10 %. 0 where none was measured twice.
double roof_drift(const std::vector<Roof>& roofs, const std::string& device);

}  // namespace rotor
