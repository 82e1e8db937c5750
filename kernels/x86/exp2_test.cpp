#if defined(__x86_64__)
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/host_features.h"
#include "kernels/x86/lanes_avx2.h"

ROTOR_TARGET_BEGIN("avx2,fma,f16c")
#include "kernels/x86/exp2.h"

namespace rotor::cpu {
namespace {

void exp2_avx2(const float* x, float* y) {
  Avx2::store(y, exp2<Avx2>(Avx2::load(x, Avx2::All{})), Avx2::All{});
}

}  // namespace
}  // namespace rotor::cpu

ROTOR_TARGET_END

namespace rotor::cpu {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class Exp2 : public testing::Test {
 protected:
  void SetUp() override {
    if ((host_features() & feature::Avx2) == 0) GTEST_SKIP() << "no AVX2";
  }
};

TEST_F(Exp2, StaysInItsBound) {
  // One float in 251 from -126 to 0, so that every mantissa bit varies.
  const auto last = std::bit_cast<std::uint32_t>(-126.0f);
  double worst = 0;
  for (std::uint32_t bits = std::bit_cast<std::uint32_t>(-0.0f); bits < last; bits += 16 * 251) {
    float x[16], y[16];
    for (std::uint32_t i = 0; i < 16; ++i)
      x[i] = std::bit_cast<float>(std::min(bits + 251 * i, last));
    exp2_avx2(x, y);
    for (int i = 0; i < 16; ++i) {
      worst = std::max(worst, std::fabs(y[i] / std::exp2(double{x[i]}) - 1));
    }
  }
  EXPECT_LT(worst, 7.4e-8);
}

TEST_F(Exp2, HasExactEnds) {
  const float x[16] = {0.0f, -0.0f, -1.0f, -2.0f, -126.0f, -126.00001f, -1e30f, -kInfinity, NAN};
  float y[16];
  exp2_avx2(x, y);
  const float want[] = {1, 1, 0.5f, 0.25f, 0x1p-126f, 0, 0, 0};
  for (int i = 0; i < 8; ++i) EXPECT_EQ(y[i], want[i]) << x[i];
  EXPECT_TRUE(std::isnan(y[8]));
}

}  // namespace
}  // namespace rotor::cpu
#endif
