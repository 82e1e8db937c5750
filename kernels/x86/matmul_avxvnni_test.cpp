// The AVX-VNNI row's logic on machines that have the same instruction in its AVX-512 form only.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "kernels/matmul_check.h"
#include "kernels/x86/target.h"

#define ROTOR_DPBUSD _mm256_dpbusd_epi32
ROTOR_TARGET_BEGIN("avx2,avx512f,avx512vl,avx512vnni")
#include "kernels/x86/ymm_dot.h"

namespace rotor::cpu {
namespace {
void matmul_bitpacked_evex(const CpuCall& call) noexcept {
  matmul_dot<YmmDot, TwoBits<YmmDot>>(call);
}
}  // namespace
}  // namespace rotor::cpu
ROTOR_TARGET_END

namespace rotor {
namespace {

TEST(MatmulAvxVnni, IsExactInItsAvx512Form) {
  if ((host_features() & feature::Avx512Vnni) == 0) GTEST_SKIP() << "no AVX-512 VNNI here";
  const KernelVariant row{"matmul_bitpacked_avxvnni in AVX-512 form",
                          Backend::Cpu,
                          Op::Matmul,
                          Packing::Bits2x16,
                          feature::Avx512Vnni,
                          Batch::Any,
                          Tile{},
                          &cpu::matmul_bitpacked_evex};
  EXPECT_EQ(first_error(row), "");
}

}  // namespace
}  // namespace rotor
