#!/usr/bin/env bash
# Cross-builds the kernels for 64-bit Arm and runs their tests under user-mode emulation, once with
# the dot product and once on a CPU without it.
set -euo pipefail
cd "$(dirname "$0")/.."

run() { qemu-aarch64 -cpu "$1" -L /usr/aarch64-linux-gnu build/arm/kernels_tests --gtest_brief=1; }

cmake -S . -B build/arm -G Ninja -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64.cmake \
  -DCMAKE_BUILD_TYPE=Release -DROTOR_WERROR=ON -DROTOR_BENCH=OFF -DROTOR_VULKAN=OFF \
  -DROTOR_GTEST_SOURCE=/usr/src/googletest >/dev/null
cmake --build build/arm --target kernels_tests
run max
run cortex-a53
