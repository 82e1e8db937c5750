#include "reports/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <tuple>

#include "core/error.h"
#include "core/stats.h"

namespace rotor {
namespace {

using DevicePairs = std::map<std::string, std::string>;  // of A -> of B

DevicePairs pair_devices(const Report& a, const Report& b) {
  DevicePairs pairs;
  std::set<std::string> taken;
  const auto pair_up = [&](const auto& alike) {
    for (const DeviceFacts& mine : a.devices) {
      for (const DeviceFacts& other : b.devices) {
        if (pairs.count(mine.id) > 0 || taken.count(other.id) > 0 || !alike(mine, other)) continue;
        pairs[mine.id] = other.id;
        taken.insert(other.id);
      }
    }
  };
  pair_up([](const DeviceFacts& x, const DeviceFacts& y) { return x.id == y.id; });
  pair_up([](const DeviceFacts& x, const DeviceFacts& y) { return x.backend == y.backend; });
  return pairs;
}

Side side_of(const Report& report, const std::string& name) {
  const BuildFacts& build = report.run.build;
  Side side{name,
            report.machine.label,
            report.run.id,
            build.version + " " + build.commit + (build.dirty ? " (changed)" : ""),
            report.machine.hw_key,
            report.machine.sw_key,
            0};
  for (const CaseResult& r : report.results) side.timed += r.measurement.has_value();
  return side;
}

Change change_of(double low, double high, double min_effect) {
  const double more = 1 + min_effect;
  if (low > more) return Change::Faster;
  if (high < 1 / more) return Change::Slower;
  return low >= 1 / more && high <= more ? Change::Same : Change::Unclear;
}

ComparedCase compare_case(const CaseResult& a, const Derived& da, const CaseResult& b,
                          const Derived& db, const CompareRules& rules) {
  ComparedCase c;
  c.spec = a.spec;
  c.device_a = a.device;
  c.device_b = b.device;
  c.a_s = da.median_s;
  c.b_s = db.median_s;
  c.speedup = c.a_s / c.b_s;
  c.low = c.high = c.speedup;
  const auto range_a = median_range(*a.measurement, rules.confidence);
  const auto range_b = median_range(*b.measurement, rules.confidence);
  if (a.measurement->samples_s == b.measurement->samples_s) {
    c.change = Change::Same;  // one and the same measurement, whatever its interval
  } else if (range_a && range_b) {
    c.low = range_a->first / range_b->second;
    c.high = range_a->second / range_b->first;
    c.change = change_of(c.low, c.high, rules.min_effect);
  }
  c.share_a = da.share;
  c.share_b = db.share;
  if (da.limit && db.limit) c.explained = da.limit->seconds / db.limit->seconds;
  return c;
}

// What a check came to, whatever kind of check it was.
struct Outcome {
  Status status = Status::NotRun;
  std::string reason;
};
using Outcomes = std::map<std::pair<std::string, std::string>, Outcome>;  // (device, id)

// The devices of A get the names of those of B that they belong to.
Outcomes outcomes_of(const Report& report, const DevicePairs& pairs) {
  Outcomes all;
  const auto add = [&](const std::string& device, const std::string& id, Status status,
                       const std::string& reason) {
    const auto other = pairs.find(device);
    all[{other == pairs.end() ? device : other->second, id}] = {status, reason};
  };
  for (const RowCheck& r : report.battery) {
    add(r.device, r.variant + "/battery", r.verdict.status, r.verdict.message);
  }
  for (const CaseResult& r : report.results) {
    add(r.device, r.spec.id, r.verdict.status, r.verdict.message);
  }
  for (const KvResult& r : report.kv) add(r.device, r.id, r.status, r.message);
  return all;
}

class Comparing {
 public:
  Comparing(const Report& a, const Report& b, ReportComparison& out)
      : a_(a), b_(b), out_(out), pairs_(pair_devices(a, b)) {}

  void run() {
    join_cases();
    join_outcomes();
    find_winners();
    out_.all = group_of("all", [](const ComparedCase&) { return true; });
    std::set<std::string> names;
    for (const ComparedCase& c : out_.cases) names.insert(c.spec.backend + '/' + c.spec.variant);
    for (const std::string& name : names) {
      out_.variants.push_back(group_of(name, [&](const ComparedCase& c) {
        return c.spec.backend + '/' + c.spec.variant == name;
      }));
    }
    add_notes();
  }

 private:
  void join_cases();
  void join_outcomes();
  void add_outcome(const std::string& device, const std::string& id, const Outcome* a,
                   const Outcome* b);
  bool is_lost(const std::string& device, const Outcome* a, const Outcome* b) const;
  void find_winners();
  template <typename Belongs>
  Group group_of(const std::string& name, const Belongs& belongs) const;
  void add_notes();
  void note_facts();

