#!/usr/bin/env bash
# The tarball, unpacked in some place: the programs must run from there with what came with them, and
# without the libraries of GPU backends they must run on the CPU and say why the others are absent.
#   scripts/test_install.sh [build folder]
set -euo pipefail
cd "$(dirname "$0")/.."
source=$PWD
build=$(realpath "${1:-build/ci}")
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cpack --config "$build/CPackConfig.cmake" -B "$place" >"$place/log" || { cat "$place/log"; exit 1; }
tar -xzf "$place"/rotor-*.tar.gz -C "$place"
rm "$place"/rotor-*.tar.gz
mv "$place"/rotor-* "$place/some where"
bin="$place/some where/bin"

fail() {
  echo "test_install: $1" >&2
  exit 1
}

# The same text as from the build folder.
text() { "$1/rotor" generate --device cpu --greedy --max-tokens 16 "The future of AI" 2>/dev/null; }

test_programs() {
  cd /
  [ "$(text "$bin")" = "$want" ] || fail "the installed program gives another text"
  "$bin/rotor-bench" --device cpu --suite matmul --filter '^cpu/matmul_bitpacked_portable/n2560_k2560_b1$' \
    --verify-only >"$place/log" || { cat "$place/log"; fail "rotor-bench fails"; }
  "$bin/rotor-bench" --list-devices >"$place/devices"
  "$bin/rotor-bench" show "$bin/../share/rotor/reference/yoga-book.json" >"$place/log" ||
    fail "the published figures are not installed"
  [ ! -e /usr/share/doc/libjs-chart.js/copyright ] ||
    grep -q 'Permission is hereby granted' "$bin/../share/doc/rotor/licences/libjs-chart.js" ||
    fail "the terms of Chart.js are not installed"
}

# Hides the source tree and the build, then the libraries of the backends.
test_alone() {
  mkdir "$place/nothing"
  mount --bind "$place/nothing" "$source"
  test_programs
  grep -q '^opencl:0 ' "$place/devices" || fail "the installed OpenCL module was not found"
  local library path
  : >"$place/empty"
  for library in libOpenCL.so.1 libvulkan.so.1; do
    path=$(ldconfig -p | awk -v name="$library" '$1 == name && !found++ { print $NF }')
    [ -z "$path" ] || mount --bind "$place/empty" "$(realpath "$path")"
  done
  test_programs
  cat "$place/devices"
  grep -q '^opencl  *not here: .*libOpenCL' "$place/devices" || fail "it is not said why OpenCL is absent"
  grep -q '^vulkan  *not here: .*libvulkan' "$place/devices" || fail "it is not said why Vulkan is absent"
}

want=$(text "$build")
test_programs
echo "install: the tarball runs from '$place/some where'"
if unshare --mount true 2>/dev/null; then
  export -f text test_programs test_alone fail
  export source place bin want
  unshare --mount bash -euo pipefail -c test_alone
  echo "install: it runs without the source tree and without the libraries of GPU backends"
else
  echo "install: without GPU libraries: not run, mounting is not allowed here"
fi
