// One visit of a case: fill its buffers, check it, time it, check what the timed launches wrote.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "bench/sampling.h"
#include "core/result.h"
#include "verify/verify.h"

namespace rotor {

// Told when a phase of a visit begins, outside of what is timed, and that a phase of long launches goes
// on, once a second at most.
struct VisitEvents {
  std::function<void(const char* phase)> phase = [](const char*) {};
  std::function<void(const char* phase)> alive = [](const char*) {};
  // Right before samples are taken: time to bring the device to its full speed.
  std::function<void()> settle = [] {};
};

// Runs visits on one device, and keeps what visits of the same kernel and shape have in common.
class Visitor {
 public:
  // `references` must outlive it.
  Visitor(Device& device, ReferenceCache& references, VisitEvents events = {})
      : device_(device), events_(std::move(events)), references_(references) {}

  // Nothing is timed where the check fails, or where `rules` is null. A check that fails is made
  // again: wrong once and right once is a race, and reported as such. Errors of the device become
  // the status of the result. `now` is the time since the start of the run, for the record.
  CaseResult visit(const KernelVariant& variant, const CaseResult& planned,
                   const SamplingRules* rules, const Clock& now);

  // The same in parts, for a case that takes turns with another process: begun, as many slices as the
  // caller likes, ended. What fails meanwhile is in the result; slices are then none.
  void begin(const KernelVariant& variant, const CaseResult& planned, const Clock& now);
  void slice(const SliceRules& rules, const Clock& now);
  CaseResult end(const Clock& now);

  // The battery of small odd shapes for one row of the registry.
  RowCheck check_row(const KernelVariant& variant, std::uint64_t seed, const std::string& repro);

 private:
  void prepare(const KernelVariant& variant, CaseResult& result);
  void measure(CaseResult& result, const SamplingRules& rules, const Clock& now);
  void begin_timing(CaseResult& result);
  Timing launch(const CaseResult& result, std::uint64_t first, std::uint32_t count, double& told);
  void end_timing(CaseResult& result);
  void give_up_broken(CaseResult& result);

  Device& device_;
  VisitEvents events_;
  ReferenceCache& references_;
  std::string trial_of_;  // the case id, without "/hot", that the trial was made for
  std::unique_ptr<Trial> trial_;
  Verdict verdict_;  // of the trial's check
  std::uint32_t attempts_ = 1;
  std::uint32_t rotation_ = 1;
  CaseResult open_;  // between begin() and end()
  std::uint64_t next_launch_ = 0;
};

}  // namespace rotor