  const Report& a_;
  const Report& b_;
  ReportComparison& out_;
  DevicePairs pairs_;
};

void Comparing::join_cases() {
  const auto derived_a = derive(a_);
  const auto derived_b = derive(b_);
  std::map<std::pair<std::string, std::uint64_t>, std::size_t> index_b;
  for (std::size_t i = 0; i < b_.results.size(); ++i) {
    if (derived_b[i]) index_b[{b_.results[i].device, case_key(b_.results[i].spec)}] = i;
  }
  for (std::size_t i = 0; i < a_.results.size(); ++i) {
    const CaseResult& mine = a_.results[i];
    const auto device = pairs_.find(mine.device);
    if (!derived_a[i] || device == pairs_.end()) continue;
    const auto other = index_b.find({device->second, case_key(mine.spec)});
    if (other == index_b.end()) continue;
    out_.cases.push_back(compare_case(mine, *derived_a[i], b_.results[other->second],
                                      *derived_b[other->second], out_.rules));
  }
}

void Comparing::join_outcomes() {
  const Outcomes of_a = outcomes_of(a_, pairs_);
  const Outcomes of_b = outcomes_of(b_, {});
  const auto find = [](const Outcomes& in, const Outcomes::key_type& key) {
    const auto found = in.find(key);
    return found == in.end() ? nullptr : &found->second;
  };
  for (const auto& [key, outcome] : of_a) {
    add_outcome(key.first, key.second, &outcome, find(of_b, key));
  }
  for (const auto& [key, outcome] : of_b) {
    if (of_a.count(key) == 0) add_outcome(key.first, key.second, nullptr, &outcome);
  }
}

void Comparing::add_outcome(const std::string& device, const std::string& id, const Outcome* a,
                            const Outcome* b) {
  const bool wrong = b != nullptr && is_wrong(b->status);
  if (a != nullptr && b != nullptr && a->status == b->status && !wrong) return;
  OutcomeChange change;
  change.id = id;
  change.device = device;
  if (a != nullptr) change.a = status_name(a->status);
  if (b != nullptr) change.b = status_name(b->status);
  change.reason = b != nullptr && !b->reason.empty() ? b->reason : a != nullptr ? a->reason : "";
  change.wrong = wrong;
  change.lost = is_lost(device, a, b);
  out_.outcomes.push_back(change);
}

// On the same hardware, whatever ran in A must have run in B. Other hardware may lack what a kernel
// needs, or the backend altogether, and a slower machine may have run out of time; it may not leave
// a case out of its plan.
bool Comparing::is_lost(const std::string& device, const Outcome* a, const Outcome* b) const {
  if (a == nullptr || a->status != Status::Pass) return false;
  if (b != nullptr && is_broken(b->status)) return true;
  const bool ran = b != nullptr && (b->status == Status::Pass || is_wrong(b->status) ||
                                    b->status == Status::SuspectNumeric);
  if (ran) return false;
  if (out_.same_hardware) return true;
  const bool has_device = std::any_of(b_.devices.begin(), b_.devices.end(),
                                      [&](const DeviceFacts& d) { return d.id == device; });
  return b == nullptr && has_device;
}

double kendall_tau(const std::vector<const ComparedCase*>& cases) {
  double sum = 0;
  double pairs = 0;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    for (std::size_t j = i + 1; j < cases.size(); ++j) {
      const double order = (cases[i]->a_s - cases[j]->a_s) * (cases[i]->b_s - cases[j]->b_s);
      sum += order > 0 ? 1 : order < 0 ? -1 : 0;
      ++pairs;
    }
  }
  return sum / pairs;
}

void Comparing::find_winners() {
  // What one device can do by one variant or another.
  using Work =
      std::tuple<std::string, std::string, bool, std::uint32_t, std::uint32_t, std::uint32_t>;
  std::map<Work, std::vector<const ComparedCase*>> works;
  for (const ComparedCase& c : out_.cases) {
    if (c.spec.layers) continue;  // kernels that differ by the cache's format do not compete
    works[{c.device_a, c.spec.op, c.spec.hot, c.spec.n, c.spec.k, c.spec.m}].push_back(&c);
  }
  double taus = 0;
  std::size_t ranked = 0;
  for (const auto& [work, cases] : works) {
    if (cases.size() < 2) continue;
    taus += kendall_tau(cases);
    ++ranked;
    const auto least = [&cases = cases](double ComparedCase::*time) {
      return **std::min_element(
          cases.begin(), cases.end(),
          [time](const ComparedCase* x, const ComparedCase* y) { return x->*time < y->*time; });
    };
    const ComparedCase best_a = least(&ComparedCase::a_s);
    const ComparedCase best_b = least(&ComparedCase::b_s);
    WinnerDiffers w{best_a.spec.m,
                    best_a.spec.n,
                    best_a.spec.k,
                    best_a.spec.hot,
                    best_a.spec.backend + '/' + best_a.spec.variant,
                    best_b.spec.backend + '/' + best_b.spec.variant,
                    best_b.a_s / best_a.a_s,
                    best_a.b_s / best_b.b_s};
    // A tie is no other winner.
    if (std::max(w.loss_a, w.loss_b) > 1 + out_.rules.min_effect) out_.winners.push_back(w);
  }
  if (ranked > 0) out_.ranking = taus / static_cast<double>(ranked);
}

template <typename Belongs>
Group Comparing::group_of(const std::string& name, const Belongs& belongs) const {
  Group group;
  group.name = name;
  double logs = 0;
  double unexplained = 0;
  std::size_t explained = 0;
  double inverse_shares = 0;
  std::size_t shares = 0;
  for (const ComparedCase& c : out_.cases) {
    if (!belongs(c)) continue;
    ++group.cases;
    logs += std::log(c.speedup);
    if (c.explained) {
      unexplained += std::log(c.speedup / *c.explained);
      ++explained;
    }
    if (c.share_a && c.share_b) {
      inverse_shares += 1 / *c.share_a + 1 / *c.share_b;
      shares += 2;
    }
  }
  if (group.cases > 0) group.speedup = std::exp(logs / static_cast<double>(group.cases));
  if (explained > 0) group.unexplained = std::exp(unexplained / static_cast<double>(explained));
  if (shares > 0) group.portability = static_cast<double>(shares) / inverse_shares;
  return group;
}

// On one machine, what differs of a device is what was asked for: --threads, --features, a tuning record.
void Comparing::note_facts() {
  const auto facts_of = [](const Report& report, const std::string& id) {
    return std::find_if(report.devices.begin(), report.devices.end(),
                        [&](const DeviceFacts& d) { return d.id == id; })
        ->features;
  };
  for (const auto& [id_a, id_b] : pairs_) {
    const std::map<std::string, std::string> in_a = facts_of(a_, id_a);
    const std::map<std::string, std::string> in_b = facts_of(b_, id_b);
    std::map<std::string, std::string> names = in_a;
    names.insert(in_b.begin(), in_b.end());
    for (const auto& [name, unused] : names) {
      const std::string mine = in_a.contains(name) ? in_a.at(name) : "none";
      const std::string other = in_b.contains(name) ? in_b.at(name) : "none";
      if (mine == other) continue;
      out_.notes.push_back(id_a + ", " + name + ": " + mine + " in " + out_.a.name + ", " + other +
                           " in " + out_.b.name);
    }
  }
}

void Comparing::add_notes() {
  if (out_.a.run_id == out_.b.run_id) out_.notes.push_back("both are reports of the same run");
  if (!out_.same_hardware) {
    out_.notes.push_back("other hardware: times tell about the machines, not about the programs");
  } else if (!out_.same_software) {
    out_.notes.push_back(
        "other drivers, system or compiler: a difference need not come from rotor's code");
  }
  if (out_.same_hardware) note_facts();
  const auto drop = [&](const Report& report, const Side& side) {
    if (!report.run.complete) out_.notes.push_back(side.name + ": the run did not come to its end");
    for (const std::string& warning : report.machine.warnings) {
      out_.notes.push_back(side.name + ": " + warning);
    }
  };
  drop(a_, out_.a);
  drop(b_, out_.b);
}

std::size_t count_where(const std::vector<OutcomeChange>& changes, bool OutcomeChange::*flag) {
  return static_cast<std::size_t>(
      std::count_if(changes.begin(), changes.end(), [&](const auto& c) { return c.*flag; }));
}

}  // namespace

