#!/usr/bin/env bash
# Formats the C++ sources; with --check only tells which are not formatted.
set -euo pipefail
cd "$(dirname "$0")/.."

format=$(command -v clang-format-14 || command -v clang-format)
mapfile -t files < <(git ls-files '*.cpp' '*.h' | grep -v '^kernels/params\.h$')
if [ "${1:-}" = --check ]; then
  "$format" --dry-run --Werror "${files[@]}"
  echo "format: ${#files[@]} files are formatted"
else
  "$format" -i "${files[@]}"
fi
