// The launches of the battery, op by op, and the parts of them that timed trials share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/variant.h"
#include "verify/distributions.h"
#include "verify/launches.h"
#include "verify/reference.h"

namespace rotor {

// Every launch that a row must get right before it is trusted with anything.
std::vector<Launch> battery(const KernelVariant& variant, std::uint64_t seed);

// What a verdict says about how an op is compared.
struct CriterionText {
  Criterion criterion;
  std::string reference;
  std::string proof;
  std::string bound;
};
CriterionText criterion_of(Op op);

// --- Matmul, MatmulHalf, MatmulDense --------------------------------------------------------------

// What a ternary product should be: exact for int8 activations, else within a bound.
struct MatmulExpected {
  std::vector<float> exact;   // [m, n], or
  reference::Floats bounded;  // [m, n]
  double quality = 1;         // share of the bound that random signs stay within
};
// Computes it, and checks the references against each other where the product is small (throws
// Error if they disagree).
MatmulExpected expect_matmul(Op op, const MatmulData& data, bool random_signs, unsigned threads);
Comparison compare_matmul(const MatmulExpected& expected, std::span<const float> out,
                          std::uint32_t n);

// Values that the activations of `op` can hold: reals become halves.
Values matmul_values(Op op);
void round_activations(Op op, MatmulData& data);
// The contents of the op's activation buffers in the order of the contract.
std::vector<Bytes> matmul_activations(Op op, const MatmulData& data);
// Packed weights. Throws Error if they do not decode to the trits again.
Bytes matmul_weights(const KernelVariant& variant, const MatmulData& data);
// Of the logical inputs, the same for every packing and device.
std::uint64_t matmul_digest(const MatmulData& data);

// --- Norms, Layers -------------------------------------------------------------------------------

// Roughly Gaussian, with mean 0 and deviation 1: the sum of four uniform numbers.
float normal(Random& random);

// --- Rope, Attention, Layers ---------------------------------------------------------------------

// cos and sin of the angles of every position, as the model makes them: [capacity, head_dim].
std::vector<float> make_angles(std::uint32_t capacity, std::uint32_t head_dim);
// How far a value that comes back from a cache row may be from the one put there: half a step of
// the format. `largest` is the largest magnitude of the row.
double storage_bound(Packing packing, double value, double largest);

// The launch of Layers that is timed, and its weights: what the first buffer of the launch, which is left
// empty, is to hold.
Launch timed_layers(const KernelVariant& variant, const Case& spec);
Bytes timed_layers_weights(const Case& spec);
// The same of Products.
Launch timed_products(const Case& spec);
Bytes timed_products_weights(const Case& spec);

// Launches of each op's battery (cases_*.cpp).
std::vector<Launch> matmul_battery(const KernelVariant& variant, std::uint64_t seed);
std::vector<Launch> norm_battery(const KernelVariant& variant, std::uint64_t seed);
std::vector<Launch> rope_battery(const KernelVariant& variant, std::uint64_t seed);
std::vector<Launch> attention_battery(const KernelVariant& variant, std::uint64_t seed);
std::vector<Launch> embed_battery(const KernelVariant& variant, std::uint64_t seed);
std::vector<Launch> head_battery(const KernelVariant& variant, std::uint64_t seed);
std::vector<Launch> top_k_battery(const KernelVariant& variant, std::uint64_t seed);
std::vector<Launch> calculate_battery(const KernelVariant& variant, std::uint64_t seed);
std::vector<Launch> layers_battery(const KernelVariant& variant, std::uint64_t seed);
std::vector<Launch> products_battery(const KernelVariant& variant, std::uint64_t seed);

}  // namespace rotor
