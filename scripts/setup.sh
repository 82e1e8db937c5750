#!/usr/bin/env bash
# Installs the Debian 12 packages that rotor needs and this system lacks. Safe to repeat.
#   scripts/setup.sh          what building and measuring needs
#   scripts/setup.sh --test   also what the tests need: clang, the Arm cross compiler, numpy, software
#                             drivers of both GPU backends
set -euo pipefail

build=(g++ cmake ninja-build git ca-certificates
  libbenchmark-dev libeigen3-dev libcli11-dev nlohmann-json3-dev libjs-chart.js
  libvulkan-dev libvulkan-volk-dev glslc
  ocl-icd-opencl-dev opencl-c-headers opencl-clhpp-headers)
test=(libgtest-dev libgmock-dev googletest ccache python3 python3-numpy python3-jsonschema
  clang-14 libclang-rt-14-dev clang-format-14 g++-aarch64-linux-gnu qemu-user
  mesa-vulkan-drivers vulkan-validationlayers pocl-opencl-icd oclgrind)

wanted=("${build[@]}")
[ "${1:-}" = --test ] && wanted+=("${test[@]}")

missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "setup: all ${#wanted[@]} packages are installed"
  exit 0
fi

echo "setup: installing ${missing[*]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "setup: run this as root, or install: ${missing[*]}" >&2
    exit 69
  }
  as_root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get -qq -o DPkg::Lock::Timeout=300 update
"${as_root[@]}" apt-get -qq -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "${missing[@]}" >/dev/null
echo "setup: done"
