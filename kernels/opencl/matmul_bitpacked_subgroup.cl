// Two bits per weight, one token at a time: a subgroup, of whatever size, shares a row, and its sum
// needs no local memory.
#include "kernels/opencl/bitpacked.clh"
#include "kernels/opencl/subgroups.clh"

ROTOR_KERNEL matmul_bitpacked_subgroup(__global const uint16* codes,       // [m, stride / 64]
                                       __global const TokenScale* tokens,  // [m]
                                       __global const Piece* weights,      // [n16, stride / 64]
                                       __global const float* scales,       // [n]
                                       __global float* out,                // [m, n]
                                       const MatmulParams p) {
  const size_t token = get_group_id(1);
  const uint pieces = p.stride / 64;
  __global const uint16* q = codes + token * pieces;
  for (uint r = get_sub_group_id(); r < ROTOR_ROWS; r += get_num_sub_groups()) {
    const uint row = get_group_id(0) * ROTOR_ROWS + r;
    const uint lane = get_sub_group_local_id();
    int acc = 0;
    if (row < p.n) {
      __global const Piece* w = weights + (size_t)row * pieces;
      for (uint i = lane; i < pieces; i += get_sub_group_size()) {
        acc += dot_piece(unpack(w[i]), q[i]);
      }
    }
    acc = sub_group_reduce_add(acc);
    if (lane == 0 && row < p.n) {
      const TokenScale scale = tokens[token];
      out[token * p.n + row] = (float)(acc - ROTOR_EXCESS(scale)) * (scales[row] * scale.scale);
    }
  }
}
