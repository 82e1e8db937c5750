#include "verify/mutants.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/half.h"
#include "verify/cases.h"
#include "verify/verdicts.h"
#include "verify/verify.h"

namespace rotor {
namespace {

enum class Bug : std::uint8_t {
  None,
  // in the weights
  LostSign,
  MinusIsZero,
  OffsetKept,
  BitOrder,
  // in the sum
  TailDropped,
  LastDropped,
  Unsigned,
  NegateInInt8,
  Int16Wraps,
  Int16Saturates,
  HalfSum,
  LostProduct,
  // in addresses
  WrongStride,
  FirstToken,
  Transposed,
  SwappedOutputs,
  // in single outputs
  OffByOne,
  FirstUnwritten,
  LastUnwritten,
  ZeroTokenIsNan,
  // in memory and chance
  WritesBefore,
  WritesBehind,
  ChangesInput,
  Random,
};

constexpr std::uint32_t kUnwritten = 16;  // outputs that FirstUnwritten and LastUnwritten leave

// What column j of a row of Bits2 words is multiplied with.
template <Bug kBug>
int weight(const std::uint32_t* words, std::size_t j) {
  std::size_t pair = j % 16 / 4;
  if constexpr (kBug == Bug::BitOrder) pair = 3 - pair;
  const int code = static_cast<int>((words[j / 16] >> (8 * (j % 4) + 2 * pair)) & 3u);
  if constexpr (kBug == Bug::OffsetKept) return code;
  if constexpr (kBug == Bug::LostSign) return code == 1 ? 0 : 1;
  if constexpr (kBug == Bug::MinusIsZero) return code == 2 ? 1 : 0;
  return code - 1;
}

// Where the sum over k columns ends.
template <Bug kBug>
std::size_t columns(std::size_t k) {
  if constexpr (kBug == Bug::TailDropped) return k / 16 * 16;
  if constexpr (kBug == Bug::LastDropped) return k - 1;
  return k;
}

template <Bug kBug>
int product(int q, int w) {
  if constexpr (kBug == Bug::Unsigned) return static_cast<std::uint8_t>(q) * w;
  if constexpr (kBug == Bug::NegateInInt8) return w < 0 ? static_cast<std::int8_t>(-q) : q * w;
  return q * w;
}

template <Bug kBug>
float sum(const std::int8_t* q, const std::int8_t* w, std::size_t k) {
  if constexpr (kBug == Bug::HalfSum) {
    float acc = 0;
    for (std::size_t j = 0; j < k; ++j) {
      acc = f16_to_f32(f32_to_f16(acc + static_cast<float>(q[j] * w[j])));
    }
    return acc;
  }
  int acc = 0;
  for (std::size_t j = 0; j < columns<kBug>(k); ++j) {
    acc += product<kBug>(q[j], w[j]);
    if constexpr (kBug == Bug::Int16Wraps) acc = static_cast<std::int16_t>(acc);
    if constexpr (kBug == Bug::Int16Saturates) acc = std::clamp(acc, -32768, 32767);
  }
  return static_cast<float>(acc);
}

// The last product that is not zero.
int last_product(const std::int8_t* q, const std::int8_t* w, std::size_t k) {
  for (std::size_t j = k; j-- > 0;) {
    if (q[j] * w[j] != 0) return q[j] * w[j];
  }
  return 0;
}

template <Bug kBug>
std::size_t output_index(const MatmulParams& p, std::size_t t, std::size_t r) {
  if constexpr (kBug == Bug::Transposed) return r * p.m + t;
  // Outputs 0 and n - 1 of every token change places.
  if constexpr (kBug == Bug::SwappedOutputs) r = r == 0 ? p.n - 1 : r == p.n - 1 ? 0 : r;
  return t * p.n + r;
}

// A bug that only the middle output of the last token has.
bool is_victim(const MatmulParams& p, std::size_t t, std::size_t r) {
  return t == p.m - 1 && r == p.n / 2;
}

template <Bug kBug>
bool skipped(const MatmulParams& p, std::size_t t, std::size_t r) {
  if constexpr (kBug == Bug::FirstUnwritten) return t == 0 && r < kUnwritten;
  if constexpr (kBug == Bug::LastUnwritten) return t == p.m - 1 && r + kUnwritten >= p.n;
  return false;
}

// What the last slice does to memory that is none of its business.
template <Bug kBug>
void misbehave(const CpuCall& call, const MatmulParams& p) {
  float* out = call.buffer<float>(4);
  if constexpr (kBug == Bug::WritesBefore) out[-1] = 0;
  if constexpr (kBug == Bug::WritesBehind) out[std::size_t{p.m} * p.n] = 0;
  if constexpr (kBug == Bug::ChangesInput) call.buffer<std::int8_t>(0)[0] = 55;
  if constexpr (kBug == Bug::Random) {
    static std::atomic<unsigned> launches{0};
    // Twice the value and one: adding a constant alone would vanish beside large outputs.
    float& last = out[std::size_t{p.m} * p.n - 1];
    if (launches.fetch_add(1) % 2 == 1) last = 2 * last + 1;
  }
}

template <Bug kBug>
void mutant(const CpuCall& call) noexcept {
  const auto& p = call.parameters<MatmulParams>();
  const std::int8_t* codes = call.buffer<const std::int8_t>(0);      // [m, stride]
  const TokenScale* tokens = call.buffer<const TokenScale>(1);       // [m]
  const std::uint32_t* words = call.buffer<const std::uint32_t>(2);  // [n16, stride / 16]
  const float* scales = call.buffer<const float>(3);                 // [n]
  float* out = call.buffer<float>(4);                                // [m, n]
  auto* weights = reinterpret_cast<std::int8_t*>(call.scratch);      // [k], one row
  const std::size_t token_stride = kBug == Bug::FirstToken    ? 0
                                   : kBug == Bug::WrongStride ? p.k
                                                              : p.stride;
  for (std::size_t r = call.begin; r < call.end; ++r) {
    for (std::size_t j = 0; j < p.k; ++j) {
      weights[j] = static_cast<std::int8_t>(weight<kBug>(words + r * (p.stride / 16), j));
    }
    for (std::size_t t = 0; t < p.m; ++t) {
      if (skipped<kBug>(p, t, r)) continue;
      const std::int8_t* q = codes + t * token_stride;
      float acc = sum<kBug>(q, weights, p.k);
      if constexpr (kBug == Bug::OffByOne) acc += is_victim(p, t, r) ? 1 : 0;
      if constexpr (kBug == Bug::LostProduct) {
        if (is_victim(p, t, r)) acc -= static_cast<float>(last_product(q, weights, p.k));
      }
      if constexpr (kBug == Bug::ZeroTokenIsNan) {
        const bool zeros = std::all_of(q, q + p.k, [](std::int8_t v) { return v == 0; });
        if (zeros) acc = std::numeric_limits<float>::quiet_NaN();
      }
      out[output_index<kBug>(p, t, r)] = acc * (scales[r] * tokens[t].scale);
    }
  }
  if (call.end == p.n) misbehave<kBug>(call, p);
}

using enum Status;
constexpr Mutant kMutants[] = {
    {"lost_sign", mutant<Bug::LostSign>, FailVerify},
    {"minus_is_zero", mutant<Bug::MinusIsZero>, FailVerify},
    {"offset_kept", mutant<Bug::OffsetKept>, FailVerify},
    {"bit_order", mutant<Bug::BitOrder>, FailVerify},
    {"tail_dropped", mutant<Bug::TailDropped>, FailVerify},
    {"last_dropped", mutant<Bug::LastDropped>, FailVerify},
    {"unsigned_activations", mutant<Bug::Unsigned>, FailVerify},
    {"negate_in_int8", mutant<Bug::NegateInInt8>, FailVerify},
    {"int16_wraps", mutant<Bug::Int16Wraps>, FailVerify},
    {"int16_saturates", mutant<Bug::Int16Saturates>, FailVerify},
    {"half_sum", mutant<Bug::HalfSum>, FailVerify},
    {"lost_product", mutant<Bug::LostProduct>, FailVerify},
    {"wrong_stride", mutant<Bug::WrongStride>, FailVerify, true},
    {"first_token", mutant<Bug::FirstToken>, FailVerify, true},
    {"transposed", mutant<Bug::Transposed>, FailVerify, true},
    {"swapped_outputs", mutant<Bug::SwappedOutputs>, FailVerify},
    {"off_by_one", mutant<Bug::OffByOne>, FailVerify},
    {"first_16_unwritten", mutant<Bug::FirstUnwritten>, FailVerify},
    {"last_16_unwritten", mutant<Bug::LastUnwritten>, FailVerify},
    {"zero_token_is_nan", mutant<Bug::ZeroTokenIsNan>, FailVerify},
    {"writes_before", mutant<Bug::WritesBefore>, FailGuard},
    {"writes_behind", mutant<Bug::WritesBehind>, FailGuard},
    {"changes_input", mutant<Bug::ChangesInput>, FailGuard},
    {"random", mutant<Bug::Random>, FailNondeterministic},
};

KernelVariant matmul_variant(std::string_view name, CpuKernel kernel) {
  return {name,       Backend::Cpu, Op::Matmul, Packing::Bits2, feature::Baseline,
          Batch::Any, {},           kernel};
}

}  // namespace

std::span<const Mutant> matmul_mutants() {
  return kMutants;
}

KernelVariant control_variant() {
  return matmul_variant("control", mutant<Bug::None>);
}

KernelVariant mutant_variant(const Mutant& m) {
  return matmul_variant(m.name, m.kernel);
}

SelfTest run_kernel_self_test(Device& cpu, std::uint64_t seed) {
  ReferenceCache references;
  // The odd shape of A.2 with a token of every kind.
  const Case spec{.m = 7, .n = 200, .k = 1100, .seed = seed};
  // All mutants read the same packing, so they share the launches of the battery.
  const std::vector<Launch> launches = battery(control_variant(), seed);
  const auto statuses = [&](const KernelVariant& variant) {
    MatmulTrial trial(cpu, variant, spec, 2, references);
    return std::pair{check_launches(cpu, variant, launches).status, trial.check().status};
  };
  SelfTest result;
  for (const Mutant& m : matmul_mutants()) {
    const auto [by_battery, by_trial] = statuses(mutant_variant(m));
    ++result.mutants;
    if (by_battery == m.expected && by_trial == m.expected) {
      ++result.caught;
    } else {
      result.missed.emplace_back(m.name);
    }
  }
  const auto [by_battery, by_trial] = statuses(control_variant());
  if (by_battery != Pass || by_trial != Pass) result.missed.emplace_back("control (must pass)");
  return result;
}

}  // namespace rotor
