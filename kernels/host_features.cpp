#include "kernels/host_features.h"

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#elif defined(__x86_64__)
#include <cpuid.h>
#endif

namespace rotor {

Features host_features() {
  Features features = feature::Baseline;
#if defined(__x86_64__)
  // __builtin_cpu_supports also checks that the operating system saves the wide registers. What it
  // does not know by name in both compilers is read from CPUID: F16C is leaf 1, ECX bit 29;
  // AVX-VNNI is leaf 7.1, EAX bit 4.
  __builtin_cpu_init();
  unsigned a = 0, b = 0, c = 0, d = 0;
  const bool f16c = __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & (1u << 29)) != 0;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && f16c) {
    features |= feature::Avx2;
    if (__get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & (1u << 4)) != 0) {
      features |= feature::AvxVnni;
    }
  }
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    features |= feature::Avx512;
    if (__builtin_cpu_supports("avx512vnni")) {
      features |= feature::Avx512Vnni;
      if (__builtin_cpu_supports("avx512vbmi")) features |= feature::Avx512Vbmi;
    }
  }
#elif defined(__aarch64__)
  if ((getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0) features |= feature::NeonDot;
#endif
  return features;
}

}  // namespace rotor
