#include "kernels/cpu/quantize.h"
#include "kernels/variant.h"
#include "kernels/x86/lanes_avx512.h"

ROTOR_TARGET_BEGIN("avx512f,avx512bw,avx512dq,avx512vl")
#include "kernels/x86/norm.h"

namespace rotor::cpu {

void norm_quant_avx512(const CpuCall& call) noexcept {
  norm_quant<Avx512>(call);
}

}  // namespace rotor::cpu

ROTOR_TARGET_END
