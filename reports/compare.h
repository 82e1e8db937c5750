// Comparison: two reports, case by case. It describes; deciding is the gate's.
//
// A case of one report belongs to the case with the same key on the device with the same id, or,
// where there is none such, on the other report's first device of the same backend. Times of
// different machines are set against what each machine's own roofline lets expect.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "reports/document.h"
#include "reports/report.h"

namespace rotor {

enum class Change : std::uint8_t { Faster, Slower, Same, Unclear };
std::string_view change_name(Change change);  // "faster"

struct CompareRules {
  // Smaller differences count as none. Runs of one build differ by more than their samples tell,
  // because what differs between processes is common to all samples of one: two reports carry one
  // such effect each, 1.5 % on a shared virtual machine (measuring-and-verifying A.4).
  double min_effect = 0.05;
  double confidence = 0.95;  // of the interval of each median
};

// One of the two reports.
struct Side {
  std::string name;  // of the file
  std::string label;
  std::string run_id;
  std::string build;
  std::uint64_t hw_key = 0;
  std::uint64_t sw_key = 0;
  std::size_t timed = 0;  // cases with a time
};

// A case that both reports timed. Ratios are of A over B: above 1, B is faster.
struct ComparedCase {
  Case spec;
  std::string device_a;
  std::string device_b;
  double a_s = 0;  // medians
  double b_s = 0;
  double speedup = 1;  // a / b
  double low = 1;      // its interval
  double high = 1;
  Change change = Change::Unclear;
  std::optional<double> share_a;  // of the device's limit
  std::optional<double> share_b;
  // What the two rooflines let expect of the speed-up; speedup / explained is what they do not.
  std::optional<double> explained;
};

// A check whose outcome differs, or that only one report knows. Empty outcome: not in the report.
struct OutcomeChange {
  std::string id;  // of the case, the battery or the KV check
  std::string device;
  std::string a;  // "pass"
  std::string b;
  std::string reason;  // that the worse side gives
  bool lost = false;   // passed in A, and B did not run it
  bool wrong = false;  // B got it wrong
};

// Work whose fastest kernel is not the same in both.
struct WinnerDiffers {
  std::uint32_t m = 0;
  std::uint32_t n = 0;
  std::uint32_t k = 0;
  bool hot = false;
  std::string best_a;  // "cpu/matmul_int8_avx2"
  std::string best_b;
  double loss_a = 0;  // what B's winner costs on A, as a factor
  double loss_b = 0;  // what A's winner costs on B
};

// All cases of a variant, or of everything.
struct Group {
  std::string name;
  std::size_t cases = 0;
  double speedup = 1;                 // geometric mean
  std::optional<double> unexplained;  // geometric mean of speedup / explained
  // Harmonic mean of the shares of the limit on both sides (Pennycook, Sewall, Lee: "A metric for
  // performance portability", 2016).
  std::optional<double> portability;
};

struct ReportComparison {
  CompareRules rules;
  Side a;
  Side b;
  bool same_hardware = false;
  bool same_software = false;
  std::vector<ComparedCase> cases;
  std::vector<OutcomeChange> outcomes;
  std::vector<WinnerDiffers> winners;
  std::optional<double> ranking;  // mean Kendall tau of the variants' order, -1 to 1
  Group all;
  std::vector<Group> variants;
  std::vector<std::string> notes;  // what stands against reading too much into it

  std::size_t count(Change change) const;
  std::size_t lost() const;
  std::size_t wrong() const;
};

ReportComparison compare(const Report& a, const std::string& name_a, const Report& b,
                         const std::string& name_b, const CompareRules& rules);

// 2 where B got something wrong, 4 where coverage shrank, else 0: times do not count here.
int exit_code(const ReportComparison& comparison);

Document document_of(const ReportComparison& comparison);         // reports/compare_text.cpp
std::string comparison_json(const ReportComparison& comparison);  // reports/compare_json.cpp
std::string comparison_csv(const ReportComparison& comparison);   // every compared case

// The interval in which the median of a case lies: that of the order statistics, and wide enough to
// hold the median of every visit, because samples of one visit are alike. Nothing with too few
// samples.
std::optional<std::pair<double, double>> median_range(const Measurement& measured,
                                                      double confidence);

}  // namespace rotor
