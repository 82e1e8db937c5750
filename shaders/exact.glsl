// More than f32 from f32: Vulkan rounds additions and multiplications correctly, and nothing else. A
// sum hi + lo carries about 46 bits, so that what is rounded from it once agrees with the CPU's double
// arithmetic but for one case in about a million. (Dekker: "A floating-point technique for extending
// the available precision", 1971; Knuth: TAOCP 2, 4.2.2.)
struct Two {
  float hi;
  float lo;
};

Two two_sum(float a, float b) {
  precise float sum = a + b;
  precise float part = sum - a;
  precise float error = (a - (sum - part)) + (b - part);
  return Two(sum, error);
}

Two two_product(float a, float b) {
  precise float product = a * b;
  precise float ca = 4097.0 * a;  // 2^12 + 1 splits 24 bits into halves
  precise float cb = 4097.0 * b;
  precise float ah = ca - (ca - a);
  precise float bh = cb - (cb - b);
  precise float al = a - ah;
  precise float bl = b - bh;
  precise float error = ((ah * bh - product) + ah * bl + al * bh) + al * bl;
  return Two(product, error);
}

Two two_add(Two a, Two b) {
  const Two sum = two_sum(a.hi, b.hi);
  precise float low = sum.lo + (a.lo + b.lo);
  return two_sum(sum.hi, low);
}

// a / b for a plain b.
Two two_divide(Two a, float b) {
  const float q = a.hi / b;  // a few units in the last place off
  const Two back = two_product(q, b);
  precise float rest = ((a.hi - back.hi) - back.lo) + a.lo;
  return two_sum(q, rest / b);
}

// 1 / sqrt(a), rounded once.
float two_inverse_root(Two a) {
  const float r = inversesqrt(a.hi);
  const Two square = two_product(r, r);
  const Two unit = two_product(a.hi, square.hi);
  precise float error = ((1.0 - unit.hi) - unit.lo) - (a.hi * square.lo + a.lo * square.hi);
  precise float root = r + r * (0.5 * error + 0.375 * error * error);
  return root;
}

// 127 / top, correctly rounded but for cases that differ from a tie in the 46th bit. Vulkan's own
// division may be off by 2.5 units.
float quantiser_steps(float top) {
  const bool huge = top > 1e30;  // the splitting above would overflow
  const float scaled = huge ? top * uintBitsToFloat(0x2B800000u) : top;  // 2^-40
  const Two steps = two_divide(Two(127.0, 0.0), scaled);
  return huge ? steps.hi * uintBitsToFloat(0x2B800000u) : steps.hi;
}

// Nearest code, ties to even; -127 for a NaN.
int round_code(float v) {
  v = v > -127.0 ? v : -127.0;
  v = v < 127.0 ? v : 127.0;
  return int(roundEven(v));
}

// 1.0f / 127
const float kUnit = 0.00787401574803149606;
