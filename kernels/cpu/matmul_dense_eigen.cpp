#define EIGEN_DONT_PARALLELIZE  // a kernel knows nothing of threads

#include <Eigen/Core>

#include "kernels/variant.h"

namespace rotor::cpu {

// Dense f32 weights through Eigen: what a user would have without us. Compiled for the baseline
// machine like everything that is not behind a target attribute. Many tokens go through Eigen's
// blocked product, which allocates its packing buffers.
void matmul_dense_eigen(const CpuCall& call) noexcept {
  using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const auto& p = call.parameters<MatmulParams>();
  const Eigen::Index rows = call.end - call.begin;
  const float* slice = call.buffer<const float>(1) + std::size_t{call.begin} * p.k;
  const Eigen::Map<const RowMajor> weights(slice, rows, p.k);
  const Eigen::Map<const Eigen::ArrayXf> scales(call.buffer<const float>(2) + call.begin, rows);
  // [m, n] row-major is [n, m] column-major: one column per token.
  Eigen::Map<Eigen::MatrixXf, 0, Eigen::OuterStride<>> out(call.buffer<float>(3) + call.begin, rows,
                                                           p.m, Eigen::OuterStride<>(p.n));
  if (p.m == 1) {  // the matrix-vector product is chosen by type, not by size
    const Eigen::Map<const Eigen::VectorXf> x(call.buffer<const float>(0), p.k);
    out.col(0).noalias() = weights * x;
  } else {
    const Eigen::Map<const Eigen::MatrixXf> x(call.buffer<const float>(0), p.k, p.m);
    out.noalias() = weights * x;
  }
  out.array().colwise() *= scales;
}

}  // namespace rotor::cpu