std::string_view change_name(Change change) {
  static constexpr std::string_view kNames[] = {"faster", "slower", "same", "unclear"};
  return kNames[static_cast<std::size_t>(change)];
}

std::optional<std::pair<double, double>> median_range(const Measurement& measured,
                                                      double confidence) {
  if (!std::isfinite(median_uncertainty(measured.samples_s, confidence))) return std::nullopt;
  std::pair<double, double> range = median_interval(measured.samples_s, confidence);
  std::size_t begin = 0;
  for (const std::uint32_t count : measured.visits) {
    if (count == 0 || begin + count > measured.samples_s.size()) break;
    const double middle = median(std::span(measured.samples_s).subspan(begin, count));
    range.first = std::min(range.first, middle);
    range.second = std::max(range.second, middle);
    begin += count;
  }
  return range;
}

std::size_t ReportComparison::count(Change change) const {
  return static_cast<std::size_t>(std::count_if(
      cases.begin(), cases.end(), [&](const ComparedCase& c) { return c.change == change; }));
}
std::size_t ReportComparison::lost() const {
  return count_where(outcomes, &OutcomeChange::lost);
}
std::size_t ReportComparison::wrong() const {
  return count_where(outcomes, &OutcomeChange::wrong);
}

ReportComparison compare(const Report& a, const std::string& name_a, const Report& b,
                         const std::string& name_b, const CompareRules& rules) {
  ReportComparison out;
  out.rules = rules;
  out.a = side_of(a, name_a);
  out.b = side_of(b, name_b);
  out.same_hardware = out.a.hw_key == out.b.hw_key;
  out.same_software = out.a.sw_key == out.b.sw_key;
  Comparing(a, b, out).run();
  return out;
}

int exit_code(const ReportComparison& comparison) {
  if (comparison.wrong() > 0) return kExitCheckFailed;
  return comparison.lost() > 0 ? kExitInfrastructure : kExitOk;
}

}  // namespace rotor
