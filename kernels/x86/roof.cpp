#include "kernels/roof.h"

#include <span>

#include "kernels/x86/target.h"

namespace rotor {
namespace {

// Latency of four or five cycles times two or three units: sums in flight, with room to spare.
constexpr int kSums = 12;
constexpr double kBlockOps = 2.0 * kSums;  // times the lanes

}  // namespace

ROTOR_TARGET_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
namespace {

std::uint64_t read_avx512(const std::byte* data, std::size_t bytes) noexcept {
  constexpr std::size_t kEach = 4;  // vectors of a stream at a time
  __m512i sums[kEach * kRoofStreams] = {};
  const std::size_t stream = bytes / kRoofStreams;
  for (std::size_t at = 0; at < stream; at += kEach * sizeof sums[0]) {
    ROTOR_UNROLL
    for (std::size_t i = 0; i < kEach * kRoofStreams; ++i) {
      const std::byte* from = data + i / kEach * stream + at + i % kEach * sizeof sums[i];
      sums[i] = _mm512_xor_si512(sums[i], _mm512_load_si512(from));
    }
  }
  for (const __m512i& sum : std::span(sums).subspan(1)) sums[0] = _mm512_xor_si512(sums[0], sum);
  return folded(&sums[0], sizeof sums[0]);
}

std::uint64_t int8_avx512vnni(std::uint64_t blocks) noexcept {
  __m512i sums[kSums] = {};
  __m512i factor = _mm512_set1_epi8(1);
  ROTOR_OPAQUE(factor);
  ROTOR_OPAQUE(sums);
  for (std::uint64_t block = 0; block < blocks; ++block) {
    ROTOR_UNROLL
    for (int i = 0; i < kSums; ++i) sums[i] = _mm512_dpbusd_epi32(sums[i], factor, factor);
  }
  for (int i = 1; i < kSums; ++i) sums[0] = _mm512_add_epi32(sums[0], sums[i]);
  return folded(&sums[0], sizeof sums[0]);
}

std::uint64_t fp32_avx512(std::uint64_t blocks) noexcept {
  __m512 sums[kSums] = {};
  __m512 factor = _mm512_set1_ps(0.5f);
  ROTOR_OPAQUE(factor);
  ROTOR_OPAQUE(sums);
  for (std::uint64_t block = 0; block < blocks; ++block) {
    ROTOR_UNROLL
    for (int i = 0; i < kSums; ++i) sums[i] = _mm512_fmadd_ps(sums[i], factor, factor);
  }
  for (int i = 1; i < kSums; ++i) sums[0] = _mm512_add_ps(sums[0], sums[i]);
  return folded(&sums[0], sizeof sums[0]);
}

}  // namespace
ROTOR_TARGET_END

ROTOR_TARGET_BEGIN("avx2,fma,avxvnni")
namespace {

std::uint64_t int8_avxvnni(std::uint64_t blocks) noexcept {
  __m256i sums[kSums] = {};
  __m256i factor = _mm256_set1_epi8(1);
  ROTOR_OPAQUE(factor);
  ROTOR_OPAQUE(sums);
  for (std::uint64_t block = 0; block < blocks; ++block) {
    ROTOR_UNROLL
    for (int i = 0; i < kSums; ++i) sums[i] = _mm256_dpbusd_avx_epi32(sums[i], factor, factor);
  }
  for (int i = 1; i < kSums; ++i) sums[0] = _mm256_add_epi32(sums[0], sums[i]);
  return folded(&sums[0], sizeof sums[0]);
}

}  // namespace
ROTOR_TARGET_END

ROTOR_TARGET_BEGIN("avx2,fma")
namespace {

std::uint64_t read_avx2(const std::byte* data, std::size_t bytes) noexcept {
  constexpr std::size_t kEach = 2;  // vectors of a stream at a time
  __m256i sums[kEach * kRoofStreams] = {};
  const std::size_t stream = bytes / kRoofStreams;
  for (std::size_t at = 0; at < stream; at += kEach * sizeof sums[0]) {
    ROTOR_UNROLL
    for (std::size_t i = 0; i < kEach * kRoofStreams; ++i) {
      const std::byte* from = data + i / kEach * stream + at + i % kEach * sizeof sums[i];
      sums[i] =
          _mm256_xor_si256(sums[i], _mm256_load_si256(reinterpret_cast<const __m256i*>(from)));
    }
  }
  for (const __m256i& sum : std::span(sums).subspan(1)) sums[0] = _mm256_xor_si256(sums[0], sum);
  return folded(&sums[0], sizeof sums[0]);
}

// Pairs of products stay in 16 bits, as ternary kernels without VNNI keep them for a while. No pointer to
// the sums, and each in its place: GCC 12 moves them through memory otherwise, at half the rate.
std::uint64_t int8_avx2(std::uint64_t blocks) noexcept {
  __m256i factor = _mm256_set1_epi8(1);
  ROTOR_OPAQUE(factor);
  __m256i sums[kSums];
  ROTOR_UNROLL
  for (int i = 0; i < kSums; ++i) sums[i] = factor;
  for (std::uint64_t block = 0; block < blocks; ++block) {
    ROTOR_UNROLL
    for (int i = 0; i < kSums; ++i) {
      sums[i] = _mm256_add_epi16(sums[i], _mm256_maddubs_epi16(factor, sums[i]));
      asm("" : "+x"(sums[i]));
    }
  }
  __m256i total = sums[0];
  ROTOR_UNROLL
  for (int i = 1; i < kSums; ++i) total = _mm256_add_epi16(total, sums[i]);
  return folded(&total, sizeof total);
}

std::uint64_t fp32_avx2(std::uint64_t blocks) noexcept {
  __m256 sums[kSums] = {};
  __m256 factor = _mm256_set1_ps(0.5f);
  ROTOR_OPAQUE(factor);
  ROTOR_OPAQUE(sums);
  for (std::uint64_t block = 0; block < blocks; ++block) {
    ROTOR_UNROLL
    for (int i = 0; i < kSums; ++i) sums[i] = _mm256_fmadd_ps(sums[i], factor, factor);
  }
  for (int i = 1; i < kSums; ++i) sums[0] = _mm256_add_ps(sums[0], sums[i]);
  return folded(&sums[0], sizeof sums[0]);
}

}  // namespace
ROTOR_TARGET_END

std::vector<RoofLevel> roof_levels() {
  return {{feature::Avx512Vnni, nullptr, {{"int8_dot", 64 * kBlockOps, int8_avx512vnni}}},
          {feature::Avx512, read_avx512, {{"fp32_fma", 16 * kBlockOps, fp32_avx512}}},
          {feature::AvxVnni, nullptr, {{"int8_dot", 32 * kBlockOps, int8_avxvnni}}},
          {feature::Avx2,
           read_avx2,
           {{"int8_dot", 32 * kBlockOps, int8_avx2}, {"fp32_fma", 8 * kBlockOps, fp32_avx2}}}};
}

}  // namespace rotor
