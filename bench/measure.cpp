#include "bench/measure.h"

#include <benchmark/benchmark.h>

#include <exception>

namespace rotor {
namespace {

// Says nothing: rotor's own tables come from rotor's own records.
class SilentReporter final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>&) override {}
};

}  // namespace

void run_registered(const std::string& name, const std::function<double()>& body) {
  std::exception_ptr thrown;
  const auto once = [&](benchmark::State& state) {
    for ([[maybe_unused]] auto iteration : state) {
      try {
        state.SetIterationTime(body());
      } catch (...) {
        thrown = std::current_exception();
      }
    }
  };
  // One iteration and our own clock: its calibration would run microsecond kernels for seconds.
  benchmark::RegisterBenchmark(name.c_str(), once)->Iterations(1)->UseManualTime();
  SilentReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter, ".");
  benchmark::ClearRegisteredBenchmarks();
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace rotor
