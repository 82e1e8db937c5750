#!/usr/bin/env bash
# Every Vulkan row on the software drivers: lavapipe with subgroups of 4, 8 and 16, SwiftShader (from
# Debian's chromium-common, unpacked, not installed), both under the validation layers, which must be
# silent; what Mesa's compiler makes of them for a Steam Deck; and a driver that computes nothing, on which
# every row must fail.
#   scripts/test_vulkan.sh [build folder]
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/ci}
tests=$build/verify_tests
rows='--gtest_filter=*VulkanRow*'
lavapipe=/usr/share/vulkan/icd.d/lvp_icd.x86_64.json
drivers=$PWD/build/drivers
chromium=$drivers/usr/lib/chromium
mkdir -p "$drivers"

# Tests the device and the rows on one driver; shows what failed, what was not run, and the time.
run() {
  local name=$1 driver=$2 start=$SECONDS
  echo "vulkan rows on $name"
  export VK_DRIVER_FILES=$driver ROTOR_VK_VALIDATION=1 XDG_CACHE_HOME=$drivers/cache
  { "$build/runtime_tests" '--gtest_filter=Vulkan*' && "$tests" "$rows"; } >"$drivers/log" 2>&1 ||
    { cat "$drivers/log"; return 1; }
  grep -E 'no device here|^\[  PASSED' "$drivers/log" || true
  echo "  in $((SECONDS - start)) s"
}

for width in 128 256 512; do
  LP_NATIVE_VECTOR_WIDTH=$width run "lavapipe, vectors of $width bits" "$lavapipe"
done

# The compiler needs no device. Waves of 64 are its choice; those of 32 must fit as well.
for waves in '' cswave32; do
  echo "registers of every Vulkan row and tile on Van Gogh ${waves:+($waves)}"
  RADV_FORCE_FAMILY=vangogh RADV_PERFTEST=$waves XDG_CACHE_HOME=$drivers/cache ROTOR_VK_VALIDATION=0 \
    VK_DRIVER_FILES=/usr/share/vulkan/icd.d/radeon_icd.x86_64.json \
    "$build/runtime_tests" '--gtest_filter=VulkanRegisters*' >"$drivers/log" 2>&1 ||
    { cat "$drivers/log"; exit 1; }
  grep -E '^  [0-9]+ pipelines' "$drivers/log" # none: the driver was not found, and nothing checked
done

if [ ! -e "$chromium/libvk_swiftshader.so" ]; then
  (cd "$drivers" && apt-get -qq download chromium-common && dpkg-deb -x chromium-common_*.deb .) ||
    { echo "vulkan rows on SwiftShader and on the null driver: not run, chromium-common could not be had"; exit 0; }
fi
run SwiftShader "$chromium/vk_swiftshader_icd.json"

echo "vulkan rows on a driver that computes nothing: all must fail, and nothing may have a time"
cat >"$drivers/null.json" <<JSON
{"file_format_version": "1.0.0", "ICD": {"library_path": "$chromium/libVkICD_mock_icd.so", "api_version": "1.3.0"}}
JSON
if VK_DRIVER_FILES=$drivers/null.json ROTOR_VK_VALIDATION=0 XDG_CACHE_HOME=$drivers/cache \
  "$tests" "$rows" >"$drivers/log" 2>&1 || ! grep -q '^\[  FAILED' "$drivers/log" ||
  grep '^\[       OK' "$drivers/log"; then
  echo "test_vulkan: a row passed on a driver that computes nothing" >&2
  exit 1
fi
code=0
VK_DRIVER_FILES=$drivers/null.json ROTOR_VK_VALIDATION=0 XDG_CACHE_HOME=$drivers/cache \
  "$build/rotor-bench" --suite all --device vulkan --budget 1m --out "$drivers/null-report.json" \
  >"$drivers/log" 2>&1 || code=$?
[ "$code" = 2 ] || { cat "$drivers/log"; echo "test_vulkan: exit code $code, not 2" >&2; exit 1; }
python3 - "$drivers/null-report.json" <<'PYTHON'
import json, sys
report = json.load(open(sys.argv[1]))
rows = report["battery"] + report["results"] + report["kv_equivalence"] + report["quality"]
assert len(rows) > 50, len(rows)
assert {row["status"] for row in rows} == {"fail_verify", "unsupported"}, {row["status"] for row in rows}
assert all(row["perf"] is None for row in report["results"]), "a case has a time"
assert not report["kv_timing"] and not report["roofline"], "the device has times"
PYTHON
echo "vulkan: all drivers done"
