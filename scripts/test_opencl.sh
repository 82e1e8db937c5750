#!/usr/bin/env bash
# Every OpenCL row: on PoCL with the full battery, and with its smaller launches under Oclgrind, which
# must find no data race, no access outside a buffer and no misused call.
#   scripts/test_opencl.sh [build folder]
# Both lack subgroups, half arithmetic and the packed dot product. The four rows that need them were run
# by hand, in a chroot of Debian 13: subgroups on PoCL 6, the others on Mesa 25's rusticl on llvmpipe
# (RUSTICL_ENABLE=llvmpipe RUSTICL_FEATURES=fp16). There all 28 rows passed the full battery.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/ci}
rows='--gtest_filter=*OpenClRow*'
work=$PWD/build/opencl
mkdir -p "$work"

# Runs a test program; shows what failed and what was not run.
run() {
  "$@" >"$work/log" 2>&1 || { cat "$work/log"; return 1; }
  grep -E 'no device here|^\[  PASSED' "$work/log" || true
}

echo "opencl: the device and its rows on PoCL"
OCL_ICD_VENDORS=pocl.icd run "$build/runtime_tests" '--gtest_filter=OpenCl*'
OCL_ICD_VENDORS=pocl.icd run "$build/verify_tests" "$rows"

echo "opencl: small launches of the rows under Oclgrind"
rm -f "$work/oclgrind"
# Its exit code says nothing of what it found; its log does. It does not know what optimised code makes
# of functions that return structs. (--uninitialized crashes on these kernels.)
ROTOR_LAUNCHES=${ROTOR_LAUNCHES:-20} run oclgrind --data-races --check-api --max-errors 20 \
  --build-options -cl-opt-disable --log "$work/oclgrind" "$build/verify_tests" "$rows"
grep -q 'launches on Oclgrind' "$work/log" || { echo "test_opencl: Oclgrind was not used" >&2; exit 1; }
if [ -s "$work/oclgrind" ]; then
  cat "$work/oclgrind"
  echo "test_opencl: Oclgrind complains" >&2
  exit 1
fi
echo "opencl: all drivers done"
