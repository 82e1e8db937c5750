#include "kernels/cpu/quantize.h"
#include "kernels/variant.h"
#include "kernels/x86/lanes_avx2.h"

ROTOR_TARGET_BEGIN("avx2,fma,f16c")
#include "kernels/x86/norm.h"

namespace rotor::cpu {

void add_norm_quant_avx2(const CpuCall& call) noexcept {
  add_norm_quant<Avx2>(call);
}

}  // namespace rotor::cpu

ROTOR_TARGET_END
