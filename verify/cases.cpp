#include "verify/cases.h"

namespace rotor {

std::vector<Launch> battery(const KernelVariant& variant, std::uint64_t seed) {
  switch (variant.op) {
    case Op::Matmul:
    case Op::MatmulHalf:
    case Op::MatmulDense:
      return matmul_battery(variant, seed);
    case Op::NormQuant:
    case Op::AddNormQuant:
    case Op::Relu2NormQuant:
    case Op::AddNorm:
      return norm_battery(variant, seed);
    case Op::Rope:
      return rope_battery(variant, seed);
    case Op::Attention:
      return attention_battery(variant, seed);
    case Op::Embed:
      return embed_battery(variant, seed);
    case Op::Head:
      return head_battery(variant, seed);
    case Op::TopK:
      return top_k_battery(variant, seed);
    case Op::Calculate:
      return calculate_battery(variant, seed);
    case Op::Layers:
      return layers_battery(variant, seed);
    case Op::Products:
      return products_battery(variant, seed);
  }
  return {};
}

CriterionText criterion_of(Op op) {
  using enum Criterion;
  switch (op) {
    case Op::Matmul:
      return {ExactInt, "Eigen f32 product (exact below 2^24), int64 loops on small shapes",
              "128 * k < 2^24, so sums are exact in any order; the scaling is two products in a "
              "fixed order",
              ""};
    case Op::MatmulHalf:
    case Op::MatmulDense:
    case Op::Head:
      return {BoundedFloat, "Eigen f64 product",
              "any order of k sums in f32 stays within gamma(k + 1) * sum |x w|; small integers "
              "are exact",
              "gamma(k + 1) * scale * sum |x w| per output, gamma(n) = n u / (1 - n u), u = 2^-24; "
              "2 sqrt(k) u S for random signs"};
    case Op::Embed:
      return {BitwiseEqual, "table row, decoded", "a copy or an exact widening has no rounding",
              ""};
    case Op::TopK:
      return {BitwiseEqual, "stable sort of every part", "values are copied, the order is total",
              ""};
    case Op::Calculate:
      return {BitwiseEqual, "the same steps, one by one",
              "integers wrap; products with a half are exact, so a step is rounded once", ""};
    case Op::AddNorm:
      return {BoundedFloat, "f64 norm", "sum of k squares in f32, any order",
              "gamma(k / 2 + 19) |y| per output: half of k roundings under the root, the rest for "
              "root, quotient and products"};
    case Op::NormQuant:
    case Op::AddNormQuant:
    case Op::Relu2NormQuant:
      return {
          BoundedFloat, "f64 norm and quantiser",
          "the root of the mean cancels in y / max |y|, so a code is off only next to a tie",
          "code within 0.5 + gamma(18) |t| of t = 127 y / max |y| (22 after ReLU2); scale within "
          "gamma(k / 2 + 21); sum exact"};
    case Op::Rope:
      return {BoundedFloat, "f64 rotation by the table's angles", "two products and a sum",
              "gamma(2) (|a cos| + |b sin|), plus the rounding of the cache's format"};
    case Op::Layers:
      return {BoundedFloat,
              "the references of its parts, each on what the kernel itself gave the part",
              "products are exact sums of codes; a code next to a tie may be either of two",
              "per part as for the part's own op; products within gamma(k / 2 + 25) of the value, "
              "and a "
              "step more for each input code that lies next to a tie"};
    case Op::Products:
      return {ExactInt, "the same chain of products in plain loops",
              "128 * k < 2^20 and its multiple for the codes < 2^31, so all sums are exact in any "
              "order; a "
              "wrong one changes what every later product takes",
              ""};
    case Op::Attention:
      return {BoundedFloat, "f64 softmax attention over the decoded cache",
              "first-order error of scores, exponentials and sums, per output",
              "sum_p w_p |v_p| (e_p + mean e + gamma(4 L + 10)), e_p from gamma(d + 10) |q k| and "
              "3 + 2 |x| ulp of exp"};
  }
  return {};
}

}  // namespace rotor
