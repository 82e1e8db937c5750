// `rotor-bench --tune`.

#include <filesystem>
#include <ostream>

#include "bench/bench.h"
#include "bench/cases.h"
#include "bench/progress.h"
#include "bench/tune.h"
#include "core/error.h"
#include "core/written.h"
#include "model/commands.h"
#include "reports/document.h"
#include "reports/report.h"
#include "reports/text.h"

namespace rotor {
namespace {

std::vector<DeviceInfo> wanted_devices(const BenchOptions& options) {
  if (options.device.empty()) return list_devices(options.device_options).devices;
  return {open_device(options.device, options.device_options)->info()};
}

bool changed(const TunedClass& c) {
  return c.chosen.name != c.usual.name || !(c.chosen.tile == c.usual.tile);
}

TextTable product_table(const TunedMatrix& matrix) {
  TextTable table;
  table.title = "n " + std::to_string(matrix.shape.n) + " × k " + std::to_string(matrix.shape.k);
  table.columns = {{"batch", true}, {"chosen"},     {"time", true},
                   {"usual", true}, {"gain", true}, {"tried", true}};
  for (const TunedClass& c : matrix.best.classes) {
    const double gain = c.usual_s / c.chosen_s;
    table.rows.push_back({count_cell(c.m),
                          candidate_name(c.chosen) + (changed(c) ? "" : " (the usual)"),
                          {show_seconds(c.chosen_s), c.chosen_s},
                          {show_seconds(c.usual_s), c.usual_s},
                          {changed(c) ? show_number(gain, 3) + "×" : "-", gain},
                          count_cell(c.tried)});
  }
  for (const std::string& what : matrix.left_out) {
    table.note += (table.note.empty() ? "left out for lack of time: " : "; ") + what;
  }
  return table;
}

// What a run takes and tuning has no use for.
void refuse_run_flags(const BenchOptions& options) {
  const auto refuse = [](const std::string& flag, const std::string& why) {
    throw UsageError("--tune does not go with " + flag + ": " + why);
  };
  if (!options.out.empty()) refuse("--out", "it makes no report; the record is --tune-file");
  if (options.verify_only) refuse("--verify-only", "it chooses by times");
  if (options.resume) refuse("--resume", "every device that was tuned is kept already");
  if (!options.filters.empty()) refuse("--filter", "it tries every variant of a product");
}

class TuneRun {
 public:
  TuneRun(const BenchOptions& options, std::ostream& out, std::ostream& talk)
      : options_(options),
        out_(out),
        progress_(talk, options.terminal),
        path_(options.tuning.file.empty() ? usual_tuning_file() : options.tuning.file),
        model_(options.model.empty() ? kUsualModel : options.model),
        shapes_(tuned_shapes(open_checkpoint(model_)->config())) {
    if (path_.empty()) {
      throw UsageError("--tune: no place for the record; set HOME, or name one with --tune-file");
    }
    check_record();
  }

  int run() {
    const std::vector<DeviceInfo> devices = wanted_devices(options_);
    out_ << "tuning the products of " << model_ << ", seed 0x" << std::hex << options_.seed
         << std::dec << '\n';
    for (std::size_t i = 0; i < devices.size() && !interrupted(); ++i) {
      const double left = options_.budget_s - (steady_seconds() - start_);
      tune_device(devices[i], left / static_cast<double>(devices.size() - i));
    }
    check_written(out_, "what was chosen, and is kept in " + path_ + ",");
    return interrupted() ? kExitInterrupted : code_;
  }

 private:
  // Before anything is tuned, for that takes long. What a file holds is lost only where it was a
  // record, or nobody named it; and the folder for the usual one is made.
  void check_record() {
    try {
      load_tuning(path_, false);
    } catch (const FormatError& error) {
      if (!options_.tuning.file.empty()) throw;
      progress_.say(std::string(error.what()) + "; it will be replaced");
    }
    if (!options_.tuning.file.empty()) return check_writable(path_);
    std::error_code told_below;
    std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), told_below);
    try {
      check_writable(path_);
    } catch (const OutputError& error) {
      throw OutputError(std::string(error.what()) +
                        "; name another tuning record with --tune-file");
    }
  }

  void tune_device(const DeviceInfo& info, double seconds) {
    out_ << '\n' << info.id << "  " << info.name << std::endl;
    const double end = steady_seconds() + seconds;
    DeviceTuning tuning{tuning_key(info), {}};
    try {
      const std::unique_ptr<Device> device = open_device(info.id, options_.device_options);
      Tuner tuner(*device, options_.seed, [&](const std::string& what) {
        progress_.show("tuning " + info.id, what, end - steady_seconds());
        return !interrupted();
      });
      for (std::size_t i = 0; i < shapes_.size() && !interrupted(); ++i) {
        const double left = end - steady_seconds();
        const TunedMatrix matrix =
            tuner.tune(shapes_[i], left / static_cast<double>(shapes_.size() - i));
        progress_.clear();
        out_ << console_tables({product_table(matrix)}) << std::flush;
        for (const TunedProduct& product : matrix.products()) tuning.products.push_back(product);
      }
      tell_failures(tuner.failures());
    } catch (const UnsupportedError& error) {
      out_ << info.id << " is left out: " << error.what() << '\n';
      return;
    } catch (const DeviceError& error) {
      out_ << info.id << " broke: " << error.what() << '\n';
      code_ = kExitInfrastructure;
    }
    keep(std::move(tuning));
  }

  void tell_failures(const std::vector<TuneFailure>& failures) {
    for (const TuneFailure& failure : failures) {
      out_ << "not used: " << failure.what << ": " << status_name(failure.verdict.status) << ", "
           << failure.verdict.message << '\n';
      if (is_wrong(failure.verdict.status) && code_ == kExitOk) code_ = kExitCheckFailed;
    }
  }

  // After each device, so that one that ends the program costs only its own part. Read anew: another
  // process may have tuned another device in the meantime.
  void keep(DeviceTuning tuning) {
    if (tuning.products.empty()) return;
    TuningRecord record;
    try {
      record = load_tuning(path_, false);
    } catch (const FormatError&) {  // told at the start
    }
    const std::string what = count_of(tuning.products.size(), "choice");
    record.keep(std::move(tuning));
    save_tuning(path_, record);
    out_ << "kept " << what << " in " << path_ << '\n';
  }

  const BenchOptions& options_;
  std::ostream& out_;
  Progress progress_;
  std::string path_;
  std::string model_;
  std::vector<Shape> shapes_;
  double start_ = steady_seconds();
  int code_ = kExitOk;
};

}  // namespace

int run_tune(const BenchOptions& options, std::ostream& out, std::ostream& talk) {
  refuse_run_flags(options);
  return TuneRun(options, out, talk).run();
}

}  // namespace rotor
