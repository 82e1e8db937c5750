// Made-up results for the tests of this folder and of bench/. Every number is invented.
#pragma once

#include <string>
#include <vector>

#include "reports/journal.h"

namespace rotor {

inline Verdict passed_verdict() {
  Verdict v;
  v.status = Status::Pass;
  v.criterion = Criterion::ExactInt;
  v.reference = "eigen f32";
  v.proof = "127 * 2560 < 2^24";
  v.inputs = {{"composite", 0x5eed, 0xabcdef0123456789u, 0}};
  v.checked = 2560;
  v.poison_cleared = v.guards_intact = v.inputs_unchanged = true;
  v.repeat_bitwise_equal = v.timed_output_verified = true;
  v.output_digest = 0xFEDCBA9876543210u;
  return v;
}

inline Verdict bad_verdict(Status status, const std::string& code, const std::string& message) {
  Verdict v;
  v.status = status;
  v.reason_code = code;
  v.message = message;
  return v;
}

inline Measurement measured(std::vector<double> samples_s) {
  Measurement m;
  m.clock = "steady_clock";
  m.launches_per_sample = 8;
  for (std::size_t i = 0; i < samples_s.size(); ++i) {
    m.offsets_s.push_back(0.001 * static_cast<double>(i));
  }
  m.visits = {static_cast<std::uint32_t>(samples_s.size())};
  m.samples_s = std::move(samples_s);
  m.stop = StopReason::Converged;
  m.macs = 2560ull * 2560;
  m.min_bytes = 2560ull * 2560 / 4;
  m.weight_bytes = m.min_bytes;
  return m;
}

// op is "matmul" unless the variant is the dense one.
inline CaseResult planned(const std::string& variant, std::uint32_t m, bool hot = false) {
  CaseResult r;
  r.spec = {"cpu/" + variant + "/n2560_k2560_b" + std::to_string(m) + (hot ? "/hot" : ""),
            variant.find("dense") == std::string::npos ? "matmul" : "matmul_dense",
            "cpu",
            variant,
            m,
            2560,
            2560,
            hot,
            0x5eed};
  r.device = "cpu:0";
  r.verdict = bad_verdict(Status::NotRun, "not_reached", "the run ended before it");
  r.repro = "rotor-bench --filter '^" + r.spec.id + "$' --seed 0x5eed";
  r.packing = "bits2x16";
  return r;
}

inline CaseResult timed(const std::string& variant, std::uint32_t m, std::vector<double> samples_s,
                        bool hot = false) {
  CaseResult r = planned(variant, m, hot);
  r.verdict = passed_verdict();
  r.measurement = measured(std::move(samples_s));
  r.measurement->cold = !hot;
  r.phases_s = {{"check", 0.0125}, {"sample", 0.5}};
  r.start_s = 1.5;
  r.end_s = 2.25;
  return r;
}

inline CaseResult failed(const std::string& variant, std::uint32_t m) {
  CaseResult r = planned(variant, m);
  r.verdict = passed_verdict();
  r.verdict.status = Status::FailVerify;
  r.verdict.reason_code = "mismatch";
  r.verdict.message = "12 of 2560 outputs differ, worst at token 0, row 7: want 3, got 4";
  r.verdict.mismatches = 12;
  r.verdict.first = {{0, 7, 3, 4}};
  r.attempts = 2;
  return r;
}

// All layers of a model at once.
inline CaseResult timed_layers(const std::string& variant, std::uint32_t position,
                               std::vector<double> samples_s) {
  CaseResult r = timed(variant, 1, std::move(samples_s));
  r.spec.id = "cpu/" + variant + "/l30_p" + std::to_string(position);
  r.spec.op = "layers";
  r.spec.layers = LayersShape{30, 6912, 20, 5, 128, position};
  r.measurement->min_bytes = r.measurement->weight_bytes = 525506560;
  return r;
}

inline RunStart run_start(std::vector<CaseResult> plan) {
  RunStart start;
  start.run.id = "20260101T000000Z-0123456789abcdef";
  start.run.started_at = "2026-01-01T00:00:00Z";
  start.run.argv = {"rotor-bench", "--suite", "all"};
  start.run.suite = "all";
  start.run.seed = 0x5eed;
  start.run.build = {"0.1.0", "0123456789ab", false, "GNU 12.2.0", "Release", "-O3", {}};
  start.run.options = {{"suite", "all"}, {"budget_s", "600"}};
  start.run.plan_hash = 0x123;
  start.machine.label = "Example CPU, 2 cores";
  start.machine.hw_key = 0x0123456789abcdefu;
  start.machine.sw_key = 0xfedcba9876543210u;
  start.machine.os = "Example 1";
  start.machine.kernel = "6.1";
  start.machine.cpu = {"Vendor",
                       "Example CPU",
                       "25",
                       "17",
                       "1",
                       1,
                       2,
                       2,
                       {{1, "Data", 32768, 1}, {3, "Unified", 33554432, 2}},
                       {"avx2", "fma"}};
  start.machine.memory_bytes = 16ull << 30;
  start.machine.power_start.governor = "performance";
  start.machine.power_start.load_avg_1m = 0.25;
  DeviceFacts device;
  device.id = "cpu:0";
  device.backend = device.kind = "cpu";
  device.name = "Example CPU";
  device.features = {{"instructions", "avx2"}};
  start.devices = {device};
  start.plan = std::move(plan);
  return start;
}

inline RunEnd run_end(int exit_code, const std::string& reason) {
  RunEnd end;
  end.ended_at = "2026-01-01T00:10:00Z";
  end.complete = true;
  end.power.load_avg_1m = 1.5;
  end.summary = {exit_code, reason, 600};
  return end;
}

inline QualityResult sample_quality() {
  QualityResult quality;
  quality.id = "quality/demo/kv_f16/head_bits6";
  quality.device = "cpu:0";
  quality.model = "demo";
  quality.kv = "f16";
  quality.head = "bits6";
  quality.status = Status::Pass;
  quality.text = TextScore{"held_text.txt", 1500, 0.75, 0.5};
  quality.chats.emplace();
  quality.chats->topics = {{"names", {25, 25}}, {"sums", {25, 24}}};
  quality.chats->wrong = {{"What is 7 plus 8?", "15", "7 plus 8 is 16."}};
  quality.chats->answer_tokens = 500;
  quality.chats->seconds = 2;
  quality.strategies = {
      {"greedy", 2, 384, {0.25, 0.5, 0.75, 0.875}, 40, {1e-3, 1.25e-3}, {2e-6, 2.5e-6}}};
  return quality;
}

// One case of every kind that the tables must show.
inline std::vector<Record> sample_records() {
  std::vector<CaseResult> plan = {planned("matmul_fast", 1),  planned("matmul_slow", 1),
                                  planned("matmul_wrong", 1), planned("matmul_dense_eigen", 1),
                                  planned("matmul_other", 1), planned("matmul_fast", 5)};
  plan[4].verdict = bad_verdict(Status::Unsupported, "no_avx512", "needs AVX-512");
  plan[5].verdict = bad_verdict(Status::Skipped, "budget", "no time left for it");
  KvResult kv;
  kv.id = "kv/lockstep/prefill16/demo";
  kv.device = "cpu:0";
  kv.mode = "lockstep";
  kv.variant = "prefill 16 + decode";
  kv.status = Status::Pass;
  kv.positions = 64;
  kv.attn_max_rel = 1.5e-6;
  kv.tolerance = {{"attn_max_rel", 1e-5}};
  return {run_start(plan),
          RowCheck{"cpu/matmul_fast", "matmul", "cpu:0", passed_verdict(), 0.5, "rotor-bench"},
          timed("matmul_fast", 1, {100e-6, 101e-6, 99e-6}),
          timed("matmul_slow", 1, {400e-6, 400e-6, 404e-6}),
          failed("matmul_wrong", 1),
          timed("matmul_dense_eigen", 1, {800e-6, 810e-6, 800e-6}),
          timed("matmul_fast", 1, {100e-6, 100e-6, 120e-6}),
          kv,
          KvTiming{"demo",
                   "cpu:0",
                   64,
                   "f32",
                   1e-3,
                   20e-3,
                   {1e-3, 1.5e-3},
                   {20e-3},
                   0.5e-3,
                   {},
                   "exact",
                   "cpu/matmul_fast",
                   "cpu/matmul_fast",
                   15000000,
                   1000000},
          sample_quality(),
          SamplerCheck{"top-p 0.8", 7, 50000, 12, 0, 9.5, 11, 0.57, Status::Pass, "", ""},
          Roof{"cpu:0", "read_bw", 1u << 28, "start", 2e10, "bytes/s", {2e10, 1.9e10}, {}},
          Event{3.5, "throttle_start", "", "clock fell"},
          SelfTestDone{MutantCount{20, 20, {}}, {}, MutantCount{15, 14, {"one"}}},
          run_end(2, "1 case is wrong")};
}

inline Report sample_report(const std::vector<Record>& records = sample_records()) {
  Journal journal("");
  for (const Record& record : records) journal.append(record);
  return journal.report();
}

// Two cases more.
inline Report sample_report_with_layers() {
  std::vector<Record> records = sample_records();
  for (const std::uint32_t position : {4u, 2047u}) {
    std::get<RunStart>(records[0]).plan.push_back(timed_layers("layers_f16", position, {50e-3}));
  }
  return sample_report(records);
}

}  // namespace rotor
